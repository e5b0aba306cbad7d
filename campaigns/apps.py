from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "campaigns"

    def ready(self) -> None:
        from campaigns import models
        from campaigns.merging import find_strays, move_deliveries
        from users.person_tables import register

        register("moves", models.Delivery, models.Feedback, move=move_deliveries, strays=find_strays)
