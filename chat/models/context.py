"""What the context engine has made of a project's conversation."""

from django.db import models

from chat.models.project import Project


class ProjectContext(models.Model):
    """Written under the lock of the project's stream.

    analysed_to: the id of the newest message that was analysed; older ones are never again.
    summary: what `context_summary_updated` told last.
    """

    project = models.OneToOneField(
        Project, on_delete=models.CASCADE, primary_key=True, related_name="context"
    )
    analysed_to = models.BigIntegerField(default=0)
    summary = models.TextField(blank=True, default="")

    def __str__(self) -> str:
        return f"context of project {self.project_id}"
