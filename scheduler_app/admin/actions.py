"""What people may do to the rows that a page shows: the list's actions and the page's buttons."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.functional import Promise
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.text import capfirst
from django.views.decorators.http import require_POST

from scheduler_app.admin.banner import obstacle
from scheduler_app.admin.readonly import M, ReadOnlyAdmin
from scheduler_app.control import BATCH, REASON_LIMIT, Actor
from scheduler_app.exceptions import SchedulerError
from scheduler_app.models import Surface
from scheduler_app.models.faults import fault_of
from scheduler_app.text import listed

logger = logging.getLogger(__name__)

REQUEST_TIME = 20.0
"""Seconds after which a request begins no further batch: web servers end long requests."""


class ActionResult(NamedTuple):
    """What became of one action on one row. Rows with the same words share a message."""

    level: int
    words: str
    row: str
    needs_scheduler: bool = False
    """What was asked for happens only once a scheduler works."""


@dataclass(frozen=True, slots=True)
class Action:
    """What a person with the permission may do to a row; `name` is part of its address."""

    name: str
    button: str | Promise
    permission: str
    perform: Callable[[list[str], Actor, str], Iterable[ActionResult]]
    """Acts on the rows of these primary keys in one transaction, for this actor and reason."""

    def allowed(self, request: HttpRequest) -> bool:
        return request.user.has_perm(f"scheduler_app.{self.permission}")


class ReasonForm(forms.Form):
    """Why a person acts. A text area, because Enter in an input would press the first button."""

    reason = forms.CharField(
        required=False, max_length=REASON_LIMIT, widget=forms.Textarea({"rows": 1, "cols": 60})
    )


class ActingAdmin(ReadOnlyAdmin[M]):
    """Pages that show rows, with actions that go through control."""

    row_actions: tuple[Action, ...] = ()

    def useful_actions(self, row: M) -> Iterable[Action]:
        """Return the actions that make sense for the row as it is now."""
        return self.row_actions

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        # Django would overlook an action that the user may not perform, and show the list again.
        asked = request.POST.getlist("action")
        if any(action.name in asked and not action.allowed(request) for action in self.row_actions):
            raise PermissionDenied
        return super().changelist_view(request, extra_context)

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(
                f"<path:object_id>/{action.name}/",
                self.admin_site.admin_view(require_POST(partial(self.action_view, action))),
                name=f"{self.opts.app_label}_{self.opts.model_name}_{action.name}",
            )
            for action in self.row_actions
        ]
        return own + super().get_urls()

    def action_view(self, action: Action, request: HttpRequest, object_id: str) -> HttpResponse:
        """Carry out the action of a button on the page of a row."""
        if not (self.has_view_permission(request) and action.allowed(request)):
            raise PermissionDenied
        key = unquote(object_id)
        form = ReasonForm(request.POST)
        if self.get_object(request, key) is None:
            text = f"{capfirst(self.opts.verbose_name)} not found: {key}"
            self.message_user(request, text, messages.ERROR)
        elif form.is_valid():
            self.act(request, action, [key], form.cleaned_data["reason"])
        else:
            self.message_user(request, " ".join(map(str, form.errors["reason"])), messages.ERROR)
        return HttpResponseRedirect(asked_page(request) or self._row_page(key))

    def _row_page(self, key: str) -> str:
        page = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return reverse(page, args=[quote(key)], current_app=self.admin_site.name)

    def page_context(self, request: HttpRequest, row: M) -> dict[str, Any]:
        """Add buttons for what this user may do to this row as it is now."""
        useful = [action for action in self.useful_actions(row) if action.allowed(request)]
        buttons = {"buttons": useful, "reason_form": ReasonForm()}
        return super().page_context(request, row) | buttons

    def act(
        self, request: HttpRequest, action: Action, keys: Iterable[str], reason: str = ""
    ) -> None:
        """Do it to each of these rows, and tell the user what became of it."""
        by = Actor(request.user.get_username(), Surface.ADMIN)
        rows: dict[tuple[int, str, bool], list[str]] = {}
        for level, words, row, needs_scheduler in _perform(action, list(keys), by, reason):
            rows.setdefault((level, words, needs_scheduler), []).append(row)
        waits = obstacle() if any(needs_scheduler for _, _, needs_scheduler in rows) else ""
        for (level, words, needs_scheduler), found in sorted(rows.items()):
            if waits and needs_scheduler:
                level, words = messages.WARNING, f"{words}, but {waits}"
            text = f"{words}: {listed(found)}." if words else listed(found, separator=" ")
            self.message_user(request, text, level)


def asked_page(request: HttpRequest) -> str:
    """Return the page of this site on which the button was; empty: that of the row itself."""
    asked = request.POST.get("next", "")
    hosts, secure = {request.get_host()}, request.is_secure()
    is_ours = url_has_allowed_host_and_scheme(asked, allowed_hosts=hosts, require_https=secure)
    return asked if is_ours else ""


def _perform(action: Action, keys: list[str], by: Actor, reason: str) -> Iterator[ActionResult]:
    """Do it batch by batch, until all is done, one fails, or the request has lasted too long."""
    begun = time.monotonic()
    for start in range(0, len(keys), BATCH):
        if time.monotonic() - begun > REQUEST_TIME:
            why = "One request cannot do more; repeat the action. Not done"
            yield from (ActionResult(messages.ERROR, why, key) for key in keys[start:])
            return
        try:
            yield from action.perform(keys[start : start + BATCH], by, reason)
        except (SchedulerError, DatabaseError, InterfaceError) as error:
            logger.warning("%s in the admin failed", action.name, exc_info=error)
            why = f"{refusal(error)} Not done"
            yield from (ActionResult(messages.ERROR, why, key) for key in keys[start:])
            return


def refusal(error: Exception) -> str:
    """Return why an action was not done."""
    return str(error) if isinstance(error, SchedulerError) else fault_of(error).value
