"""The scheduler processes, living and gone."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import (
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    QuerySet,
)
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduler_app import status
from scheduler_app.admin import formats, relative
from scheduler_app.admin.links import Links
from scheduler_app.admin.readonly import OwnList, ReadOnlyAdmin, links_of
from scheduler_app.models import Node, RunState
from scheduler_app.status.lists import HeldRun, held_runs
from scheduler_app.text import listed

SHOWN = 8
"""How many of the runs that a node holds are listed."""
MOST_STOPPED = 50


class NodeList(OwnList):
    """The schedulers that are not stopped, and below them those that are."""

    stopped: list[dict[str, str]]

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        found: QuerySet[Any] = super().get_queryset(request, exclude_parameters)
        return found.filter(stopped_at=None)

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        attach_work(self.result_list)
        stopped = self.root_queryset.exclude(stopped_at=None).order_by("-pk")
        links = Links(request)
        self.stopped_count = stopped.count()
        self.stopped = [_stopped(node, links) for node in stopped[:MOST_STOPPED]]


@admin.register(Node)
class NodeAdmin(ReadOnlyAdmin[Node]):
    list_display = ("name", "state", "holds", "free", "version", "declared", "problem", "heartbeat")
    sortable_by = ()
    show_full_result_count = False
    list_per_page = 50
    change_list_template = "admin/scheduler_app/node/change_list.html"
    fields = (
        *("name", "state", "started", "heartbeat", "stopped"),
        *("holds", "free", "version", "problem", "jobs"),
    )

    class Media:
        css = {"all": ("scheduler_app/run.css",)}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[NodeList]:
        return NodeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Node]:
        """Annotate age and liveness by the database's clock, by which heartbeats are written."""
        return (
            Node.objects.with_heartbeat()
            .with_last_problem()
            .with_number_declared()
            .defer("declares")
            .annotate(
                alive=Exists(Node.objects.alive().filter(pk=OuterRef("pk"))),
                age=ExpressionWrapper(Now() - F("heartbeat_at"), output_field=DurationField()),
            )
        )

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Node | None:
        node = super().get_object(request, object_id, from_field)
        attach_work([node] if node else [])
        return node

    def page_context(self, request: HttpRequest, row: Node) -> dict[str, Any]:
        title = _("Scheduler %(name)s") % {"name": row.name}
        return super().page_context(request, row) | {"title": title, "subtitle": None}

    @admin.display(description=gettext_lazy("state"))
    def state(self, node: Any) -> str:
        """Show whether the node is alive and, if so, whether it works."""
        if node.stopped_at:
            return formats.label("stopped")
        if not node.alive:
            return formats.label("dead")
        health = vars(node)["health"]
        if health is None or health.is_well:
            return formats.label("alive")
        since = relative.clock(health.since, timezone.now()) if health.since else ""
        told = format_html(_("since {}: {}"), since, health.problem)
        return formats.two_lines(formats.label("not working"), told)

    @admin.display(description=gettext_lazy("runs held"))
    def holds(self, node: Node) -> str:
        """Show how many it carries out and how many wait there, with links to some."""
        held: list[HeldRun] = vars(node)["held"]
        if not held:
            return formats.EMPTY
        running = sum(run.state == RunState.RUNNING for run in held)
        counts = ((running, _("running")), (len(held) - running, _("queued")))
        told = ", ".join(f"{number}{formats.NBSP}{word}" for number, word in counts if number)
        links = links_of(node)
        runs = [formats.link(links.run(run.id), f"#{run.id}") for run in held[:SHOWN]]
        if len(held) > SHOWN:
            runs.append(_("and %(number)s more") % {"number": len(held) - SHOWN})
        return formats.two_lines(told, formats.joined(runs))

    @admin.display(description=gettext_lazy("free slots"))
    def free(self, node: Node) -> str:
        """Show how many runs more it can carry out now."""
        if node.slots is None or node.stopped_at:
            return formats.EMPTY
        running = sum(run.state == RunState.RUNNING for run in vars(node)["held"])
        words = {"free": max(0, node.slots - running), "slots": node.slots}
        return _("%(free)s of %(slots)s") % words

    @admin.display(description=gettext_lazy("jobs"))
    def declared(self, node: Any) -> str:
        return str(node.declared)

    @admin.display(description=gettext_lazy("last problem"))
    def problem(self, node: Any) -> str:
        """Show why it last did not work, and when."""
        if not node.last_problem:
            return formats.EMPTY
        at = relative.clock(node.last_problem_at, timezone.now())
        return formats.two_lines(formats.first_line(node.last_problem), at)

    @admin.display(description=gettext_lazy("started"))
    def started(self, node: Node) -> str:
        return relative.clock(node.started_at, timezone.now())

    @admin.display(description=gettext_lazy("heartbeat"))
    def heartbeat(self, node: Any) -> str:
        age = formats.length(max(node.age, timedelta()))
        return _("%s ago") % age

    @admin.display(description=gettext_lazy("stopped"))
    def stopped(self, node: Node) -> str:
        return relative.clock(node.stopped_at, timezone.now()) if node.stopped_at else formats.EMPTY

    @admin.display(description=gettext_lazy("jobs in its code"))
    def jobs(self, node: Node) -> str:
        return listed(node.declares) if isinstance(node.declares, list) else formats.EMPTY


def attach_work(nodes: Iterable[Node]) -> None:
    """Give each of these nodes its health and the runs that it holds, in two queries."""
    nodes = list(nodes)
    if not nodes:
        return
    healths = {health.id: health for health in status.scheduler_health().nodes}
    held = held_runs([node.pk for node in nodes])
    for node in nodes:
        vars(node).update(health=healths.get(node.pk), held=held[node.pk])


def _stopped(node: Any, links: Links) -> dict[str, str | SafeString]:
    now = timezone.now()
    return {
        "link": formats.link(links.node(node.pk), node.name),
        "version": node.version or formats.EMPTY,
        "started": relative.clock(node.started_at, now),
        "stopped": relative.clock(node.stopped_at, now),
        "problem": formats.first_line(node.last_problem or "") or formats.EMPTY,
    }
