-- The buyers of the RFM window and the three numbers they are scored by.
-- Parameters: workspace, day. Index: facts_workspace. Not the ORM: kept as a temporary table for the next files.
select
    end_user_id, first_order_on, last_order_on,
    %(day)s::date - last_order_on as r_days,
    window_orders as f_orders,
    window_revenue_minor as m_minor
from facts
where workspace_id = %(workspace)s and window_orders > 0
