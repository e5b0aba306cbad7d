-- Who is looked at again by those who go on from facts: whose published row will be another, with how far it differs, and
-- whoever was due (differs_by 0, where their numbers are the same). Parameters: workspace. Index: the key of facts_next.
-- Not the ORM: kept as a temporary table, for the rows themselves go when they are published.
select end_user_id, gone, joins, differs_by from facts_next where workspace_id = %(workspace)s
