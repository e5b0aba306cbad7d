from django.apps import AppConfig


class LifecycleConfig(AppConfig):
    name = "lifecycle"

    def ready(self) -> None:
        from lifecycle import models
        from users.person_tables import register

        register("night", models.Standing)
        register("stays", models.StageChange, models.ActivityChange)
