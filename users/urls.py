from django.urls import path

from users import mapping_views, views

app_name = "users"
urlpatterns = [
    path("imports/", views.list_imports, name="imports"),
    path("imports/upload/", views.upload_file, name="upload"),
    path("imports/<uuid:pk>/", views.show_import, name="import"),
    path("imports/<uuid:pk>/preview/", views.preview_import, name="preview"),
    path("imports/<uuid:pk>/layout/", views.change_layout, name="layout"),
    path("imports/<uuid:pk>/start/", views.start_import, name="start"),
    path("imports/<uuid:pk>/cancel/", views.cancel_import, name="cancel"),
    path("imports/<uuid:pk>/errors.csv", views.download_errors, name="errors"),
    path("events/mapping/", mapping_views.show_mapping, name="mapping"),
    path("events/mapping/counts/", mapping_views.count_events, name="counts"),
    path("events/mapping/change/", mapping_views.change_mapping, name="change_mapping"),
    path("events/mapping/preset/", mapping_views.use_preset, name="preset"),
]
