-- Makes a tally of every name and type in `attributes_told`, with the first and the last moment it was told.
-- Parameters: workspace. Index: attribute_tally_once. Not the ORM: an upsert from a temporary table.
insert into attribute_tally as old (workspace_id, name, kind, people, first_rank, last_rank, first_created, last_created)
select %(workspace)s, name, kind, 0, min(rank), max(rank), min(created_at), max(created_at)
from attributes_told
group by name, kind
order by name, kind
on conflict (workspace_id, name, kind) do update set
    first_rank = least(old.first_rank, excluded.first_rank), last_rank = greatest(old.last_rank, excluded.last_rank),
    first_created = least(old.first_created, excluded.first_created),
    last_created = greatest(old.last_created, excluded.last_created)
where (old.first_rank, old.last_rank, old.first_created, old.last_created) is distinct from (
    least(old.first_rank, excluded.first_rank), greatest(old.last_rank, excluded.last_rank),
    least(old.first_created, excluded.first_created), greatest(old.last_created, excluded.last_created)
)
