"""Who did what: the audit log."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduler_app.admin import formats, relative
from scheduler_app.admin.line_filters import Choice, LineFilter, RangeFilter
from scheduler_app.admin.readonly import ReadOnlyAdmin, links_of
from scheduler_app.models import AuditEntry, Surface

LOOKED_THROUGH = 100_000
"""How many of the newest entries a text is looked for in."""
OF_RUN = re.compile(r"Run (\d{1,19})\.(?: |$)")
"""How control begins the reason of what was done to a run."""


class WhenFilter(RangeFilter):
    title = gettext_lazy("When")
    field, span = "at", "within"


class ActionFilter(LineFilter):
    title = gettext_lazy("Action")
    parameters = ("action__exact",)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        action = self.chosen.get("action__exact")
        return queryset.filter(action=action) if action else queryset

    def choices(self, changelist: ChangeList) -> Iterator[Choice]:
        chosen = self.chosen.get("action__exact")
        yield self.choice(changelist, _("All"), not chosen)
        for value, text in AuditEntry.Action.choices:
            yield self.choice(changelist, text, chosen == value, action__exact=value)


class SurfaceFilter(LineFilter):
    title = gettext_lazy("Through")
    parameters = ("surface__exact",)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        surface = self.chosen.get("surface__exact")
        return queryset.filter(surface=surface) if surface else queryset

    def choices(self, changelist: ChangeList) -> Iterator[Choice]:
        chosen = self.chosen.get("surface__exact")
        yield self.choice(changelist, _("All"), not chosen)
        for surface in Surface:
            yield self.choice(
                changelist, surface.label, chosen == surface, surface__exact=surface.value
            )


class PersonFilter(LineFilter):
    """Only there if a person is chosen, by a link in the list."""

    title = gettext_lazy("Person")
    parameters = ("actor__exact",)

    def has_output(self) -> bool:
        return bool(self.chosen)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(actor=self.chosen["actor__exact"])

    def choices(self, changelist: ChangeList) -> Iterator[Choice]:
        name = self.chosen["actor__exact"]
        yield self.choice(changelist, _("All"), False)
        yield self.choice(changelist, name, True, actor__exact=name)


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin[AuditEntry]):
    list_display = ("when", "person", "what", "job", "run", "why")
    list_display_links = ("when",)
    list_filter = (WhenFilter, ActionFilter, SurfaceFilter, PersonFilter)
    list_per_page = 50
    search_fields = ("job_name", "actor", "reason")
    search_help_text = gettext_lazy("Part of the name of a job or of a person, or of a reason.")
    show_full_result_count = False
    change_list_template = "admin/scheduler_app/lines_change_list.html"
    sortable_by = ()
    fields = ("when", "actor", "surface", "action", "job", "run", "reason", "changed")

    class Media:
        css = {"all": ("scheduler_app/run.css",)}

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditEntry], search_term: str
    ) -> tuple[QuerySet[AuditEntry], bool]:
        """Look for the text in the newest entries: no index has parts of texts."""
        if search_term:
            newest = AuditEntry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
            queryset = queryset.filter(pk__gt=newest - LOOKED_THROUGH)
        return super().get_search_results(request, queryset, search_term)

    def page_context(self, request: HttpRequest, row: AuditEntry) -> dict[str, Any]:
        words = {"who": row.actor, "what": row.get_action_display()}
        title = _("%(who)s: %(what)s") % words
        return super().page_context(request, row) | {"title": title, "subtitle": None}

    @admin.display(description=gettext_lazy("when"))
    def when(self, entry: AuditEntry) -> str:
        return relative.clock(entry.at, timezone.now())

    @admin.display(description=gettext_lazy("person"))
    def person(self, entry: AuditEntry) -> str:
        """Show who acted, with a link to all that this person did, and through which surface."""
        address = links_of(entry).list("auditentry", actor__exact=entry.actor)
        who = formats.link(address, entry.actor)
        surface = _("through %(surface)s") % {"surface": entry.get_surface_display()}
        return format_html('{} <span class="quiet">{}</span>', who, surface)

    @admin.display(description=gettext_lazy("action"))
    def what(self, entry: AuditEntry) -> str:
        action = entry.get_action_display()
        return formats.two_lines(action, "" if entry.changed else _("changed nothing"))

    @admin.display(description=gettext_lazy("job"))
    def job(self, entry: AuditEntry) -> str:
        return formats.link(links_of(entry).job(entry.job_name), entry.job_name)

    @admin.display(description=gettext_lazy("run"))
    def run(self, entry: AuditEntry) -> str:
        run_id, _reason = split(entry)
        return formats.link(links_of(entry).run(run_id), f"#{run_id}") if run_id else formats.EMPTY

    @admin.display(description=gettext_lazy("reason"))
    def why(self, entry: AuditEntry) -> str:
        return formats.first_line(split(entry)[1])


def split(entry: AuditEntry) -> tuple[int | None, str]:
    """Return the run that was acted upon, if it was one, and the reason."""
    if entry.action not in (AuditEntry.Action.RETRY, AuditEntry.Action.CANCEL):
        return None, entry.reason
    of_run = OF_RUN.match(entry.reason)
    return (int(of_run[1]), entry.reason[of_run.end() :]) if of_run else (None, entry.reason)
