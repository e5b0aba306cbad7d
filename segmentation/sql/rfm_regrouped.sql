-- Whose RFM group may differ from the last change told: it differs from the score's, a change was told on the day already, or
-- they left the numbers. Parameters: workspace, day; the hole `code` takes who left. Reads the temporary table fresh_rfm.
-- Index: rfm_change_day. Not the ORM: kept as a temporary table.
select end_user_id from fresh_rfm where regrouped
union
select end_user_id from rfm_change where workspace_id = %(workspace)s and day = %(day)s
union
{code}
