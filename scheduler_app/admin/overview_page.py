"""The overview as a page of the admin, first in the side bar. The app's index shows it, too."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from scheduler_app.admin.readonly import ReadOnlyAdmin
from scheduler_app.models.overview import Overview


@admin.register(Overview)
class OverviewAdmin(ReadOnlyAdmin[Overview]):
    """Seen by all who may see anything of the scheduler; each part asks for its own permission."""

    def has_view_permission(self, request: HttpRequest, obj: Overview | None = None) -> bool:
        return request.user.has_module_perms("scheduler_app")

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Overview | None:
        return None  # a job has a page, but not here

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": _("Scheduler overview"),
            "app_label": self.opts.app_label,
            "opts": self.opts,
            **(extra_context or {}),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/scheduler_app/overview.html", context)
