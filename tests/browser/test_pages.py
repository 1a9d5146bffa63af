"""Every page of the app, as it looks: axe-core finds nothing, and none is wider than its window.

A new page of the admin joins by itself: its address is found in the site's own list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db.models import Model
from django.test import Client
from django.urls import NoReverseMatch, URLPattern, URLResolver, reverse
from django.utils import timezone

from scheduler_app.models import Job, JobRun, Node, RunState
from scheduler_app.models.run import ACTIVE
from tests.browser import accessibility

if TYPE_CHECKING:
    from playwright.sync_api import Page

SignedIn = Callable[..., "Page"]
Check = Callable[["Page"], None]

APP = "scheduler_app"
WIDTHS, THEMES = (1280, 380), ("light", "dark")
OTHERS = ("index", f"app_list {APP}")
"""Pages that are not of a model: the name of the address, and its argument."""
CUSTOM: dict[str, str] = {}
"""Further pages: what is to be looked at, and its path below the admin."""
REFUSED = {302, 403, 405}
"""What an address answers that is not there to be read: Django's own pages that these rows do not
have, and those that buttons lead to."""
EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "job": [{"name": "export-accounting"}, {"name": "export-to-warehouse"}],
    "jobrun": [{"state": RunState.FAILED}, {"state": RunState.RUNNING}],
    "auditentry": [{"action": "pause"}],
}
"""Which rows are looked at; of other models the first."""
READABLE = (*OTHERS, "_changelist", *(f"_{model}_change" for model in EXAMPLES))
"""Ends of the names of addresses that must be there to be read."""


def _names(patterns: list[URLPattern | URLResolver]) -> Iterator[str]:
    """Yield the names of the app's addresses."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _names(pattern.url_patterns)
        elif pattern.name and pattern.name.startswith(f"{APP}_"):
            yield pattern.name


NAMES = sorted({*OTHERS, *_names(admin.site.get_urls()), *CUSTOM})


def _paths(name: str) -> list[str]:
    """Return the addresses of this name: of each example, if it is that of a row."""
    if name in CUSTOM:
        return [f"/admin/{CUSTOM[name]}"]
    address, _, argument = name.partition(" ")
    arguments = [[argument]] if argument else [[], *([row.pk] for row in _examples(name))]
    found = []
    for each in arguments:
        try:
            found.append(reverse(f"admin:{address}", args=each))
        except NoReverseMatch:
            continue
    assert found, f"{name} needs more arguments than a row: add it to CUSTOM"
    return found


def _examples(name: str) -> list[Model]:
    """Return rows of the model whose page this is."""
    models = {
        model._meta.model_name or "": model for model in apps.get_app_config(APP).models.values()
    }
    kinds = [kind for kind in models if name.startswith(f"{APP}_{kind}_")]
    if not kinds:
        return []
    kind = max(kinds, key=len)
    rows = models[kind]._default_manager
    found = [rows.filter(**which).first() for which in EXAMPLES.get(kind, [{}])]
    return [row for row in found if row is not None]


@pytest.fixture
def in_all_ways(axe: Check, no_sideways_scroll: Check) -> Check:
    """Look at a page in both themes, wide and narrow."""

    def _in_all_ways(page: Page) -> None:
        for width, theme in product(WIDTHS, THEMES):
            accessibility.show(page, width, 900, theme)
            no_sideways_scroll(page)
            axe(page)

    return _in_all_ways


@pytest.mark.parametrize("name", NAMES)
def test_page_is_accessible_and_fits(
    name: str, seeded: datetime, signed_in: SignedIn, in_all_ways: Check, admin_client: Client
) -> None:
    answers = {path: admin_client.get(path).status_code for path in _paths(name)}
    readable = [path for path, status in answers.items() if status == 200]
    assert readable or not name.endswith(READABLE), answers
    assert set(answers.values()) <= {200} | REFUSED, answers
    page = signed_in("admin")
    for path in readable:
        page.goto(page.url.partition("/admin/")[0] + path)
        in_all_ways(page)


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("_changelist")])
def test_what_an_action_of_a_list_leads_to_is_accessible_and_fits(
    name: str, seeded: datetime, signed_in: SignedIn, in_all_ways: Check
) -> None:
    path = reverse(f"admin:{name}").removeprefix("/admin/")
    page = signed_in("admin", path)
    for action in _actions(page):
        page.goto(page.url.partition("/admin/")[0] + f"/admin/{path}")
        page.locator("input.action-select").first.check()
        page.select_option("select[name=action]", action)
        page.get_by_role("button", name="Go").or_(page.get_by_role("button", name="Run")).click()
        assert "Server Error" not in page.title()
        in_all_ways(page)


def _actions(page: Page) -> list[str]:
    found: list[str] = page.eval_on_selector_all(
        "select[name=action] option", "options => options.map(option => option.value)"
    )
    return [action for action in found if action]


def test_every_badge_is_accessible_with_no_scheduler(
    seeded: datetime, signed_in: SignedIn, in_all_ways: Check
) -> None:
    now = timezone.now()
    Node.objects.update(stopped_at=now - timedelta(minutes=7))
    names = list(Job.objects.values_list("name", flat=True)[:3])
    Job.objects.filter(name=names[0]).update(cron="spoilt " * 20)
    Job.objects.filter(name=names[1]).update(orphaned_at=now)
    for number, state in enumerate(RunState):
        if state not in ACTIVE:
            moment = now - timedelta(seconds=number)
            JobRun.objects.create(
                job_name="x" * 100, state=state, scheduled_for=moment, due_at=moment,
                started_at=moment, finished_at=now, message="why " * 90,
            )  # fmt: skip
    page = signed_in("admin", "scheduler_app/job/")
    in_all_ways(page)
    page.goto(page.url.replace("/job/", "/jobrun/"))
    in_all_ways(page)
