"""The audit trail can be read and added to, never changed, with one exception: ids and addresses of an erased person."""

from django.db import migrations

# Texts are replaced where they stand alone, as the target or as a value, in entries about people and addresses only.
ERASE = """
create function erase_from_audit(words text[]) returns integer
language plpgsql security definer set search_path = pg_catalog, public as $$
declare
    entry record;
    word text;
    fresh jsonb;
    done integer := 0;
begin
    for entry in
        select id, target, detail from audit_entry
        where action ~ '^(people|suppression)[.]' or action in ('channel.test', 'campaign.test')
    loop
        fresh := entry.detail;
        foreach word in array words loop
            fresh := replace(fresh::text, to_json(word)::text, '""')::jsonb;
        end loop;
        if fresh <> entry.detail or entry.target = any (select left(w, 200) from unnest(words) as w) then
            update audit_entry
            set detail = fresh, target = case when target = any (select left(w, 200) from unnest(words) as w) then '' else target end
            where id = entry.id;
            done := done + 1;
        end if;
    end loop;
    return done;
end
$$
"""


class Migration(migrations.Migration):
    dependencies = [("workspaces", "0004_retention")]
    operations = [
        migrations.RunSQL(
            [
                ERASE,
                "revoke all on function erase_from_audit from public",
                "grant execute on function erase_from_audit to uop_app",
            ],
            ["drop function erase_from_audit"],
        )
    ]
