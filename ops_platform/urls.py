"""Every address of the product. Workspace pages live under `w/<slug>/` and pass the door (workspaces.middleware)."""

from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from ops_platform import views
from workspaces.accounts import no_such_page
from workspaces.invitations import accept_invitation

handler400 = "workspaces.errors.bad_request"
handler404 = "workspaces.errors.not_found"
handler500 = "workspaces.errors.server_error"
home_pages = [path("", views.show_home, name="today"), path("palette/", views.search_palette, name="palette")]
workspace_pages = [
    path("", include((home_pages, "home"))),
    path("users/", include("ops_platform.people")),
    path("tiers/", include("ops_platform.tiers")),
    path("value/", include("ops_platform.value_pages")),
    path("nights/", include("ops_platform.nights")),
    path("events/", include("ops_platform.events")),
    path("settings/", include("ops_platform.rules_pages")),
    path("connect/", include("ops_platform.connect")),
    path("", include("users.urls")),
    path("", include("segmentation.urls")),
    path("", include("campaigns.urls")),
    path("", include("workspaces.urls")),
]
urlpatterns = [
    path("", views.choose_workspace, name="chooser"),
    path("health/", views.health, name="health"),
    re_path("^accounts/(?:email|confirm-email|reauthenticate|password/set|login/code)/", no_such_page),
    path("accounts/", include("allauth.account.urls")),
    path("invitation/<str:token>/", accept_invitation, name="accept_invitation"),
    path("i18n/", include("django.conf.urls.i18n")),
    path("w/<slug:slug>/", include(workspace_pages)),
    path("", include("users.ingest.urls")),
    path("t/", include("campaigns.public_urls")),
    path("api/v1/", include("ops_platform.privacy_api")),
    path("api/v1/", include("ops_platform.tag_api")),
    path("api/v1/", include("ops_platform.value_api")),
    path("api/v1/", include("ops_platform.tier_api")),
    path("api/v1/", include("ops_platform.rules_api")),
    path("api/v1/", include("users.consent_api")),
    path("api/v1/", include("users.export_api")),
    path("api/v1/", include("users.import_api")),
    path("api/v1/", include("ops_platform.api")),
    path("api/v1/", include("users.api")),
    path("api/v1/", include("segmentation.api")),
    path("api/v1/", include("campaigns.api")),
    path("api/schema", SpectacularAPIView.as_view(), name="api_schema"),
    path("api/docs", SpectacularSwaggerSplitView.as_view(url_name="api_schema"), name="api_docs"),
]
