-- Who is scored, and by what: everybody whose F is at least one, or known where it is a day, and whose days are known.
-- Parameters: workspace, day; r_day, f_day, m_day (whether the axis is a day, scored by how long ago it is), by_orders.
-- The hole `code` takes the axes as columns r_value, f_value, m_value (segmentation/rfm_axes.py), and whose facts they are of: those
-- published, or to be published. Index: facts_workspace.
-- Not the ORM: kept as a temporary table for the next files. `begun_on` is the first order where F counts orders; `money_minor`
-- is for the counts.
select
    a.*,
    case when %(r_day)s then %(day)s::date - date '1970-01-01' - r_value else r_value end as r,
    case when %(f_day)s then %(day)s::date - date '1970-01-01' - f_value else f_value end as f,
    case when %(m_day)s then %(day)s::date - date '1970-01-01' - m_value else m_value end as m
from (
    select
        end_user_id,
        case when %(by_orders)s then first_order_on end as begun_on,
        window_revenue_minor as money_minor,
        {code}
    where workspace_id = %(workspace)s
) a
where r_value is not null and m_value is not null and case when %(f_day)s then f_value is not null else f_value >= 1 end
