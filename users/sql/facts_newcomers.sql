-- Makes people due with a day that no night has counted, of whom there is nothing to go on from, or whose first weeks may still
-- tell more than that they came: an effective newcomer, somebody's lasting recommendation.
-- Parameters: workspace, day, published, days (those to be counted), reach (days after joining). Index: person_day_by_day.
-- Not the ORM: person by person.
insert into facts_due (workspace_id, end_user_id, due_on)
select %(workspace)s, c.end_user_id, %(day)s
from (
    select end_user_id, bool_or(registered or referred_by <> '') as told
    from person_day where workspace_id = %(workspace)s and day = any(%(days)s::date[])
    group by end_user_id
    order by end_user_id
) c
left join lateral (
    select first_seen_on, coalesce(registered_on, first_seen_on) as joined_on
    from facts where end_user_id = c.end_user_id and workspace_id = (select %(workspace)s::uuid)
    offset 0
) f on true
left join lateral (
    select id from end_user
    where id = c.end_user_id and workspace_id = (select %(workspace)s::uuid) and identified and not excluded and merged_into is null
        and f.first_seen_on is null
    offset 0
) u on true
where u.id is not null or (f.first_seen_on is not null and (c.told or f.joined_on >= %(published)s::date - %(reach)s))
on conflict do nothing
