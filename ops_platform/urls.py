"""Every address of the product. Workspace pages live under `w/<slug>/` and pass the door (workspaces.middleware)."""

from importlib.util import find_spec

from django.urls import include, path

from ops_platform import views
from workspaces.views import accept_invitation


def mounted(prefix: str, module: str) -> list:
    return [path(prefix, include(module))] if find_spec(module) else []


home_pages = [path("", views.show_home, name="today"), path("palette/", views.search_palette, name="palette")]
workspace_pages = [
    path("", include((home_pages, "home"))),
    path("users/", include("ops_platform.people")),
    path("tiers/", include("ops_platform.tiers")),
    path("nights/", include("ops_platform.nights")),
    *mounted("", "users.urls"),
    *mounted("", "segmentation.urls"),
    *mounted("", "campaigns.urls"),
    *mounted("", "workspaces.urls"),
]
urlpatterns = [
    path("", views.choose_workspace, name="chooser"),
    path("health/", views.health, name="health"),
    path("accounts/", include("allauth.account.urls")),
    path("invitations/<str:token>/", accept_invitation, name="accept_invitation"),
    path("i18n/", include("django.conf.urls.i18n")),
    path("w/<slug:slug>/", include(workspace_pages)),
    *mounted("v1/", "users.ingest.urls"),
]
