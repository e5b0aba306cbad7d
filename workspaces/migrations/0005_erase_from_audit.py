"""The audit trail can be read and added to, never changed, with one exception: ids and addresses of an erased person."""

from django.db import migrations

# In entries about people and addresses only. One that is about the person keeps what was done, when and by whom; in others
# the texts go where they stand alone as a value.
ERASE = """
create function erase_from_audit(words text[]) returns integer
language plpgsql security definer set search_path = pg_catalog, public as $$
declare
    starts text[] := array(select left(word, 200) from unnest(words) as word);
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
        if entry.target = any (starts) then
            update audit_entry set target = '', detail = '{}' where id = entry.id;
            done := done + 1;
        elsif fresh <> entry.detail then
            update audit_entry set detail = fresh where id = entry.id;
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
