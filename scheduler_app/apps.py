"""The app: finds the declared jobs and registers the checks. It starts nothing."""

from django.apps import AppConfig, apps


class SchedulerConfig(AppConfig):
    name = "scheduler_app"
    verbose_name = "Scheduler"
    default_auto_field = "django.db.models.BigAutoField"

    def import_models(self) -> None:
        """Without django_apscheduler there can be no models; a check says what is lacking."""
        if apps.is_installed("django_apscheduler"):
            super().import_models()
        else:
            self.models = {}

    def ready(self) -> None:
        if not apps.is_installed("django_apscheduler"):
            from scheduler_app import lacking

            lacking.register()
            return
        from scheduler_app import checks, discovery
        from scheduler_app.models.timetable import keep_apart

        keep_apart()
        checks.register()
        discovery.discover()
