from django.urls import path

from users.views import attributes, erasures, exports, imports, mapping

app_name = "users"
urlpatterns = [
    path("imports/", imports.list_imports, name="imports"),
    path("imports/upload/", imports.upload_file, name="upload"),
    path("imports/<uuid:pk>/", imports.show_import, name="import"),
    path("imports/<uuid:pk>/preview/", imports.preview_import, name="preview"),
    path("imports/<uuid:pk>/layout/", imports.change_layout, name="layout"),
    path("imports/<uuid:pk>/start/", imports.start_import, name="start"),
    path("imports/<uuid:pk>/pause/", imports.pause_import, name="pause"),
    path("imports/<uuid:pk>/resume/", imports.resume_import, name="resume"),
    path("imports/<uuid:pk>/cancel/", imports.cancel_import, name="cancel"),
    path("imports/<uuid:pk>/undo/", imports.undo_import, name="undo"),
    path("imports/<uuid:pk>/errors.csv", imports.download_errors, name="errors"),
    path("exports/", exports.list_exports, name="exports"),
    path("exports/ask/", exports.ask_export, name="ask_export"),
    path("exports/<uuid:pk>/cancel/", exports.cancel_export, name="cancel_export"),
    path("exports/<uuid:pk>/download/", exports.download_export, name="download_export"),
    path("erasures/", erasures.list_erasures, name="erasures"),
    path("erasures/readmit/", erasures.readmit, name="readmit"),
    path("attributes/", attributes.show_attributes, name="attributes"),
    path("attributes/<uuid:pk>/", attributes.show_attribute, name="attribute"),
    path("attributes/<uuid:pk>/change/", attributes.change_attribute, name="change_attribute"),
    path("events/mapping/", mapping.show_mapping, name="mapping"),
    path("events/mapping/counts/", mapping.count_events, name="counts"),
    path("events/mapping/change/", mapping.change_mapping, name="change_mapping"),
    path("events/mapping/preset/", mapping.use_preset, name="preset"),
]
