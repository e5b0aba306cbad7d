-- People in `chunk` whose money is counted: those with a purchase on one of the days, or everybody where none are given.
-- Parameters: workspace, days (or null). Index: purchase_day. Not the ORM: kept as a temporary table.
select c.end_user_id
from chunk c
where %(days)s::date[] is null
    or c.end_user_id in (select end_user_id from purchase where workspace_id = %(workspace)s and day = any(%(days)s::date[]))
