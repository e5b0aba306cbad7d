"""Signed addresses in messages. No login, no workspace in the path: the token names both and proves the right."""

from django.urls import path

from campaigns import tracking

urlpatterns = [
    path("o/<str:token>.gif", tracking.open_pixel),
    path("c/<str:token>", tracking.click),
    path("u/<str:token>", tracking.unsubscribe),
]
