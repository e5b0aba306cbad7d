-- Makes everybody due: all who are in the numbers, and all who were. Parameters: workspace, day. Index: none, all are read.
-- Not the ORM: INSERT … SELECT.
insert into facts_due (workspace_id, end_user_id, due_on)
select %(workspace)s, id, %(day)s::date
from end_user where workspace_id = %(workspace)s and identified and not excluded and merged_into is null
union
select workspace_id, end_user_id, %(day)s::date from facts where workspace_id = %(workspace)s
order by 2 -- as the key is, or each row would go to another page of it
on conflict do nothing
