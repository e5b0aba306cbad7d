-- Takes the touched rows that are visible now and keeps whose they were in the temporary table `taken`.
-- Rows written by transactions that commit later stay for the next fold, together with their events.
-- Parameters: workspace. Index: touched_workspace. Not the ORM: it has no DELETE … RETURNING.
with gone as (
    delete from touched where workspace_id = %(workspace)s returning end_user_id
)
insert into taken select distinct end_user_id from gone
