-- Takes the touched rows that are visible now and keeps whose they were in the temporary table `taken`.
-- Rows written by transactions that commit later stay for the next fold, together with their events.
-- Parameters: workspace. Index: the key of touched. Not the ORM: it has no DELETE … RETURNING.
with gone as (
    delete from touched where workspace_id = %(workspace)s returning people
)
insert into taken select distinct unnest(people) from gone
