"""Hides django-apscheduler's own pages, unless a setting keeps them: they run jobs inside the web
request, for all who may view them."""

import django_apscheduler.admin  # noqa: F401  # registers its pages; nothing does so after this
from django.contrib import admin
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from scheduler_app.conf import scheduler_settings
from scheduler_app.exceptions import SettingsError


def hide_pages(site: admin.AdminSite) -> None:
    """Take the pages from this site, if the settings do not keep them."""
    try:
        kept = scheduler_settings().apscheduler_admin
    except SettingsError:  # a check says so
        kept = False
    for model in (DjangoJob, DjangoJobExecution):
        if not kept and site.is_registered(model):
            site.unregister(model)


hide_pages(admin.site)
