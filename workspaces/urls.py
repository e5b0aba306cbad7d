from django.urls import path

from workspaces import views

app_name = "workspaces"
urlpatterns = [
    path("settings/members/", views.list_members, name="members"),
    path("settings/members/invite/", views.invite_member, name="invite"),
    path("settings/members/<uuid:pk>/", views.change_member, name="change_member"),
    path("settings/keys/", views.list_keys, name="keys"),
    path("settings/keys/create/", views.create_key, name="create_key"),
    path("settings/keys/<uuid:pk>/limit/", views.limit_key, name="limit_key"),
    path("settings/keys/<uuid:pk>/revoke/", views.revoke_key, name="revoke_key"),
    path("settings/audit/", views.list_audit, name="audit"),
]
