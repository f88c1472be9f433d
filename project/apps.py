"""Configure the app that holds what belongs to the whole site."""

from django.apps import AppConfig


class ProjectConfig(AppConfig):
    """Register the checks once the settings are loaded."""

    name = "project"

    def ready(self) -> None:
        from project import checks, sizing  # noqa: F401  (registered on import)
