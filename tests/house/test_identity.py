"""Every table about people says what becomes of it when two ids turn out to be one person, and when one is erased."""

from __future__ import annotations

from django.apps import apps
from django.db import models

from users.person_model import PersonModel
from users.person_tables import registered

WAYS = ("stage", "activity", "group")


def test_every_table_about_people_is_registered() -> None:
    tables = {model for model in apps.get_models() if issubclass(model, PersonModel)}
    assert tables == set(registered())


def test_what_moves_knows_where_it_came_from() -> None:
    """Feedback has no origin of its own: it moves with the delivery it is about."""
    moving = {model for model, table in registered().items() if table.on_merge == "moves"}
    without = {model.__name__ for model in moving if "origin_id" not in {f.name for f in model._meta.get_fields()}}
    assert without == {"Feedback"}


def test_what_counts_on_for_nobody_keeps_no_words_of_its_own() -> None:
    """Rows that stay after an erasure hold days, numbers and words of ours; everything else is blanked by the registry."""
    texts = {
        f"{model._meta.db_table}.{field.name}"
        for model, table in registered().items()
        if table.on_erase == "nobody"
        for field in model._meta.concrete_fields
        if isinstance(field, models.CharField | models.TextField | models.JSONField) and field.name not in table.blank
    }
    words_of_ours = {
        "activity",
        "stage",
        "limit_kind",
        "group",
        "bits",
        *("from_" + w for w in WAYS),
        *("to_" + w for w in WAYS),
    }
    assert {name for name in texts if name.partition(".")[2] not in words_of_ours} == set()


def test_whatever_names_a_person_is_a_table_about_people() -> None:
    naming = {
        model
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if isinstance(field, models.ForeignKey) and field.related_model._meta.label == "users.EndUser"
    }
    assert naming <= set(registered())
