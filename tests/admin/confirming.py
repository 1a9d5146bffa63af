"""What a person does on the page that asks before many jobs are changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.test import Client

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as HttpResponse

JOBS = "/admin/scheduler_app/job/"


def asked(client: Client, action: str, *names: str, query: str = "", **data: str) -> HttpResponse:
    """Choose the action for the ticked jobs of the list; return the page that asks."""
    ticked = {"action": action, "_selected_action": names, "index": "0"} | data
    return client.post(f"{JOBS}{query}", ticked)


def confirm(client: Client, page: HttpResponse, **fields: str) -> HttpResponse:
    """Press the button of the page that asks."""
    context = page.context
    sent = {"names": context["all_names"], "query": context["query"]} | fields
    return client.post(context["address"], sent, follow=True)


def act_on_jobs(client: Client, action: str, *names: str, **fields: str) -> HttpResponse:
    """Do both."""
    page = asked(client, action, *names)
    return confirm(client, page, **fields) if page.status_code == 200 else page
