-- Repeat buyers by their chance to buy again, in fifths, and what is expected of them together.
-- Parameters: workspace. Index: person_value_workspace. Not the ORM: width_bucket. A chance of 100 is of the last fifth.
select least(width_bucket(alive_percent, 0, 100, 5), 5) as fifth, count(*) as people, bounded(sum(expected_revenue_minor)) as minor
from person_value
where workspace_id = %(workspace)s and alive_percent is not null
group by fifth
order by fifth
