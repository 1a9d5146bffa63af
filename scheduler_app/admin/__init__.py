"""The admin's pages. They read through status, act through control, and run nothing."""

from django.apps import apps

if apps.is_installed("django_apscheduler"):  # else there are no models; a check says so
    from scheduler_app.admin import apscheduler, audit, job, node, overview_page, period, run

    __all__ = ["apscheduler", "audit", "job", "node", "overview_page", "period", "run"]
