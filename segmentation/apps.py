from django.apps import AppConfig


class SegmentationConfig(AppConfig):
    name = "segmentation"

    def ready(self) -> None:
        from segmentation import exporting, models
        from users.export_kinds import register_kind
        from users.person_tables import register

        name = {"segment": "segment.name"}
        register("night", "nobody", models.RfmScore)
        register("night", "nobody", models.SegmentMember, related=name)
        register("stays", "nobody", models.RfmChange)
        register("stays", "nobody", models.SegmentChange, related=name)
        register_kind(exporting.MEMBERS)
