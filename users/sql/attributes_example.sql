-- A value of one type that somebody in the numbers has as an attribute, cut short. Parameters: workspace, name, kind.
-- Index: none; profiles are read until one is found. Not the ORM: the type is told by a function.
select left(attributes -> %(name)s #>> '{}', 60) as value
from end_user
where workspace_id = %(workspace)s and identified and not excluded and merged_into is null
    and jsonb_typeof(attributes) = 'object' and attribute_kind(attributes -> %(name)s) = %(kind)s
limit 1
