"""What the search keeps of memories: to look at, and to delete so that it is made anew."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from chat.models import MemoryVector
from realtime.admin.readonly import ReadOnlyAdmin


@admin.register(MemoryVector)
class MemoryVectorAdmin(ReadOnlyAdmin):
    list_display = ["id", "memory", "project", "model", "version"]
    list_select_related = ["memory", "project"]
    list_filter = ["model", "version"]
    search_fields = ["memory__title", "project__name"]
    fields = ["memory", "project", "model", "version", "text_hash"]
    ordering = ["-id"]

    def get_queryset(self, request: HttpRequest) -> Any:
        """Without the 10 KB of bytes in each row that nobody can read."""
        return super().get_queryset(request).defer("vector", "pieces", "words")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As for the memory: it goes with it, and alone it is made again."""
        return request.user.has_perm("chat.delete_memory")
