-- Whose numbers change because days pass: somebody has a day that no night has counted, or one that leaves a window, or
-- money that does. Those who are counted afresh are not among them.
-- Parameters: workspace, days (of money), after, until (between which ids). Reads the temporary tables fact_history and counted. Index: purchase_day.
-- Not the ORM: a union of two tables, less another; in the order of the keys they are looked up by.
select end_user_id from fact_history
union
select end_user_id from purchase
where workspace_id = %(workspace)s and day = any(%(days)s::date[])
    and end_user_id > %(after)s::uuid and end_user_id <= %(until)s::uuid and end_user_id not in (select end_user_id from counted)
order by end_user_id
