-- People by how much they are expected to spend: between which two of the edges, and what they make together.
-- Parameters: workspace, edges (rising, in minor units). Index: person_value_workspace. Not the ORM: width_bucket.
select width_bucket(expected_revenue_minor, %(edges)s::bigint[]) as band, count(*) as people, bounded(sum(expected_revenue_minor)) as minor
from person_value
where workspace_id = %(workspace)s
group by band
order by band
