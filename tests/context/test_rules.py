"""What is recognised in a message as worth keeping, and what is not."""

import time

import pytest

from chat.context.proposals import proposals_in
from chat.context.statements import statements

RECOGNISED = {
    "decision": {
        "Decision: we ship uploads on Friday": "We ship uploads on Friday",
        "decision: use Postgres for the log": "Use Postgres for the log",
        "**Decision:** keep the old login page.": "Keep the old login page",
        "We decided to drop support for Python 3.10.": "Drop support for Python 3.10",
        "We've decided to move the launch to 12 March": "Move the launch to 12 March",
        "We have finally agreed on weekly releases.": "Weekly releases",
        "ok, we agreed that reviews need two people": "Reviews need two people",
        "We decided against a second queue": "Against a second queue",
        "The team decided not to rewrite the parser.": "Not to rewrite the parser",
        "Let's go with the blue design": "The blue design",
        "Alright, let\u2019s go with plan B for the launch!": "Plan B for the launch",
        "So we're going with server-sent events.": "Server-sent events",
        "It's decided: the API stays at version 2": "The API stays at version 2",
    },
    "task": {
        "TODO: write the release notes": "Write the release notes",
        "todo: rotate the API keys": "Rotate the API keys",
        "- [ ] update the certificates": "Update the certificates",
        "TODO update the changelog": "Update the changelog",
        "Action item: Bob talks to legal": "Bob talks to legal",
        "We still need to update the backup script.": "Update the backup script",
        "We need to renew the certificate by Friday": "Renew the certificate by Friday",
        "Don't forget to close the old tickets": "Close the old tickets",
        "Someone needs to restart the staging server": "Restart the staging server",
    },
    "issue": {
        "Bug: uploads above 4 GB fail": "Uploads above 4 GB fail",
        "Known issue: Safari shows no icons": "Safari shows no icons",
        "There's a memory leak in the importer": "A memory leak in the importer",
        "There is a nasty bug when two people save.": "A nasty bug when two people save",
        "The login page is broken since the last deploy": (
            "The login page is broken since the last deploy"
        ),
        "the nightly backup fails on PostgreSQL 17.": "The nightly backup fails on PostgreSQL 17",
    },
    "risk": {
        "Risk: the disk may be full by March": "The disk may be full by March",
        "RISK: only Ada knows the deploy scripts": "Only Ada knows the deploy scripts",
        "There is a real risk that the vendor goes away": "The vendor goes away",
        "The biggest risk is that nobody reads the alerts.": "Nobody reads the alerts",
        "We risk losing data during the move": "Losing data during the move",
    },
    "fact": {
        "Fact: staging has 16 GB of memory": "Staging has 16 GB of memory",
        "FYI: the office is closed on Monday": "The office is closed on Monday",
        "For the record: version 2.1 went out on Tuesday": "Version 2.1 went out on Tuesday",
        "The deadline is Friday 12 March": "The deadline is Friday 12 March",
        "Our budget for hosting is 400 euros a month.": (
            "Our budget for hosting is 400 euros a month"
        ),
    },
}

NOTHING = [
    # small talk
    "hello everybody",
    "Let's go!",
    "let's go with it",
    "Good morning, how was the weekend?",
    "lunch?",
    "thanks, that works for me",
    "We need to talk.",
    "We need to celebrate more often, by the way",
    "We have to stop meeting like this",
    "haha the printer is broken again lol",
    "The sun is down and the beer is cold",
    "The limit is the sky",
    "The deadline is crazy",
    "I have decided to like Mondays",
    "Agreed: good idea!",
    "Issue: none",
    "Risk:",
    "See you on Friday at 10",
    # questions, and thoughts half meant
    "Decision: do we ship on Friday?",
    "Have we decided to ship on Friday?",
    "Should we go with the blue design?",
    "What if there is a bug in the importer",
    "Maybe we decided to early",
    "I think we decided to ship on Friday",
    "We decided to ship on Friday, perhaps",
    "If we decided to ship on Friday, who would be here",
    "Let's go with the red one, just kidding",
    "We're going with a rocket to the moon :D",
    "Do you remember when we decided to rewrite it all?",
    "There's a risk that it rains, unless it is dry",
    # what others said
    "> Decision: we ship on Friday",
    "  > We decided to ship on Friday",
    'Bob wrote: "Well. We decided to leave. Let\'s go with that."',
    "The book says “We decided to go west. TODO: go east.”",
    "They decided to drop support for us",
    "He said we decided to ship on Friday",
    "It is wrong that there is a bug in the importer",
    # code and data
    "```\nTODO: free the buffer\n```",
    "```python\n# a\nDecision: x y z w\n",
    "    TODO: free the buffer",
    "\tRisk: the disk fills up",
    "`TODO: free the buffer`",
    "# TODO: free the buffer",
    "// TODO: free the buffer",
    "task: build the wheel\nissue: none of them",
    '{"decision": "we ship on Friday"}',
    "risk: high or medium",
    "ISSUE-12 was closed",
    "TODO",
    "TODO list",
    # to the AI
    "@ai Decision: we ship on Friday",
    "@AI, todo: write the release notes",
    # signs and nothing else
    "",
    "   ",
    "…!!! ???",
    "Décision : on livre vendredi",
    "\u2028\u2028",
]


@pytest.mark.parametrize(
    ("kind", "text", "title"),
    [(kind, text, title) for kind, table in RECOGNISED.items() for text, title in table.items()],
)
def test_statement_is_recognised(kind: str, text: str, title: str) -> None:
    """By its first words; what is proposed says the rest of it, and quotes the message."""
    (found,) = proposals_in(text)
    assert (found.kind, found.title) == (kind, title)
    assert found.body in text


@pytest.mark.parametrize("text", NOTHING)
def test_other_messages_propose_nothing(text: str) -> None:
    """Talk, questions, doubts, what others said, code, data, and what is the AI's to answer."""
    assert proposals_in(text) == []


def test_message_gives_three_at_most_each_once() -> None:
    """Notes of a meeting: the first ones, with the sentence that each was taken from."""
    text = (
        "Notes, 12 March:\n"
        "1. We decided to wait for v1.2. Nobody objected!\n"
        "* TODO: tell the customers, e.g. by mail.\n"
        "* todo: Tell the customers, e.g. by mail\n"
        "* Risk: they are not amused\n"
        "* Bug: the menu is empty\n"
    )
    assert [(one.kind, one.title, one.body) for one in proposals_in(text)] == [
        ("decision", "Wait for v1.2", "We decided to wait for v1.2."),
        (
            "task",
            "Tell the customers, e.g. by mail",
            "TODO: tell the customers, e.g. by mail.",
        ),
        ("risk", "They are not amused", "Risk: they are not amused"),
    ]


def test_quotes_and_code_within_a_statement_stay() -> None:
    """They hide no statement around them."""
    (found,) = proposals_in('Let\'s go with "Aurora" and `make run`')
    assert found.title == '"Aurora" and `make run`'


def test_long_titles_are_cut_and_longer_sentences_left_out() -> None:
    """A title has 200 characters; a sentence above 500 is no note."""
    (found,) = proposals_in(f"Risk: {'very ' * 80}long")
    assert len(found.title) == 200
    assert found.title.endswith("…")
    assert proposals_in(f"Risk: {'very ' * 120}long") == []


@pytest.mark.parametrize(
    "text",
    [
        "“" * 16_000,
        '"a' * 8_000,
        "`" * 16_000,
        "ok " * 5_300,
        "a. " * 5_300,
        "the a " * 2_600,
        "\n" * 16_000,
        "we need to a by " * 1_000,
        " " * 16_000,
        "." * 16_000,
        "**" * 8_000,
        "- " * 8_000,
    ],
)
def test_no_text_takes_long(text: str) -> None:
    """The longest messages, made to be slow to read."""
    before = time.process_time()
    assert proposals_in(text) == []
    assert time.process_time() - before < 5.0


def test_statements_are_parts_of_the_text() -> None:
    """Whatever is hidden, they are where they were."""
    text = 'First.  "Second. Third" fourth!\r\n\r\n> no\r\n- fifth\n`x` sixth \n'
    found = [one.text for one in statements(text)]
    assert found == ["First.", '"Second. Third" fourth!', "fifth", "`x` sixth"]
