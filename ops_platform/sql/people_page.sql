-- Whom one page of the people list shows, and by what they are sorted.
-- Parameters: workspace, those of the conditions, cursor and cursor_id when paging. The placeholders in braces are SQL of
-- our own from ops_platform/people_list.py. Index: the keys, or end_user_workspace where sets are joined.
-- Not the ORM: the tables about people have no reverse relations.
select u.id, ({sort})::text as sort_key
from end_user u {joins}
where u.workspace_id = %(workspace)s and {where}
order by {sort} {way}, u.id {way}
limit {limit}
