"""A project whose only admin site is its own, at another address, with some of our models."""

from django.contrib import admin
from django.urls import path

from scheduler_app.admin.overview_page import OverviewAdmin
from scheduler_app.admin.run import JobRunAdmin
from scheduler_app.models import JobRun, Overview

site = admin.AdminSite(name="backoffice")
site.register(JobRun, JobRunAdmin)
site.register(Overview, OverviewAdmin)

urlpatterns = [path("office/", site.urls), path("admin/", admin.site.urls)]
