-- How far a change of settings is. Parameters: workspace, change, step. Index: the key of rules_change.
-- Not the ORM: told by a connection of its own, beside the transaction of the work.
update rules_change set step = %(step)s where workspace_id = %(workspace)s and id = %(change)s
