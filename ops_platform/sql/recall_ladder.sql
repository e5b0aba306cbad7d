-- Who reached the rungs of the recall ladder: on a day, and in the days up to it with how many of them came back since.
-- Parameters: workspace, day, since (left out), rungs (days). Index: recall_entry_day, the key of facts.
-- Not the ORM: also tells the rungs that nobody reached.
select
    n.days as rung,
    count(e.end_user_id) filter (where e.day = %(day)s)::integer as people,
    count(e.end_user_id)::integer as lately,
    count(e.end_user_id) filter (where f.last_seen_on > e.day)::integer as seen_again
from unnest(%(rungs)s::integer[]) as n (days)
left join recall_entry e
    on e.workspace_id = %(workspace)s and e.rung = n.days and e.day > %(since)s and e.day <= %(day)s
left join facts f on f.end_user_id = e.end_user_id and f.workspace_id = %(workspace)s
group by n.days
order by n.days
