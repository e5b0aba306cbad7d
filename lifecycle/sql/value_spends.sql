-- Repeat buyers whose repeat orders came to something, by how many and how much: repeats, spend, people.
-- Parameters: workspace. Reads the temporary table {code}. Not the ORM: it reads what was just computed.
select repeats, repeat_minor, count(*) as people
from {code}
where workspace_id = %(workspace)s and repeats > 0 and repeat_minor > 0
group by repeats, repeat_minor
order by repeats, repeat_minor
