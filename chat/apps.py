"""Projects, people, messages and memories."""

from django.apps import AppConfig


class ChatConfig(AppConfig):
    name = "chat"
    verbose_name = "Projects and chat"

    def ready(self) -> None:
        from chat import audit, commands, receivers  # noqa: F401 - registers and connects them
        from chat.ai import metrics  # noqa: F401 - declares what is counted
        from chat.probes import register_probes
        from chat.queries import access, addressing, runs, snapshot
        from chat.search.companion import embedder
        from realtime import registry
        from realtime.protocol.streams import StreamKind

        registry.register_reader_check(StreamKind.PROJECT, access.may_read_project)
        registry.register_readers(StreamKind.PROJECT, access.project_readers)
        registry.register_snapshot(StreamKind.PROJECT, snapshot.project_snapshot)
        registry.register_runs(StreamKind.PROJECT, runs.open_runs)
        registry.register_snapshot(StreamKind.USER, snapshot.user_snapshot)
        registry.register_audience(
            StreamKind.PROJECT, addressing.people_of_project, addressing.require_owner
        )
        registry.register_companion("embedder", embedder)
        register_probes()
