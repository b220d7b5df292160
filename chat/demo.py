"""The demo: two people, an administrator and a project with something in it, to try things with.

`ensure_demo` may run as often as one likes, also twice at once. Accounts are known by their address
at `demo.invalid`, so nobody else's account is ever touched, and the project by being the first of
its owner's. Passwords are derived from the installation's secret: the same on every call, and
stored nowhere. Keys cannot be read again, so only the call that makes them has their text.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib.auth.hashers import make_password
from django.db import connection, transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from chat.actions.memories import store_memory
from chat.actions.messages import send_message
from chat.models import Membership, Message, Project, Role, User
from chat.models.memory import MemoryKind
from realtime.log.locks import lock_streams
from realtime.models import ApiKey
from realtime.protocol.streams import project_stream, user_stream
from realtime.retrying import retried

PROJECT_NAME = "Apollo"
KEY_NAME = "demo"
KEYS_KEPT = 5  # of one account; issuing more revokes the oldest
_LOCK = 0x70D3_0001  # PostgreSQL's advisory lock of the demo; the number means nothing


@dataclass(frozen=True, slots=True)
class Persona:
    """Somebody in the demo; without a role it is the administrator."""

    username: str
    first_name: str
    last_name: str
    role: Role | None

    @property
    def email(self) -> str:
        return f"{self.username}@demo.invalid"  # RFC 2606: never anybody's real address

    @property
    def password(self) -> str:
        """About 80 bits, in groups that are easy to type."""
        digest = salted_hmac("chat.demo.password", self.username, algorithm="sha256").digest()
        text = base64.b32encode(digest)[:16].decode().lower()
        return "-".join(text[start : start + 4] for start in range(0, 16, 4))

    def encoded_password(self) -> str:
        """The stored form. Its salt is derived too, so that two calls at once agree on it."""
        salt = salted_hmac("chat.demo.salt", self.username, algorithm="sha256").hexdigest()[:32]
        return make_password(self.password, salt=salt)


OWNER = Persona("ada", "Ada", "Lovelace", Role.OWNER)
MEMBER = Persona("grace", "Grace", "Hopper", Role.MEMBER)
ADMIN = Persona("admin", "Demo", "Admin", None)
PERSONAS = (OWNER, MEMBER, ADMIN)


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """How to sign in. `api_key` is None unless this call made it; `role` None for the admin."""

    id: int
    name: str
    username: str
    password: str
    api_key: str | None
    role: str | None


@dataclass(frozen=True, slots=True)
class Demo:
    project_id: int
    project_name: str
    people: tuple[DemoAccount, ...]
    admin: DemoAccount


def ensure_demo(*, new_keys: bool = False) -> Demo:
    """Make what is missing of the demo, and see to it that the passwords returned work.

    `new_keys` issues a key to every account. Raises Unavailable while the database is busy.
    """
    # Hashing takes a quarter of a second each: not while the streams are locked.
    encoded = {persona: persona.encoded_password() for persona in PERSONAS}
    return _ensure(encoded, new_keys=new_keys)


@retried
@transaction.atomic
def _ensure(encoded: Mapping[Persona, str], *, new_keys: bool) -> Demo:
    _one_at_a_time()
    found = {persona: _account(persona) for persona in PERSONAS}
    owner = found[OWNER]
    project = Project.objects.filter(created_by=owner).order_by("pk").first() if owner else None
    names = [user_stream(user.pk) for user in found.values() if user is not None]
    if project is not None:
        names.append(project_stream(project.pk))
    lock_streams(*names)

    users = {p: _ensured_account(p, found[p], encoded[p]) for p in PERSONAS}
    if project is None:
        project = Project(
            name=PROJECT_NAME,
            description="A small space agency plans its first flight.",
            created_by=users[OWNER],
        )
        project.save()
        _ensure_memberships(project, users)
        _fill(project, users[OWNER], users[MEMBER])
    else:
        _ensure_memberships(project, users)

    accounts = {
        persona: DemoAccount(
            id=user.pk,
            name=user.display_name,
            username=user.username,
            password=persona.password,
            api_key=_key(user) if new_keys or found[persona] is None else None,
            role=persona.role.value if persona.role else None,
        )
        for persona, user in users.items()
    }
    return Demo(project.pk, project.name, (accounts[OWNER], accounts[MEMBER]), accounts[ADMIN])


def _one_at_a_time() -> None:
    """Before there is a row there is nothing to lock; on SQLite the transaction is the lock."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            cursor.fetchall()


def _account(persona: Persona) -> User | None:
    user: User | None = User.objects.filter(email=persona.email).order_by("pk").first()
    return user


def _ensured_account(persona: Persona, user: User | None, encoded: str) -> User:
    if user is None:
        names = (persona.username, f"demo-{persona.username}")
        taken = set(User.objects.filter(username__in=names).values_list("username", flat=True))
        user = User(
            username=names[1] if names[0] in taken else names[0],
            email=persona.email,
            first_name=persona.first_name,
            last_name=persona.last_name,
        )
    elif user.password != encoded and user.check_password(persona.password):
        encoded = user.password  # Django hashed it afresh at a sign-in, as its settings ask
    wanted = (encoded, True, persona is ADMIN, persona is ADMIN)
    if wanted != (user.password, user.is_active, user.is_staff, user.is_superuser):
        user.password, user.is_active, user.is_staff, user.is_superuser = wanted
        user.save()
    return user


def _ensure_memberships(project: Project, users: Mapping[Persona, User]) -> None:
    for persona, role in ((OWNER, Role.OWNER), (MEMBER, Role.MEMBER)):
        user = users[persona]
        membership = Membership.objects.filter(project=project, user=user).first()
        if membership is None:
            membership = Membership(project=project, user=user)
        elif membership.role == role:
            continue
        membership.role = role
        membership.save()


def _key(user: User) -> str:
    """A new key; the oldest beyond KEYS_KEPT are revoked, one by one because each ends sockets."""
    keys = ApiKey.objects.filter(user=user, name=KEY_NAME, revoked_at=None).order_by("-pk")
    for old in keys[KEYS_KEPT - 1 :]:
        old.revoked_at = timezone.now()
        old.save()
    return ApiKey.issue(user.pk, KEY_NAME)[1]


def _say(
    author: User, project: Project, number: int, body: str, reply_to: int | None = None
) -> Message:
    return send_message(
        author, project.pk, body=body, client_ref=f"demo:{project.pk}:{number}", reply_to=reply_to
    ).message


def _fill(project: Project, ada: User, grace: User) -> None:
    """First content, so that the page is not empty."""
    fact = store_memory(
        ada,
        project.pk,
        kind=MemoryKind.FACT,
        title="The launch window is 14 to 21 May",
        body="Outside of it the transfer costs 400 m/s more than the tanks hold.",
        importance=0.9,
        pinned=True,
    )
    store_memory(
        ada,
        project.pk,
        kind=MemoryKind.DECISION,
        title="We fly without the third camera",
        body="It saves 2.1 kg, and the window leaves no time to qualify its mount.",
        importance=0.7,
        depends_on=[fact.pk],
    )
    store_memory(
        grace,
        project.pk,
        kind=MemoryKind.TASK,
        title="Repeat the vibration test of the antenna",
        body="At 60 Hz, with the new damper.",
        importance=0.6,
    )
    question = _say(ada, project, 1, "Morning! Did the antenna survive the vibration test?").pk
    _say(grace, project, 2, "It did, up to 55 Hz. At 60 the damper came loose.", question)
    _say(ada, project, 3, "Then let us repeat it with the new damper before Thursday.")
    _say(grace, project, 4, "Booked the table for Wednesday, 9:00. I have put it on the list.")
    _say(ada, project, 5, "Lovely. Open this page in a second browser and answer me from there.")
