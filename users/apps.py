from django.apps import AppConfig


class UsersConfig(AppConfig):
    name = "users"

    def ready(self) -> None:
        from users import models
        from users.person_tables import register
        from workspaces.sql import run_sql

        register("moves", models.Event, move=lambda: run_sql("users/move_events")[0]["rows"])
        register("own", models.EndUser, models.Consent, models.ConsentWord, models.IdentityLink, models.IdentityMerge)
        register("own", models.ProfileChange)
        register("night", models.Touched, models.PersonDay, models.Purchase, models.Facts)
