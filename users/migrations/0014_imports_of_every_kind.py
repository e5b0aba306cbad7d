"""When an undo began, how many rows of people a batch took, and statistics that cost less.

Of events only those columns are analysed that plans are made by: properties and message ids are most of the cost.
"""

from django.db import migrations, models

FUNCTION = """
create or replace function refresh_statistics(tables text[]) returns void
language plpgsql security definer set search_path = pg_catalog, public as $$
declare
    name text;
begin
    foreach name in array tables loop
        if name not in ('event', 'end_user', 'person_day', 'purchase', 'facts', 'standing') then
            raise exception 'not a table that may be analysed: %', name;
        end if;
        execute format('analyze public.%I', name){columns};
    end loop;
end
$$
"""
PLANNED = " || case name when 'event' then ' (workspace_id, end_user_id, client_at, at, name_id)' else '' end"


class Migration(migrations.Migration):
    dependencies = [("users", "0013_import_batches")]
    operations = [
        migrations.AddField("import", "undo_started_at", models.DateTimeField(null=True)),
        migrations.AddField("importbatch", "rows", models.IntegerField(default=0)),
        migrations.RunSQL([FUNCTION.replace("{columns}", PLANNED)], [FUNCTION.replace("{columns}", "")]),
    ]
