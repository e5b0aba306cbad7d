"""A condition of the people list about an attribute of the catalogue: who has it, or has it as another type."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext as _

from ops_platform.people_parts import BadValue, Part
from users.models import Attribute
from workspaces.models import Workspace


def with_attribute(value: str, query: Mapping[str, str], workspace: Workspace) -> Part:
    """`conflict=1` asks for those whose value is of another type than the catalogue's."""
    attribute = None if "\0" in value else Attribute.objects.filter(name=value).first()
    if attribute is None:
        raise BadValue(value)
    params, keys, name = {"attribute": value}, ("attribute", "conflict"), {"name": str(attribute)}
    if query.get("conflict") != "1":
        return Part("jsonb_exists(u.attributes, %(attribute)s)", params, "", _("with “%(name)s”") % name, keys)
    sql = "not attribute_fits(u.attributes -> %(attribute)s, %(attribute_kind)s)"
    text = _("whose “%(name)s” is of another type") % name
    return Part(sql, {**params, "attribute_kind": attribute.kind}, "", text, keys)
