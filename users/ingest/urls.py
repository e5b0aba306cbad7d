"""Where Django hands requests to ingest: see addresses.py."""

from django.urls import path, re_path

from users.ingest import view
from users.ingest.addresses import EXACT, PATTERNS

app_name = "ingest"
urlpatterns = [
    *(re_path(rf"^{address[1:].replace('.', '[.]')}/?$", view.receive) for address in EXACT),
    *(re_path(rf"^{pattern.pattern[1:]}/?$", view.receive) for pattern, _address in PATTERNS),
    path("v1/", view.receive),
    path("v1/<path:rest>", view.receive),
]
