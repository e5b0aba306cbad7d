"""A way for the app role to tell the planner what was just loaded: only a table's owner may analyse it.

Without statistics a workspace that was loaded a moment ago counts as one row, and a plan made for one row takes minutes.
"""

from django.db import migrations

CREATE = """
create function refresh_statistics(tables text[]) returns void
language plpgsql security definer set search_path = pg_catalog, public as $$
declare
    name text;
begin
    foreach name in array tables loop
        if name not in ('event', 'end_user', 'person_day', 'purchase', 'facts', 'standing') then
            raise exception 'not a table that may be analysed: %', name;
        end if;
        execute format('analyze public.%I', name);
    end loop;
end
$$
"""


class Migration(migrations.Migration):
    dependencies = [("users", "0006_person_day_digest")]
    operations = [
        migrations.RunSQL(
            [
                CREATE,
                "revoke all on function refresh_statistics from public",
                "grant execute on function refresh_statistics to uop_app",
            ],
            ["drop function refresh_statistics"],
        )
    ]
