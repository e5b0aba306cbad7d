from django.apps import AppConfig


class LifecycleConfig(AppConfig):
    name = "lifecycle"

    def ready(self) -> None:
        from lifecycle import models
        from users.person_tables import register

        register("night", "nobody", models.Standing)
        register("night", "goes", models.PersonValue)
        register("stays", "nobody", models.StageChange, models.ActivityChange, blank={"why": {}})
        register("stays", "nobody", models.RecallEntry)
        register("night", "goes", models.BalanceMark)
