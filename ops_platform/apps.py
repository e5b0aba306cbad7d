from django.apps import AppConfig


class OpsPlatformConfig(AppConfig):
    name = "ops_platform"
