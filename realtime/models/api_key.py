"""Keys for programs."""

import hashlib
import secrets

from django.conf import settings
from django.db import models
from django.utils import timezone

from realtime.log.logged import LoggedModel
from realtime.protocol.streams import user_stream

KEY_PREFIX = "pm_"


def key_digest(key: str) -> str:
    """A key has 256 random bits, so a plain SHA-256 cannot be guessed back."""
    return hashlib.sha256(key.encode()).hexdigest()


class ApiKey(LoggedModel):
    """A credential that acts as its user. Only the digest is kept; the key is shown once."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_keys"
    )
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API key"
        verbose_name_plural = "API keys"

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def stream_names(self) -> list[str]:
        return [user_stream(self.user_id)]

    @classmethod
    def issue(cls, user_id: int, name: str) -> tuple["ApiKey", str]:
        """A new key and its text, which cannot be read again later."""
        text = f"{KEY_PREFIX}{secrets.token_urlsafe(32)}"
        key = cls.objects.create(
            user_id=user_id, name=name, prefix=text[:9], digest=key_digest(text)
        )
        return key, text

    @property
    def valid(self) -> bool:
        return self.revoked_at is None and (
            self.expires_at is None or self.expires_at > timezone.now()
        )

    @property
    def credential(self) -> str:
        """How events name this key when its rights end."""
        return f"key.{self.pk}"

    @staticmethod
    def key_id(credential: str) -> int:
        """The primary key in such a name. Raises ValueError for another one."""
        return int(credential.removeprefix("key."))
