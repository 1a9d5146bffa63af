"""The scheduler processes, living and gone."""

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
    Subquery,
)
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.html import format_html

from scheduler_app import status
from scheduler_app.admin import formats
from scheduler_app.admin.readonly import ReadOnlyAdmin
from scheduler_app.models import Heartbeat, Node
from scheduler_app.text import listed


@admin.register(Node)
class NodeAdmin(ReadOnlyAdmin[Node]):
    list_display = ("name", "state", "started", "heartbeat", "stopped")
    sortable_by = ()
    fields = (*list_display, "jobs")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Node]:
        """Annotate age and liveness by the database's clock, by which heartbeats are written."""
        last = Heartbeat.objects.filter(node=OuterRef("pk")).newest()
        return Node.objects.with_heartbeat().annotate(
            last_problem=Subquery(last.values("problem")[:1]),
            alive=Exists(Node.objects.alive().filter(pk=OuterRef("pk"))),
            age=ExpressionWrapper(Now() - F("heartbeat_at"), output_field=DurationField()),
        )

    @admin.display(description="state")
    def state(self, node: Any) -> str:
        """Show whether the node is alive and, if so, whether it works."""
        if node.stopped_at:
            return formats.label("stopped")
        if not node.alive:
            return formats.label("dead")
        health = status.node_health(node.pk) if node.last_problem else None
        if health is None or health.is_well:
            return formats.label("alive")
        since = format_html("since {}: {}", formats.moment(health.since), health.problem)
        return formats.two_lines(formats.label("not working"), since)

    @admin.display(description="started")
    def started(self, node: Node) -> str:
        return formats.moment(node.started_at)

    @admin.display(description="last heartbeat")
    def heartbeat(self, node: Any) -> str:
        return f"{formats.length(max(node.age, timedelta()))} ago"

    @admin.display(description="stopped")
    def stopped(self, node: Node) -> str:
        return formats.moment(node.stopped_at)

    @admin.display(description="jobs in its code")
    def jobs(self, node: Node) -> str:
        return listed(node.declares)
