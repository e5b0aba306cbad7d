-- The newest events that came through the door of ingest, as they stand in the event table now.
-- Parameters: workspace, rows (of the ring), most, and, each null for all: library, name_id, people (list of ids).
-- Indexes: arrival_recent, then the key of each event: nothing else of the event table is read.
-- Not the ORM: lists of keys taken apart, and events found also under the person an id was merged into.
select
    r.at as received_at, r.library, r.person, r.client_at, r.event, n.name, e.at, e.brief,
    coalesce(o.id, u.id) as owner, coalesce(o.external_id, u.external_id) as external_id,
    coalesce(nullif(o.name, ''), nullif(u.name, ''), '') as person_name, coalesce(o.identified, u.identified) as identified
from (
    select a.at, a.id, a.library, t.person, t.client_at, t.event, t.name_id, t.place
    from (
        select * from arrival
        where workspace_id = %(workspace)s and (%(library)s::text is null or library = %(library)s)
        order by at desc, id limit %(rows)s
    ) a
    cross join lateral unnest(a.people, a.client_times, a.events, a.names) with ordinality
        as t (person, client_at, event, name_id, place)
    where (%(name_id)s::integer is null or t.name_id = %(name_id)s)
        and (%(people)s::uuid[] is null or t.person = any (%(people)s::uuid[]))
    order by a.at desc, a.id, t.place desc
    limit %(most)s
) r
join event_name n on n.workspace_id = %(workspace)s and n.id = r.name_id
join end_user u on u.workspace_id = %(workspace)s and u.id = r.person
left join end_user o on o.workspace_id = %(workspace)s and o.id = u.merged_into
join lateral (
    select e.at, left(e.properties::text, 90) as brief from event e
    where e.workspace_id = %(workspace)s and e.end_user_id in (u.id, u.merged_into)
        and e.client_at = r.client_at and e.event_id = r.event
    limit 1
) e on true
order by r.at desc, r.id, r.place desc
