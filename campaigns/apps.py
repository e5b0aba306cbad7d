from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "campaigns"

    def ready(self) -> None:
        from campaigns import exporting, models
        from campaigns.erasing import erase_messages
        from campaigns.merging import find_strays, move_deliveries
        from users.export_kinds import register_kind
        from users.person_tables import register

        register(
            "moves",
            "by_hand",
            models.Delivery,
            move=move_deliveries,
            strays=find_strays,
            erase=erase_messages,
            related={"campaign": "run.campaign.name", "content": "run.content"},
        )
        register("moves", "by_hand", models.Feedback, related={"campaign": "run.campaign.name"})
        register_kind(exporting.DELIVERIES)
