"""The app: finds the declared jobs and registers the checks. It starts nothing."""

from django.apps import AppConfig


class SchedulerConfig(AppConfig):
    name = "scheduler_app"
    verbose_name = "Scheduler"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from scheduler_app import checks, registry

        checks.register()
        registry.autodiscover()
