-- Which of the given marks are of erased ids. Parameters: workspace, marks (array text). Index: the key of erased_id.
-- Not the ORM: one array instead of a parameter for each of thousands of ids.
select mark from erased_id where workspace_id = %(workspace)s and mark = any(%(marks)s::uuid[])
