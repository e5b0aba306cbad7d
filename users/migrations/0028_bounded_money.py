"""Sums of money that no row can hold stand at a bound: one person's orders must not end the night of a whole workspace.

A write key is public in apps and browsers, and a hundred orders of 10^15 are more than a bigint holds. The bound is such that
the difference of two of them is a bigint, too.
"""

from django.db import migrations

BOUNDED = """
create function bounded(value numeric) returns bigint language sql immutable parallel safe as $$
    select case
        when value > 4000000000000000000 then 4000000000000000000
        when value < -4000000000000000000 then -4000000000000000000
        else value
    end::bigint
$$
"""


class Migration(migrations.Migration):
    dependencies = [("users", "0027_consents_of_a_workspace")]
    operations = [migrations.RunSQL(BOUNDED, "drop function bounded(numeric)")]
