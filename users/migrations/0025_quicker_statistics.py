"""Tables that got many rows are analysed in less time, and whoever analyses them already is not waited for."""

from django.db import migrations

TABLES = """
            'event', 'end_user', 'person_day', 'purchase', 'facts', 'facts_next', 'facts_state', 'facts_state_next',
            'facts_due', 'standing', 'activity_change', 'stage_change', 'rfm_score', 'rfm_change', 'profile_tally',
            'attribute_tally'
"""
STATISTICS = """
create or replace function refresh_statistics(tables text[]) returns void
language plpgsql security definer set search_path = pg_catalog, public {settings} as $$
declare
    name text;
begin
    foreach name in array tables loop
        if name not in ({tables}) then
            raise exception 'not a table that may be analysed: %', name;
        end if;
        -- Of events only the columns that plans are made by: sorting samples of their texts took most of the time.
        execute format('analyze {options} public.%I %s', name, case name when 'event'
            then '(workspace_id, end_user_id, client_at, at, name_id, amount_minor, order_id, origin_id)' else '' end);
    end loop;
end
$$
"""
# A third of the usual sample: events alone are a dozen tables.
QUICK = STATISTICS.format(tables=TABLES, settings="set default_statistics_target = 30", options="(skip_locked)")
SLOW = STATISTICS.format(tables=TABLES, settings="", options="")


class Migration(migrations.Migration):
    dependencies = [("users", "0024_recommended")]
    operations = [migrations.RunSQL(QUICK, SLOW)]
