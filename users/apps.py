from django.apps import AppConfig


class UsersConfig(AppConfig):
    name = "users"

    def ready(self) -> None:
        from users import models
        from users.attributes import erase_tallies
        from users.erasure_traces import erase_traces
        from users.person_tables import register
        from workspaces.sql import run_sql

        register(
            "moves",
            "goes",
            models.Event,
            move=lambda: run_sql("users/move_events")[0]["rows"],
            related={"name": "name.name"},
        )
        register(
            "own", "goes", models.EndUser, models.Consent, models.ConsentWord, models.ProfileChange, models.PushDevice
        )
        register("own", "by_hand", models.IdentityLink, models.IdentityMerge)
        register("night", "goes", models.PersonDay, models.Purchase, models.Facts, models.FactsState)
        register("night", "goes", models.FactsNext, models.FactsStateNext, models.FactsDue)
        register("night", "by_hand", models.Touched, models.PersonNews, erase=erase_traces)
        register("night", "by_hand", models.ProfileTally, erase=erase_tallies)
