"""Every table about people says what becomes of it when two ids turn out to be one person."""

from __future__ import annotations

from django.apps import apps
from django.db import models

from users.person_model import PersonModel
from users.person_tables import registered


def test_every_table_about_people_is_registered() -> None:
    tables = {model for model in apps.get_models() if issubclass(model, PersonModel)}
    assert tables == set(registered())


def test_what_moves_knows_where_it_came_from() -> None:
    """Feedback has no origin of its own: it moves with the delivery it is about."""
    moving = {model for model, table in registered().items() if table.on_merge == "moves"}
    without = {model.__name__ for model in moving if "origin_id" not in {f.name for f in model._meta.get_fields()}}
    assert without == {"Feedback"}


def test_whatever_names_a_person_is_a_table_about_people() -> None:
    naming = {
        model
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if isinstance(field, models.ForeignKey) and field.related_model._meta.label == "users.EndUser"
    }
    assert naming <= set(registered())
