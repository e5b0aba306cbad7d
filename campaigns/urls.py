"""Pages of campaigns, channels, the suppression list and the local inbox, inside a workspace."""

from django.urls import path

from campaigns import channel_views, editor_views, topic_views, views

app_name = "campaigns"
urlpatterns = [
    path("campaigns/", views.list_campaigns, name="list"),
    path("campaigns/new/", editor_views.new_campaign, name="new"),
    path("campaigns/reach/", editor_views.show_reach, name="reach"),
    path("campaigns/preview/", editor_views.preview_content, name="preview"),
    path("campaigns/test/", editor_views.send_test, name="test"),
    path("campaigns/<uuid:pk>/", views.show_campaign, name="detail"),
    path("campaigns/<uuid:pk>/progress/", views.show_progress, name="progress"),
    path("campaigns/<uuid:pk>/message/", views.show_message, name="message"),
    path("campaigns/<uuid:pk>/deliveries/", views.list_deliveries, name="deliveries"),
    path("campaigns/<uuid:pk>/edit/", editor_views.edit_campaign, name="edit"),
    path("campaigns/<uuid:pk>/review/", editor_views.review_campaign, name="review"),
    path("campaigns/<uuid:pk>/launch/", editor_views.launch_campaign, name="launch"),
    path("campaigns/<uuid:pk>/pause/", views.pause_campaign, name="pause"),
    path("campaigns/<uuid:pk>/resume/", views.resume_campaign, name="resume"),
    path("campaigns/<uuid:pk>/cancel/", views.cancel_campaign, name="cancel"),
    path("campaigns/<uuid:pk>/copy/", views.copy_campaign, name="copy"),
    path("campaigns/<uuid:pk>/unknown/", views.send_unknown_again, name="unknown"),
    path("channels/", channel_views.list_channels, name="channels"),
    path("channels/<str:key>/", channel_views.edit_channel, name="channel"),
    path("channels/<str:key>/test/", channel_views.test_channel, name="channel_test"),
    path("topics/", topic_views.show_topics, name="topics"),
    path("topics/add/", topic_views.add_topic, name="add_topic"),
    path("topics/<uuid:pk>/change/", topic_views.change_topic, name="change_topic"),
    path("suppressions/", channel_views.list_suppressions, name="suppressions"),
    path("suppressions/add/", channel_views.add_suppressions, name="suppressions_add"),
    path("suppressions/remove/", channel_views.remove_suppression, name="suppressions_remove"),
    path("inbox/", channel_views.list_inbox, name="inbox"),
    path("inbox/<str:channel>/<str:name>/", channel_views.show_letter, name="letter"),
]
