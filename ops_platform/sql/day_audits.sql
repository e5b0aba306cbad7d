-- Of the people who became slipping or dormant some days before a day, how many were seen since, up to that day.
-- Parameters: workspace, day, after (days). Index: activity_change_day, the keys of end_user and facts.
-- Not the ORM: no relation between the two tables. Who was told for the first time that day did not become it then; whoever
-- was merged since comes as the person they are one with. By person, whatever the planner believes of so few days.
select
    %(workspace)s::uuid as workspace_id,
    %(day)s::date as day,
    c.to_activity as activity,
    c.after_days,
    count(*)::integer as flagged,
    count(*) filter (where f.last_seen_on > c.day)::integer as seen_again
from (
    select end_user_id, day, to_activity, (%(day)s::date - day)::smallint as after_days
    from activity_change
    where workspace_id = %(workspace)s and day = any(array(select %(day)s::date - n from unnest(%(after)s::integer[]) as n))
        and from_activity <> '' and to_activity in ('slipping', 'dormant')
    order by end_user_id
) c
cross join lateral (
    select coalesce(merged_into, id) as id
    from end_user where id = c.end_user_id and workspace_id = (select %(workspace)s::uuid)
    offset 0
) u
left join lateral (
    select last_seen_on from facts where end_user_id = u.id and workspace_id = (select %(workspace)s::uuid)
    offset 0
) f on true
group by c.to_activity, c.after_days
