"""Urls of a project whose admin sites are its own: none is called "admin" or is at /admin/, and one
has our runs alone."""

from django.contrib import admin
from django.urls import path

from scheduler_app.admin.run import JobRunAdmin
from scheduler_app.models import JobRun

runs_alone = admin.AdminSite("runs-alone")
runs_alone.register(JobRun, JobRunAdmin)
all_of_it = admin.AdminSite("all-of-it")
for model, model_admin in admin.site._registry.items():
    if model._meta.app_label == "scheduler_app":
        all_of_it.register(model, type(model_admin))

urlpatterns = [
    path("ops/runs/", runs_alone.urls),
    path("staff/all/", all_of_it.urls),
]
