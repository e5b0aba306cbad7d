from django.apps import AppConfig

# Loaded here, not in the package, so that the launcher of the embedded servers imports neither Celery nor Django.
from ops_platform.celery import app as celery_app  # noqa: F401


class OpsPlatformConfig(AppConfig):
    name = "ops_platform"

    def ready(self) -> None:
        from ops_platform import catalogue_exports, list_exports, models, tier_exports
        from users.person_tables import register

        catalogue_exports.register()
        list_exports.register()
        tier_exports.register()
        register("night", "goes", models.RulesMove)
