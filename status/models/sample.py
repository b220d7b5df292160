"""What was measured, summed up in steps."""

from django.db import models


class Sample(models.Model):
    """What one process measured of one component in `step_s` seconds from `at` on.

    `totals` is {measure: [count, min, max, sum]}; the last three are whole millionths, so that sums
    of sums are exact. `rolled` means that the next longer step contains it: whatever is summed over
    rows of a step and shorter ones that are not rolled up counts each value exactly once.
    """

    step_s = models.PositiveSmallIntegerField()
    component = models.CharField(max_length=40)
    member = models.CharField(max_length=48)
    at = models.DateTimeField()
    totals = models.JSONField()
    rolled = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["component", "step_s", "at", "member"], name="sample_once"
            )
        ]
        indexes = [
            models.Index(
                fields=["step_s", "at"], name="sample_unrolled", condition=models.Q(rolled=False)
            ),
            models.Index(fields=["step_s", "at"], name="sample_age"),
        ]

    def __str__(self) -> str:
        return f"{self.component} {self.step_s} s {self.at:%H:%M:%S}"
