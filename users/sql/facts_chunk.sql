-- Those of a part who are due on a day and have no row yet of those to be published.
-- Parameters: workspace, day, after, until (the last ids of the part before, and of this one). Index: the key of facts_due.
-- Not the ORM: an anti-join into a temporary table.
select distinct d.end_user_id
from facts_due d
where d.workspace_id = %(workspace)s and d.due_on <= %(day)s
    and d.end_user_id > %(after)s::uuid and d.end_user_id <= %(until)s::uuid
    and not exists (
        select from facts_next n where n.end_user_id = d.end_user_id and n.workspace_id = %(workspace)s
            and n.end_user_id > %(after)s::uuid and n.end_user_id <= %(until)s::uuid
    )
order by d.end_user_id
