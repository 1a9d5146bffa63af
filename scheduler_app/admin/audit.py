"""Who did what: the audit log."""

from django.contrib import admin

from scheduler_app.admin import formats
from scheduler_app.admin.readonly import ReadOnlyAdmin
from scheduler_app.models import AuditEntry


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin[AuditEntry]):
    list_display = ("when", "actor", "surface", "action", "job", "why", "changed")
    list_filter = ("action", "surface", "changed")
    search_fields = ("job_name__exact", "actor__exact")
    search_help_text = "The whole name of a job or of a user."
    sortable_by = ()
    fields = ("when", "actor", "surface", "action", "job", "reason", "changed")

    @admin.display(description="when")
    def when(self, entry: AuditEntry) -> str:
        return formats.moment(entry.at)

    @admin.display(description="job")
    def job(self, entry: AuditEntry) -> str:
        return formats.link(formats.job_url(entry.job_name), entry.job_name)

    @admin.display(description="reason")
    def why(self, entry: AuditEntry) -> str:
        return formats.first_line(entry.reason)
