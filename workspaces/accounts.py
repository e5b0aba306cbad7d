"""How people get in: by invitation only."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.http import Http404, HttpRequest, HttpResponse


class InvitedOnlyAdapter(DefaultAccountAdapter):
    """There is no public sign-up: an owner invites members, `create_operator` makes the first one."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def populate_username(self, request: HttpRequest, user: Any) -> None:
        """Operators have no user name."""


def no_such_page(request: HttpRequest) -> HttpResponse:
    """In the place of allauth's pages for addresses of one's own choosing. Nobody proves those, and an address is what an
    invitation goes by: whoever took a colleague's first would have the account that the colleague then joins with."""
    raise Http404
