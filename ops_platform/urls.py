"""Every address of the product. Workspace pages live under `w/<slug>/` and pass the door (workspaces.middleware)."""

from importlib.util import find_spec

from django.urls import include, path

from ops_platform import views


def mounted(prefix: str, module: str) -> list:
    return [path(prefix, include(module))] if find_spec(module) else []


workspace_pages = [
    path("", include(([path("", views.show_home, name="today"), path("palette/", views.search_palette, name="palette")], "home"))),
    *mounted("users/", "ops_platform.people_urls"),
    *mounted("", "users.urls"),
    *mounted("", "segmentation.urls"),
    *mounted("", "campaigns.urls"),
    *mounted("", "workspaces.urls"),
]
urlpatterns = [
    path("", views.choose_workspace, name="chooser"),
    path("health/", views.health, name="health"),
    path("accounts/", include("allauth.account.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("w/<slug:slug>/", include(workspace_pages)),
    *mounted("v1/", "users.ingest.urls"),
]
