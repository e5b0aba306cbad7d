-- Which of the given (person, event) pairs are stored already, at whatever client time: for messages that told no time.
-- Parameters: workspace, people and events (array texts of equal length). Index: the event table's key, which begins
-- with the person; every partition is asked. Not the ORM: a join with pairs.
select distinct e.end_user_id, e.event_id
from unnest(%(people)s::uuid[], %(events)s::uuid[]) as t (end_user_id, event_id)
join event e on e.workspace_id = %(workspace)s and e.end_user_id = t.end_user_id and e.event_id = t.event_id
