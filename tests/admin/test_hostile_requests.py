"""Addresses, parameters and names that no row can have never end in an error page."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client

from scheduler_app.models import AuditEntry, Job, JobRun

pytestmark = pytest.mark.django_db
MODELS = ("auditentry", "job", "jobrun", "node", "scheduleperiod")
KEYS = ("a%00b", "%FF", "x" * 2000, "0", "-1", str(2**63), "9" * 60, "1.5", "_2F", "nope")


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("model", MODELS)
def test_page_of_no_row_leads_back(admin_client: Client, model: str, key: str) -> None:
    response = admin_client.get(f"/admin/scheduler_app/{model}/{key}/change/")
    assert response.status_code in (302, 404)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("action", ["job/{}/pause", "job/{}/trigger", "jobrun/{}/cancel"])
def test_action_on_no_row_is_a_message(admin_client: Client, action: str, key: str) -> None:
    response = admin_client.post(f"/admin/scheduler_app/{action.format(key)}/")
    assert response.status_code in (302, 404)
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("selected", ["a\0b", "9" * 60, "-1", "x", "\N{FIRE}" * 300])
@pytest.mark.parametrize(("model", "action"), [("job", "pause"), ("jobrun", "cancel")])
def test_selection_of_no_row_is_no_error_page(
    admin_client: Client, model: str, action: str, selected: str
) -> None:
    data = {"action": action, "_selected_action": selected, "index": "0"}
    response = admin_client.post(f"/admin/scheduler_app/{model}/", data)
    assert response.status_code in (200, 302)


@pytest.mark.parametrize("value", ["a%00b", "%FF", "9" * 60, "x" * 2000])
@pytest.mark.parametrize(
    "parameter", ["q", "job_name", "state", "state__exact", "trigger__exact", "p", "o", "e"]
)
@pytest.mark.parametrize("model", MODELS)
def test_parameter_that_means_nothing_is_no_error_page(
    admin_client: Client, model: str, parameter: str, value: str
) -> None:
    url = f"/admin/scheduler_app/{model}/?{parameter}={value}"
    assert admin_client.get(url).status_code in (200, 302)


@pytest.mark.parametrize("name", ["x" * 150, "\N{FIRE}" * 150])
def test_long_names_of_people_can_act(make_job: Callable[..., Job], name: str) -> None:
    make_job("nightly")
    client = Client()
    client.force_login(User.objects.create_superuser(name))
    client.post("/admin/scheduler_app/job/nightly/trigger/")
    assert JobRun.objects.get().requested_by == AuditEntry.objects.get().actor == name


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "\ud800", "a\nb"])
def test_any_name_of_a_custom_user_can_act(
    admin_client: Client, make_job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    make_job("nightly")
    monkeypatch.setattr(User, "get_username", lambda self: name)
    for action in ("pause", "trigger"):
        admin_client.post(f"/admin/scheduler_app/job/nightly/{action}/")
    assert AuditEntry.objects.count() == 2
    monkeypatch.undo()  # Django's own head of the page has the name, too
    page = admin_client.get("/admin/scheduler_app/auditentry/")
    assert page.status_code == 200
