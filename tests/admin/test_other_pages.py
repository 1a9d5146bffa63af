"""Audit entries, nodes, and the pages that are hidden."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib import admin
from django.template import Context, Template
from django.test import Client
from django.utils import timezone
from django_apscheduler.models import DjangoJob, DjangoJobExecution
from pytest_django import Settings

from scheduler_app import control
from scheduler_app.admin.apscheduler import hide_pages
from scheduler_app.control import Actor
from scheduler_app.models import AuditEntry, Job, Node, Surface

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


@pytest.mark.parametrize(("term", "found"), [("nightly", True), ("ada", True), ("night", False)])
def test_audit_entries_are_found_by_job_or_person(
    page: Page, make_job: Callable[..., Job], term: str, found: bool
) -> None:
    make_job("nightly")
    control.pause("nightly", by=Actor("ada", Surface.GRPC))
    assert ("1 audit entry" in page("auditentry/", q=term)) == found


def test_nodes_are_alive_stopped_or_dead(page: Page) -> None:
    old = timezone.now() - timedelta(hours=2)
    Node.objects.create(name="living:1", declares=["nightly", "hourly"])
    Node.objects.create(name="stopped:2", started_at=old, stopped_at=old)
    Node.objects.create(name="dead:3", started_at=old)
    html = page("node/").replace("\xa0", " ").split("result_list")[1]
    for name, state in (("living:1", "alive"), ("stopped:2", "stopped"), ("dead:3", "dead")):
        row = html.split(name)[1].split("</tr>")[0]
        assert f">{state}</span>" in row
    assert "2 h 0 min ago" in html
    living = Node.objects.get(name="living:1")
    assert "nightly, hourly" in page(f"node/{living.pk}/change/")


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
