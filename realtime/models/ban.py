"""Who is kept out, why, and until when."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from realtime.protocol.streams import user_stream


class Ban(models.Model):
    """Of a person, or of a network of addresses (CIDR); `until` None: for good.

    A person's ban is in force while its account is deactivated by it (`realtime.bans.imposing`),
    one of a network while `ended_at` is None and `until` is to come. `deactivated`: the account was
    active before, and is so again at the end.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="bans",
        verbose_name="person",
    )
    network = models.CharField(max_length=43, null=True, blank=True)
    reason = models.CharField(max_length=300)
    until = models.DateTimeField(null=True, blank=True)
    made_at = models.DateTimeField(auto_now_add=True)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    deactivated = models.BooleanField(default=False)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ("view", "add", "change")
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=True) ^ Q(network__isnull=True), name="ban_of_one"
            ),
            models.UniqueConstraint(
                fields=["user"], condition=Q(ended_at=None), name="ban_of_user_once"
            ),
            models.UniqueConstraint(
                fields=["network"], condition=Q(ended_at=None), name="ban_of_network_once"
            ),
        ]
        indexes = [models.Index(fields=["made_at"], name="ban_made")]

    def __str__(self) -> str:
        return f"ban of {self.target}"

    @property
    def target(self) -> str:
        """As the audit log names it."""
        return f"network.{self.network}" if self.user_id is None else user_stream(self.user_id)
