from django.urls import path

from segmentation import tag_views, views

app_name = "segmentation"
urlpatterns = [
    path("segments/", views.list_segments, name="list"),
    path("segments/new/", views.new_segment, name="new"),
    path("segments/count/", views.count_people, name="count"),
    path("segments/suggest/", views.suggest, name="suggest"),
    path("tags/", tag_views.show_tags, name="tags"),
    path("tags/rules/", tag_views.create_rule, name="create_rule"),
    path("tags/rules/<uuid:pk>/delete/", tag_views.delete_rule, name="delete_rule"),
    path("segments/<uuid:pk>/", views.show_segment, name="detail"),
    path("segments/<uuid:pk>/edit/", views.edit_segment, name="edit"),
    path("segments/<uuid:pk>/archive/", views.archive_segment, name="archive"),
    path("segments/<uuid:pk>/restore/", views.restore_segment, name="restore"),
    path("segments/<uuid:pk>/delete/", views.delete_segment, name="delete"),
]
