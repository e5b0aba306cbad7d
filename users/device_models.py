"""The devices that messages can be pushed to."""

from __future__ import annotations

from django.db import models

from users.person_model import PersonModel, to_person


class PushDevice(PersonModel):
    """An app on a device: its push token, and the id that used it last (users/devices.py).

    The id, not the person it turned out to be: so merging and parting ids leaves the rows as they are.
    """

    pk = models.CompositePrimaryKey("workspace", "token", "app")
    token = models.CharField(max_length=400)
    # As SDKs name it, such as com.example.shop; "" when they do not.
    app = models.CharField(max_length=100)
    end_user = to_person()
    platform = models.CharField(max_length=100, blank=True)
    seen_at = models.DateTimeField()
    # The provider said that nothing arrives here any more, which is for good.
    dead_at = models.DateTimeField(null=True)

    class Meta(PersonModel.Meta):
        db_table = "push_device"
        indexes = [models.Index(fields=["workspace", "end_user"], name="push_device_person")]

    @property
    def short_token(self) -> str:
        return shorten(self.token)


def shorten(token: str) -> str:
    """Enough of a token to tell two apart, too little to push to."""
    return token if len(token) <= 12 else f"{token[:6]}…{token[-4:]}"
