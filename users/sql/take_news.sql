-- Keeps of whom something was told in the temporary table `news`, and takes note of it for one of two readers; a row that
-- both have read goes. Parameters: workspace, for_facts, for_attributes (whose turn it is).
-- Index: the key of person_news. Not the ORM: arrays into rows.
with gone as (
    delete from person_news
    where workspace_id = %(workspace)s and (%(for_facts)s and not for_attributes or %(for_attributes)s and not for_facts)
    returning people
),
noted as (
    update person_news
    set for_facts = for_facts and not %(for_facts)s, for_attributes = for_attributes and not %(for_attributes)s
    where workspace_id = %(workspace)s and for_facts and for_attributes
    returning people
)
insert into news
select distinct unnest(people) from (select people from gone union all select people from noted) told
