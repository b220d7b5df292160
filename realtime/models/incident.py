"""What the nodes miss at present."""

from django.db import models


class IncidentReport(models.Model):
    """One node says that one part does not answer it. The reports of a part are one incident.

    `seen_at` is renewed while the node lives, by the database's clock: clocks of nodes may differ.
    """

    part = models.CharField(max_length=48)
    node = models.CharField(max_length=48)
    code = models.CharField(max_length=48)
    attempted = models.BooleanField(default=False)
    opened_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["part", "node"], name="incident_part_node")]

    def __str__(self) -> str:
        return f"{self.part} missed by {self.node}"
