-- Whose facts are counted afresh on a day, whether that is done or still to do.
-- Parameters: workspace, day. Index: the keys of facts_due and facts_next. Not the ORM: kept as a temporary table.
select end_user_id from facts_due where workspace_id = %(workspace)s and due_on <= %(day)s
union
select end_user_id from facts_next where workspace_id = %(workspace)s
