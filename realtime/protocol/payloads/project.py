"""Projects and who is in them."""

from typing import Literal

from realtime.protocol.payloads.shape import Id, Moment, Person, Shape

Role = Literal["owner", "member", "viewer"]


class Project(Shape):
    id: Id
    name: str
    description: str
    created_at: Moment


class Member(Shape):
    user: Person
    role: Role
    joined_at: Moment


class ProjectChanged(Shape):
    project: Project


class ProjectDeleted(Shape):
    project: Id


class ProjectJoined(Shape):
    """Someone joined, or changed role."""

    project: Id
    member: Member


class ProjectLeft(Shape):
    project: Id
    user: Person
