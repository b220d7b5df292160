"""What became of proposed memories."""

from django.conf import settings
from django.db import models

from chat.models.project import Project


class ProposalRuling(models.Model):
    """Who accepted or discarded a proposal, for whoever tries next. Forgotten after a week.

    memory: its id. No foreign key: the row of a discarded proposal is gone
    """

    memory = models.BigIntegerField(primary_key=True)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    accepted = models.BooleanField()
    at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"memory {self.memory} {self.verb} by {self.user_id}"

    @property
    def verb(self) -> str:
        return "accepted" if self.accepted else "discarded"
