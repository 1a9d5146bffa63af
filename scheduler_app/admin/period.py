"""Which schedule each job had when, and when it was paused."""

from django.contrib import admin
from django.http import HttpRequest

from scheduler_app.admin import formats
from scheduler_app.admin.readonly import ReadOnlyAdmin, links_of
from scheduler_app.models import SchedulePeriod


@admin.register(SchedulePeriod)
class SchedulePeriodAdmin(ReadOnlyAdmin[SchedulePeriod]):
    list_display = ("job", "begins", "ends", "state_then", "schedule_then", "reason")
    list_display_links = ("begins",)
    list_filter = ("state",)
    search_fields = ("job_name__exact",)
    search_help_text = "The whole name of a job."
    sortable_by = ()
    ordering = ("-id",)
    fields = list_display

    def get_model_perms(self, request: HttpRequest) -> dict[str, bool]:
        """Keep it off the index and the sidebar: the page of each job leads to its periods."""
        return {}

    @admin.display(description="job")
    def job(self, period: SchedulePeriod) -> str:
        return formats.link(links_of(period).job(period.job_name), period.job_name)

    @admin.display(description="from")
    def begins(self, period: SchedulePeriod) -> str:
        return formats.moment(period.begins_at)

    @admin.display(description="until")
    def ends(self, period: SchedulePeriod) -> str:
        return formats.moment(period.ends_at) if period.ends_at else "now"

    @admin.display(description="state")
    def state_then(self, period: SchedulePeriod) -> str:
        return formats.label(period.state)

    @admin.display(description="schedule")
    def schedule_then(self, period: SchedulePeriod) -> str:
        return formats.schedule_of(period)
