"""`/v1/…`: the addresses of the Segment protocol, each with and without a slash at its end."""

from django.urls import path, re_path

from users.ingest import view

app_name = "ingest"
KINDS = ("batch", "track", "identify", "page", "screen")
urlpatterns = [
    *(re_path(rf"^{kind}/?$", view.receive, {"kind": kind}, name=kind) for kind in KINDS),
    path("", view.not_found),
    path("<path:rest>", view.not_found),
]
