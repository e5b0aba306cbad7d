from django.apps import AppConfig


class SegmentationConfig(AppConfig):
    name = "segmentation"

    def ready(self) -> None:
        from segmentation import models
        from users.person_tables import register

        register("night", models.RfmScore, models.SegmentMember)
        register("stays", models.RfmChange, models.SegmentChange)
