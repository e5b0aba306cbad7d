-- Of the people who became slipping or dormant some days before a day, how many were seen since, up to that day.
-- Parameters: workspace, day, after (days). Index: activity_change_day, the keys of end_user and facts.
-- Not the ORM: no relation between the two tables. Who was told for the first time that day did not become it then.
select
    %(workspace)s::uuid as workspace_id,
    %(day)s::date as day,
    c.to_activity as activity,
    a.days::smallint as after_days,
    count(*)::integer as flagged,
    count(*) filter (where f.last_seen_on > c.day)::integer as seen_again
from unnest(%(after)s::integer[]) as a (days)
join activity_change c
    on c.workspace_id = %(workspace)s and c.day = %(day)s::date - a.days
    and c.from_activity <> '' and c.to_activity in ('slipping', 'dormant')
-- Whoever was merged since comes as the person they are one with.
join end_user u on u.id = c.end_user_id and u.workspace_id = %(workspace)s
left join facts f on f.end_user_id = coalesce(u.merged_into, u.id) and f.workspace_id = %(workspace)s
group by c.to_activity, a.days
