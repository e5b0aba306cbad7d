from django.apps import AppConfig

# Loaded here, not in the package, so that the launcher of the embedded servers imports neither Celery nor Django.
from ops_platform.celery import app as celery_app  # noqa: F401


class OpsPlatformConfig(AppConfig):
    name = "ops_platform"

    def ready(self) -> None:
        from ops_platform import list_exports, tier_exports

        list_exports.register()
        tier_exports.register()
