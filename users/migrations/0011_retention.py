"""Months of the event table that nobody needs any more can be dropped by the app role, which owns nothing."""

from django.db import migrations

# Waits for nobody: the lock is on the whole table, and behind a waiting lock every writer would wait.
DROP = """
create function drop_empty_event_month(month date) returns boolean
language plpgsql security definer set search_path = pg_catalog, public set lock_timeout = '100ms' as $$
declare
    part text := 'event_' || to_char(month, 'YYYYMM');
    filled boolean;
begin
    if to_regclass('parts.' || part) is null then
        return false;
    end if;
    perform pg_advisory_xact_lock(hashtext('event_month'), hashtext(part));
    execute format('select exists (select from parts.%I)', part) into filled;
    if filled then
        return false;
    end if;
    execute format('lock table only public.event, parts.%I in access exclusive mode', part);
    execute format('select exists (select from parts.%I)', part) into filled;
    if filled then
        return false;
    end if;
    execute format('drop table parts.%I', part);
    return true;
end
$$
"""


class Migration(migrations.Migration):
    dependencies = [("users", "0010_profile_changes"), ("workspaces", "0004_retention")]
    operations = [
        migrations.RunSQL(
            [
                DROP,
                "revoke all on function drop_empty_event_month from public",
                "grant execute on function drop_empty_event_month to uop_app",
            ],
            ["drop function drop_empty_event_month"],
        )
    ]
