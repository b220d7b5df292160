"""`manage.py import_issues`: in order, once, whatever is wrong with the file or the process."""

import json
import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from chat.actions.projects import create_project, set_member
from chat.importing import LINE_MAX_BYTES, TEXT_MAX_CHARS
from chat.models import Memory, Message, Project, User
from realtime.models import Event
from tests.commands.reports import SAMPLE, report, run, written


@pytest.fixture
def project(demonstrating: None) -> Project:
    ada = User.objects.create_user("ada", password="a password")
    return create_project(ada, name="Apollo")


def event_types(project: Project) -> list[str]:
    rows = Event.objects.filter(stream__name=f"project.{project.pk}").order_by("seq")
    return list(rows.values_list("type", flat=True))


def test_real_reports_become_memories_and_messages(project: Project) -> None:
    """Three real ones: fields, order, and one event for each row."""
    before = len(event_types(project))
    status, output, _ = run(SAMPLE, project, "--batch-size", "2")
    reports = [json.loads(line) for line in SAMPLE.read_text().splitlines()]
    assert status == 0
    assert re.fullmatch(
        r"imported 3 issues \(6 events\) in [\d.]+ s, \d+ events/s; 0 already there; 0 broken\n",
        output,
    )
    memories = list(Memory.objects.filter(project=project).order_by("pk"))
    assert [(m.kind, m.reference, m.title, m.body) for m in memories] == [
        ("issue", one["id"], one["title"], one["text"]) for one in reports
    ]
    messages = list(Message.objects.filter(project=project).order_by("pk"))
    assert [(m.kind, m.author, m.body) for m in messages] == [
        ("system", None, f"**{one['title']}**\n\n{one['text']}\n\n({one['repo']})")
        for one in reports
    ]
    added = event_types(project)[before:]
    assert added.count("memory_stored") == added.count("new_message") == 3
    assert len(added) == 6


def test_import_again_adds_nothing(project: Project) -> None:
    """The report's id is the reference, also for another author."""
    run(SAMPLE, project)
    events = Event.objects.count()
    status, output, _ = run(SAMPLE, project, "--author", "ada")
    assert status == 0
    assert "imported 0 issues (0 events)" in output
    assert "3 already there" in output
    assert Event.objects.count() == events


def test_import_goes_on_with_what_is_new(project: Project, tmp_path: Path) -> None:
    """A file that has grown: only its new lines are imported."""
    run(written(tmp_path / "a.jsonl", [report(1), report(2)]), project)
    grown = written(tmp_path / "b.jsonl", [report(n) for n in range(1, 5)])
    _, output, _ = run(grown, project, "--batch-size", "3")
    assert "imported 2 issues (4 events)" in output
    assert "2 already there" in output
    assert Memory.objects.count() == Message.objects.count() == 4


@pytest.mark.parametrize("batch_size", ["1", "25"])
def test_twice_in_one_file_is_once_in_the_project(
    project: Project, tmp_path: Path, batch_size: str
) -> None:
    """The first of an id wins, within a batch as across batches."""
    path = written(tmp_path / "a.jsonl", [report(1), report(1, title="Again"), report(2)])
    status, output, _ = run(path, project, "--batch-size", batch_size)
    assert status == 0
    assert "imported 2 issues (4 events)" in output
    assert "1 already there" in output
    assert Memory.objects.get(reference="some/where#1").title == "Problem 1"


def test_one_file_into_two_projects_of_one_author(project: Project) -> None:
    """Regression: an author's client references count over all projects."""
    other = create_project(User.objects.get(username="ada"), name="Gemini")
    for one in (project, other):
        status, output, _ = run(SAMPLE, one, "--author", "ada")
        assert status == 0
        assert "imported 3 issues (6 events)" in output
    assert Message.objects.filter(author__username="ada").count() == 6


def test_deleted_memory_comes_back_without_a_second_message(project: Project) -> None:
    """Its message is still there, and its reference with it."""
    run(SAMPLE, project, "--author", "ada")
    first = Memory.objects.order_by("pk").first()
    assert first is not None
    first.delete()
    _, output, _ = run(SAMPLE, project, "--author", "ada")
    assert "imported 1 issues (1 events)" in output
    assert (Memory.objects.count(), Message.objects.count()) == (3, 3)


def test_long_titles_are_cut_and_long_ids_hashed(project: Project, tmp_path: Path) -> None:
    """What is longer than its column still fits, and the message keeps the whole title."""
    title, key = "t" * 300, "i" * 200
    path = written(tmp_path / "a.jsonl", [report(1, id=key, title=title)])
    assert run(path, project)[0] == 0
    memory, message = Memory.objects.get(), Message.objects.get()
    assert memory.reference == key
    assert memory.title == "t" * 199 + "…"
    assert title in message.body
    assert message.client_ref is not None
    assert len(message.client_ref) <= 64
    assert "1 already there" in run(path, project)[1]


def test_largest_report_fits_a_frame(project: Project, tmp_path: Path) -> None:
    """Four bytes a character at every limit: the writer's limit of a frame is not met."""
    wide = "\U0001f680"
    largest = report(1, id=wide * 200, title=wide * 400, text=wide * TEXT_MAX_CHARS)
    path = written(tmp_path / "a.jsonl", [json.dumps(largest, ensure_ascii=False)])
    assert run(path, project)[:1] == (0,)
    assert len(Message.objects.get().body) <= 16_000


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "expected a JSON object, got invalid JSON"),
        ("[1]", "expected a JSON object, got array"),
        (b'{"id": "\xff"}', "expected a JSON object, got invalid JSON"),
        ({"id": "x", "title": "t", "text": "t"}, "repo: expected a value, got none"),
        (report(9, title=7), "title: expected a valid string, got 7"),
        (report(9, id=""), "id: expected at least 1 character"),
        (report(9, id="x" * 201), "id: expected at most 200 characters, got 201 characters"),
        (report(9, title="  "), "title: expected at least 1 character"),
        (report(9, text="x" * (TEXT_MAX_CHARS + 1)), f"at most {TEXT_MAX_CHARS} characters"),
        (report(9, text="a\x00b"), "text: expected printable text, got the character U+0000"),
        ('{"id": "\\ud800"}', "expected"),
        (report(9, text=None), "text: expected a valid string"),
        ('"' + "x" * (2 * LINE_MAX_BYTES), f"expected a line of at most {LINE_MAX_BYTES} bytes"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_broken_line_is_named_and_the_rest_goes_on(
    project: Project, tmp_path: Path, line: Any, said: str
) -> None:
    """Its number, what was expected, exit status 1, and both neighbours are in."""
    path = written(tmp_path / "a.jsonl", [report(1), "", line, report(2)])
    status, output, errors = run(path, project)
    assert status == 1
    broken = [one for one in errors.splitlines() if one.startswith("line ")]
    assert len(broken) == 1
    assert broken[0].startswith("line 3: ")
    assert said in broken[0]
    assert len(broken[0]) < 200
    assert "imported 2 issues" in output
    assert "1 broken" in output
    assert set(Memory.objects.values_list("reference", flat=True)) == {
        "some/where#1",
        "some/where#2",
    }


def test_empty_file_and_byte_order_mark(project: Project, tmp_path: Path) -> None:
    """Nothing to do is not an error; what Windows puts before the first line is no content."""
    assert run(written(tmp_path / "a.jsonl", []), project)[0] == 0
    marked = b"\xef\xbb\xbf" + json.dumps(report(1)).encode() + b"\r"
    assert run(written(tmp_path / "b.jsonl", [marked]), project)[0] == 0
    assert Memory.objects.get().reference == "some/where#1"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["missing.jsonl", "--project", "{project}"],
            "expected a readable file, got missing.jsonl",
        ),
        ([".", "--project", "{project}"], "expected a readable file"),
        (["{file}", "--project", "987654"], "expected a project's id, got 987654"),
        (["{file}", "--project", "0"], "expected a number from 1"),
        (["{file}", "--project", "9" * 30], "expected a number from 1"),
        (["{file}", "--project", "{project}", "--batch-size", "0"], "expected a number from 1"),
        (["{file}", "--project", "{project}", "--author", "nobody"], "got 'nobody'"),
    ],
)
def test_wrong_arguments_are_told_in_one_sentence(
    project: Project, arguments: list[str], said: str
) -> None:
    """And nothing is stored."""
    filled = [one.format(project=project.pk, file=SAMPLE) for one in arguments]
    with pytest.raises(CommandError, match=re.escape(said)):
        call_command("import_issues", *filled, stdout=StringIO(), stderr=StringIO())
    assert not Memory.objects.exists()


def test_unknown_project_is_answered_with_those_there_are(project: Project) -> None:
    """At most five of them; where there is none, how to make one."""
    said = f"got 99; there are {project.pk} ({project.name})"
    with pytest.raises(CommandError, match=re.escape(said) + "$"):
        call_command("import_issues", str(SAMPLE), "--project", "99")
    ada = User.objects.get(username="ada")
    for number in range(5):
        create_project(ada, name=f"Further {number}")
    with pytest.raises(CommandError, match=r"\(Further 3\), and more$"):
        call_command("import_issues", str(SAMPLE), "--project", "99")
    Project.objects.all().delete()
    with pytest.raises(CommandError, match="there is none yet"):
        call_command("import_issues", str(SAMPLE), "--project", "99")


def test_author_must_be_allowed_to_write(project: Project) -> None:
    """A stranger and a viewer cannot be made authors."""
    vera = User.objects.create_user("vera", password="a password")
    with pytest.raises(CommandError, match="expected a project that you are a member of"):
        run(SAMPLE, project, "--author", "vera")
    set_member(User.objects.get(username="ada"), project.pk, user_id=vera.pk, role="viewer")
    with pytest.raises(CommandError, match="expected the role owner or member, got viewer"):
        run(SAMPLE, project, "--author", "vera")
    assert not Memory.objects.exists()
