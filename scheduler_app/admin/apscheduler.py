"""Hides django-apscheduler's own pages: they run jobs inside the web request for anyone with
permission to view them, and edit the timetable behind the scheduler's back."""

import django_apscheduler.admin  # noqa: F401  # registers its pages; nothing does so after this
from django.contrib import admin
from django_apscheduler.models import DjangoJob, DjangoJobExecution

for model in (DjangoJob, DjangoJobExecution):
    if admin.site.is_registered(model):
        admin.site.unregister(model)
