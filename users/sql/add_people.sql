-- Makes people who are new; somebody else may have made them at the same moment. Parameters: workspace; ids, external_ids,
-- identified and times (arrays of equal length). Index: the key of end_user. Not the ORM: it makes an object and twenty
-- values of every person.
insert into end_user (
    id, workspace_id, external_id, identified, created_at, excluded, excluded_reason, name, email, phone, push_token, city,
    source, referred_by, locale, zone, attributes, attribute_times, tags
)
select
    id, %(workspace)s::uuid, external_id, identified, at, false, '', '', '', '', '', '', '', '', '', '', '{}', '{}', '[]'
from unnest(%(ids)s::uuid[], %(external_ids)s::text[], %(identified)s::boolean[], %(times)s::timestamptz[])
    as t (id, external_id, identified, at)
order by id
on conflict (id) do update set
    created_at = least(end_user.created_at, excluded.created_at),
    own_created_at = case when end_user.own_created_at is not null then least(end_user.own_created_at, excluded.created_at) end
