"""What every page's frame needs."""

from typing import Any

from django.http import HttpRequest


def page(request: HttpRequest) -> dict[str, Any]:
    return {"workspace": getattr(request, "workspace", None), "membership": getattr(request, "membership", None)}
