"""Push tokens that traits name are devices from now on: so are those that were told before."""

from django.db import migrations

TOLD = """
insert into push_device (workspace_id, token, app, end_user_id, platform, seen_at)
select distinct on (workspace_id, token, app) workspace_id, token, app, id, '', at
from (
    select
        u.workspace_id, u.id, k.app, btrim(u.attributes ->> k.app) as token,
        coalesce(to_timestamp(case when r.rank < 0 then -r.rank - 1 else r.rank end / 1000000.0), u.created_at) as at
    from end_user u
    cross join unnest('{push_token,pushToken,jgId,getui_id,xmId,umeng_id}'::text[]) as k (app)
    cross join lateral (select (u.attribute_times ->> k.app)::bigint as rank) r
    where jsonb_typeof(u.attributes -> k.app) in ('string', 'number')
) told
where length(token) between 1 and 400
order by workspace_id, token, app, at desc, id desc
on conflict do nothing
"""


class Migration(migrations.Migration):
    dependencies = [("users", "0020_statistics_of_what_is_asked")]
    operations = [migrations.RunSQL(TOLD, migrations.RunSQL.noop)]
