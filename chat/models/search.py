"""What the search keeps of a memory."""

from django.db import models

from chat.models.memory import Memory
from chat.models.project import Project


class MemoryVector(models.Model):
    """A memory's text as the model `model`, `version` sees it.

    Rows are made and deleted, never changed, so that (count, highest id) of a project says whether
    an index of it is still current. `project` is the memory's, which never changes.
    """

    memory = models.OneToOneField(Memory, on_delete=models.CASCADE, related_name="vector")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    model = models.CharField(max_length=60)
    version = models.CharField(max_length=40)
    text_hash = models.CharField(max_length=64)
    # 384 float32; ids of word pieces, uint16; their vectors, 96 bytes each. The long one is last:
    # SQLite reads a row from its front, and the index needs only the others.
    vector = models.BinaryField()
    pieces = models.BinaryField()
    words = models.BinaryField()

    class Meta:
        indexes = [
            models.Index(fields=["project", "model", "version", "id"], name="vector_of_project")
        ]

    def __str__(self) -> str:
        return f"vector of memory {self.memory_id}"
