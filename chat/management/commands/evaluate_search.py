"""`manage.py evaluate_search FILE`: what share of known answers the search finds."""

from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Count, Q

from chat.models import Project
from chat.search import client
from chat.search.embedding import embed_pending
from chat.search.evaluation import Question, asked, read_questions, summary
from realtime.protocol.errors import RealtimeError


class Command(BaseCommand):
    """Needs a running embedder (`serve`, `work` or `embedder`), else it measures keywords."""

    help = (
        'Ask each {"query", "relevant", "kind"} of a JSON Lines file and print recall@5, recall@1, '
        "MRR, the questions that were rightly answered with nothing, misses and times."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="questions")
        parser.add_argument("--project", type=int, help="the project whose memories are searched")
        parser.add_argument("--issues", type=Path, help="import these reports first")

    def handle(self, **options: Any) -> None:
        try:
            questions = read_questions(options["file"])
            project_id = options["project"] or _project_of(questions)
            if options["issues"] is not None:
                call_command("import_issues", str(options["issues"]), project=project_id)
            if client.ready():
                embed_pending(project_id)
            answers = list(asked(project_id, questions))
        except OSError as error:
            raise CommandError(f"expected a readable file, got: {error}") from error
        except RealtimeError as error:
            raise CommandError(error.message) from error
        for line in summary(answers):
            self.stdout.write(line)


def _project_of(questions: list[Question]) -> int:
    """The project that has most of the answers, else the oldest. Raises CommandError."""
    wanted = {reference for question in questions for reference in question.relevant}
    known = Count("memories", filter=Q(memories__reference__in=wanted))
    found = Project.objects.annotate(known=known).order_by("-known", "pk").first()
    if found is None:
        raise CommandError("expected a project, got none (`manage.py demo` makes one)")
    return found.pk
