"""接触: everyone else; has not done the core action yet."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lifecycle.stages import Stage


def reason(why: Mapping[str, Any]) -> str:
    return _("No core action yet")


STAGE = Stage(
    key="contact",
    order=60,
    label=gettext_lazy("Contact"),
    sentence=lambda rules: _("Has not done the core action yet."),
    condition="true",
    reason=reason,
)
