-- Items that arrived, by hour and what became of them, since a time. Parameters: workspace, since. Index: the table's key.
-- Not the ORM: only so that the sums of the slots stand beside the statement that counts them up.
select hour, sum(accepted)::bigint as accepted, sum(duplicate)::bigint as duplicate, sum(rejected)::bigint as rejected
from arrival_hour
where workspace_id = %(workspace)s and hour >= %(since)s
group by hour
