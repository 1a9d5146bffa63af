"""Audit entries, nodes, and the pages that are hidden."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.template import Context, Template
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_apscheduler.models import DjangoJob, DjangoJobExecution
from pytest_django import Settings

from scheduler_app import control
from scheduler_app.admin import audit
from scheduler_app.admin.apscheduler import hide_pages
from scheduler_app.control import Actor
from scheduler_app.models import (
    AuditEntry,
    Heartbeat,
    Job,
    JobRun,
    Node,
    RunState,
    Surface,
)
from scheduler_app.models.heartbeat import STOPPING
from tests.admin.conftest import questions

pytestmark = pytest.mark.django_db
Page = Callable[..., str]


def test_audit_entry_says_who_what_why_and_through_which_door(
    page: Page, make_job: Callable[..., Job]
) -> None:
    make_job("nightly")
    control.pause("nightly", by=Actor("ada", Surface.GRPC), reason="<b>maintenance</b>")
    html = page("auditentry/")
    for text in ("ada", "gRPC", "pause", "nightly", "&lt;b&gt;maintenance&lt;/b&gt;"):
        assert text in html
    entry = AuditEntry.objects.get()
    assert "&lt;b&gt;maintenance" in page(f"auditentry/{entry.pk}/change/")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "nightly"}, True), ({"q": "GHT"}, True), ({"q": "ada"}, True), ({"q": "tena"}, True),
        ({"q": "other"}, False), ({"actor__exact": "ada"}, True), ({"actor__exact": "ad"}, False),
        ({"within": "12h"}, True), ({"at__lt": "2020-01-01T00:00"}, False),
        ({"at__gte": "2020-01-01"}, True), ({"action__exact": "pause"}, True),
        ({"action__exact": "cancel"}, False), ({"surface__exact": "grpc"}, True),
        ({"surface__exact": "cli"}, False),
    ],
)  # fmt: skip
def test_audit_entries_are_found(
    page: Page, make_job: Callable[..., Job], query: dict[str, str], found: bool
) -> None:
    make_job("nightly")
    control.pause("nightly", by=Actor("ada", Surface.GRPC), reason="maintenance")
    html = page("auditentry/", **query)
    assert ("1 audit entry" in html) == found
    assert 'class="filter-line"' in html


def test_text_is_looked_for_in_the_newest_audit_entries(
    page: Page, make_job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_job("nightly")
    for _ in range(3):
        control.trigger("nightly", by=Actor("ada", Surface.CLI))
        JobRun.objects.all().delete()
    monkeypatch.setattr(audit, "LOOKED_THROUGH", 2)
    assert "2 audit entries" in page("auditentry/", q="nightly")
    assert "3 audit entries" in page("auditentry/")


def test_audit_entry_of_a_run_leads_to_the_run(page: Page, make_job: Callable[..., Job]) -> None:
    make_job("nightly")
    run = control.trigger("nightly", by=Actor("ada", Surface.CLI), reason="Run 12. no link")
    assert "/jobrun/12/" not in page("auditentry/")
    control.cancel(run.pk, by=Actor("<ada>", Surface.CLI), reason="wrong <i>")
    html = page("auditentry/")
    assert f'<a href="/admin/scheduler_app/jobrun/{run.pk}/change/">#{run.pk}</a>' in html
    assert "wrong &lt;i&gt;" in html
    assert "actor__exact=%3Cada%3E" in html
    entry = AuditEntry.objects.latest("pk")
    entry_page = page(f"auditentry/{entry.pk}/change/")
    assert f"/jobrun/{run.pk}/change/" in entry_page
    assert "<h1>&lt;ada&gt;: cancel a run</h1>" in entry_page


def row_of(html: str, name: str) -> str:
    return html.partition("result_list")[2].partition(f">{name}<")[2].partition("</tr>")[0]


def test_nodes_are_alive_or_dead_and_stopped_ones_folded(page: Page) -> None:
    old = timezone.now() - timedelta(hours=2)
    Node.objects.create(name="living:1", declares=["nightly", "hourly"])
    Node.objects.create(name="stopped:2", started_at=old, stopped_at=old)
    Node.objects.create(name="dead:3", started_at=old)
    html = page("node/").replace("\xa0", " ")
    assert ">alive</span>" in row_of(html, "living:1")
    assert ">dead</span>" in row_of(html, "dead:3")
    assert "2 h 0 min ago" in row_of(html, "dead:3")
    table, _, folded = html.partition("result_list")[2].partition("</table>")
    assert "stopped:2" not in table
    assert "<summary>1 stopped scheduler</summary>" in folded
    assert "stopped:2" in folded
    living = Node.objects.get(name="living:1")
    assert "nightly, hourly" in page(f"node/{living.pk}/change/")
    stopped = Node.objects.get(name="stopped:2")
    assert ">stopped</span>" in page(f"node/{stopped.pk}/change/")


def test_node_says_what_it_holds_and_what_it_has_room_for(page: Page, make_run: Any) -> None:
    node = Node.objects.create(name="here:1", version="1.2.3", slots=5, declares=["a", "b", "c"])
    running = [make_run("nightly", RunState.RUNNING, n, node=node) for n in range(10, 13)]
    make_run("nightly", RunState.QUEUED, 20, node=node)
    make_run("nightly", node=node)
    html = page("node/").replace("\xa0", " ")
    row = row_of(html, "here:1")
    for text in ("3 running, 1 queued", "2 of 5", "1.2.3", '<td class="field-declared">3</td>'):
        assert text in row
    assert f'/jobrun/{running[0].pk}/change/">#{running[0].pk}</a>' in row


def test_node_says_why_it_last_did_not_work_and_when(page: Page) -> None:
    node = Node.objects.create(name="here:1")
    at = timezone.now() - timedelta(minutes=5)
    Heartbeat.objects.create(node=node, at=at, problem="every claim fails: <b>")
    Heartbeat.objects.create(node=node, problem=STOPPING)
    Heartbeat.objects.create(node=node)
    row = row_of(page("node/"), "here:1")
    assert "every claim fails: &lt;b&gt;" in row
    assert f"{at:%H:%M}" in row
    assert ">alive</span>" in row


@pytest.mark.parametrize("declares", [{}, "text", 7, {"a": 1}])
def test_node_with_a_spoilt_list_of_jobs_is_no_error_page(page: Page, declares: object) -> None:
    node = Node.objects.create(name="here:1", declares=declares)
    page("node/")
    page(f"node/{node.pk}/change/")


def test_number_of_queries_for_nodes_does_not_depend_on_their_number(
    page: Page, make_run: Any
) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as captured:
            page("node/")
        return len(questions(captured))

    def fill(numbers: range) -> None:
        for number in numbers:
            node = Node.objects.create(name=f"here:{number}")
            Heartbeat.objects.create(node=node, problem="boom")
            make_run("nightly", RunState.RUNNING, number, node=node)
            Node.objects.create(name=f"gone:{number}", stopped_at=timezone.now())

    fill(range(2))
    few = asked()
    fill(range(2, 30))
    assert asked() == few <= 12


def test_number_of_queries_for_audit_entries_does_not_depend_on_their_number(
    page: Page, make_job: Callable[..., Job]
) -> None:
    def asked(**query: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            page("auditentry/", **query)
        return len(questions(captured))

    def fill(numbers: range) -> None:
        for number in numbers:
            make_job(f"job-{number}")
            control.trigger(f"job-{number}", by=Actor(f"ada-{number}", Surface.CLI))

    fill(range(2))
    few = asked()
    fill(range(2, 30))
    assert asked() == few <= 12
    assert asked(q="job", within="24h") <= 12


def test_periods_are_not_in_the_sidebar_but_have_their_pages(
    page: Page, admin_client: Client
) -> None:
    assert "scheduleperiod" not in admin_client.get("/admin/").content.decode()
    assert "scheduleperiod" not in page("")
    assert "<h1>Schedule periods</h1>" in page("scheduleperiod/")


@pytest.mark.parametrize(
    ("path", "title"),
    [("jobrun/", "Runs"), ("node/", "Nodes"), ("auditentry/", "Audit entries")],
)
def test_title_of_a_list_says_what_it_lists(page: Page, path: str, title: str) -> None:
    assert f"<title>{title} |" in page(path)


@pytest.mark.parametrize("model", ["auditentry", "job", "jobrun", "node", "scheduleperiod"])
def test_no_link_stands_in_another(page: Page, make_job: Callable[..., Job], model: str) -> None:
    make_job("nightly")
    Node.objects.create(name="living:1")
    control.trigger("nightly", by=Actor("ada", Surface.CODE))
    control.pause("nightly", by=Actor("ada", Surface.CODE))
    html = page(f"{model}/")
    assert f"/admin/scheduler_app/{model}/" in html.split("result_list")[1]
    assert not re.search(r"<a\b[^>]*>(?:(?!</a>).)*<a\b", html, re.DOTALL)


@pytest.mark.parametrize("model", ["auditentry", "node", "scheduleperiod"])
def test_nothing_can_be_added_by_hand(admin_client: Client, model: str) -> None:
    assert admin_client.get(f"/admin/scheduler_app/{model}/add/").status_code == 403


@pytest.mark.parametrize("model", ["auditentry", "node", "scheduleperiod"])
def test_page_needs_its_own_permission(staff: Callable[..., Client], model: str) -> None:
    assert staff("view_job").get(f"/admin/scheduler_app/{model}/").status_code == 403


def test_pages_of_django_apscheduler_are_hidden(admin_client: Client) -> None:
    for model in ("djangojob", "djangojobexecution"):
        assert admin_client.get(f"/admin/django_apscheduler/{model}/").status_code == 404
    index = admin_client.get("/admin/").content.decode()
    assert "django_apscheduler" not in index
    assert "/admin/scheduler_app/job/" in index


def test_setting_keeps_the_pages_of_django_apscheduler(settings: Settings) -> None:
    settings.SCHEDULER = {"apscheduler_admin": True}
    site = admin.AdminSite()
    hide_pages(site)
    site.register(DjangoJob)
    hide_pages(site)
    assert site.is_registered(DjangoJob)
    settings.SCHEDULER = {}
    hide_pages(site)
    assert not site.is_registered(DjangoJob)


def test_pages_of_django_apscheduler_stay_hidden_when_it_is_discovered_later() -> None:
    admin.autodiscover()
    assert not admin.site.is_registered(DjangoJob)
    assert not admin.site.is_registered(DjangoJobExecution)


def test_banner_of_a_template_that_is_rendered_without_a_request_is_empty() -> None:
    source = "{% load scheduler_app %}[{% scheduler_state %}]"
    assert Template(source).render(Context()).replace("\n", "") == "[]"
