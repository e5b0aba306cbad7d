"""The event table: partitioned by month of the client's timestamp, its key doing the work of dedupe and person index."""

from django.db import migrations

EVENT = """
create table event (
    workspace_id uuid not null,
    end_user_id uuid not null,
    client_at timestamptz not null,
    event_id uuid not null,
    at timestamptz not null,
    received_at timestamptz not null,
    name_id integer not null,
    message_id varchar(255) not null,
    properties jsonb not null default '{}',
    amount_minor bigint,
    order_id varchar(255),
    primary key (end_user_id, client_at, event_id)
) partition by range (client_at)
"""

# CREATE ... LIKE + ATTACH waits for nobody's open transaction, unlike CREATE ... PARTITION OF.
# SECURITY DEFINER: the app owns nothing and may not create tables, but months must exist before their events come.
ENSURE = """
create function ensure_event_month(month date) returns void
language plpgsql security definer set search_path = pg_catalog, public as $$
declare
    part text := 'event_' || to_char(month, 'YYYYMM');
    first date := date_trunc('month', month)::date;
begin
    if to_regclass('parts.' || part) is not null then
        return;
    end if;
    perform pg_advisory_xact_lock(hashtext('event_month'), hashtext(part));
    if to_regclass('parts.' || part) is not null then
        return;
    end if;
    execute format('create table parts.%I (like public.event including defaults including constraints)', part);
    execute format(
        'alter table public.event attach partition parts.%I for values from (%L) to (%L)',
        part, first::text || ' 00:00+00', (first + interval '1 month')::date::text || ' 00:00+00'
    );
    execute format('create index on parts.%I using brin (at)', part);
end
$$
"""


class Migration(migrations.Migration):
    dependencies = [("users", "0001_tables")]
    operations = [
        migrations.RunSQL([EVENT], ["drop table event"]),
        migrations.RunSQL(
            [
                ENSURE,
                "revoke all on function ensure_event_month from public",
                "grant execute on function ensure_event_month to uop_app",
            ],
            ["drop function ensure_event_month"],
        ),
    ]
