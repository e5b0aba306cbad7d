"""Of events only the columns that plans are made by are analysed: sorting samples of their texts took most of the time."""

from django.db import migrations

COLUMNS = "workspace_id, end_user_id, client_at, at, name_id, amount_minor, order_id, origin_id"
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
        execute {analyze};
    end loop;
end
$$
"""


class Migration(migrations.Migration):
    dependencies = [("users", "0019_push_devices")]
    operations = [
        migrations.RunSQL(
            FUNCTION.replace(
                "{analyze}",
                f"format('analyze public.%I %s', name, case name when 'event' then '({COLUMNS})' else '' end)",
            ),
            FUNCTION.replace("{analyze}", "format('analyze public.%I', name)"),
        )
    ]
