from django.db import migrations


def prepare(apps, schema_editor):
    """Column and index of pgvector, where PostgreSQL has it; nothing elsewhere."""
    from chat.search import pgvector

    pgvector.prepare(schema_editor.connection)


class Migration(migrations.Migration):

    dependencies = [
        ('chat', '0001_initial'),
    ]

    operations = [
        migrations.RunPython(prepare, migrations.RunPython.noop),
    ]
