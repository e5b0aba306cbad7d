-- The rows of rfm_score that are others than those stored. Parameters: workspace. Reads the temporary tables fresh_rfm and
-- rfm_moved. Not the ORM: kept as a temporary table.
select * from fresh_rfm where workspace_id = %(workspace)s and end_user_id in (select end_user_id from rfm_moved where not gone)
