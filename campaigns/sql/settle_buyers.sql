-- People of the arms of the open runs (the temporary table open_run) of whom an order or a refund lies within a window:
-- all that they bought has to be read to know what it was worth, and of nobody else.
-- Parameters: workspace, since (day of the first freeze), day. Index: purchase_day, delivery_run_state.
-- Not the ORM: kept as a temporary table.
select distinct d.end_user_id
from open_run o
join delivery d on d.run_id = o.id and d.workspace_id = %(workspace)s and d.arm <> ''
join purchase p
    on p.end_user_id = d.end_user_id and p.workspace_id = %(workspace)s and p.kind in ('order', 'refund')
   and p.day >= %(since)s and p.day <= %(day)s and p.at >= o.frozen_at and p.at < o.until
