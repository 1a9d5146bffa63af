"""What people may do to the rows that a page shows: the list's actions and the page's buttons."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.text import capfirst
from django.views.decorators.http import require_POST

from scheduler_app.admin.readonly import M, ReadOnlyAdmin
from scheduler_app.control import Actor
from scheduler_app.exceptions import SchedulerError
from scheduler_app.models import Surface

MOST_TOLD = 20


class Told(NamedTuple):
    """What became of one action on one row. Rows with the same words share a message."""

    level: int
    words: str
    row: str


@dataclass(frozen=True, slots=True)
class Action:
    """What a person with the permission may do to a row; `name` is part of its address."""

    name: str
    button: str
    permission: str
    perform: Callable[[str, Actor, str], Told]
    """Does it to the row of this primary key, on the actor's behalf, for this reason."""

    def allowed(self, request: HttpRequest) -> bool:
        return request.user.has_perm(f"scheduler_app.{self.permission}")


class ReasonForm(forms.Form):
    """Why somebody acts. A text area, because Enter in an input would press the first button."""

    reason = forms.CharField(
        required=False, max_length=500, widget=forms.Textarea({"rows": 1, "cols": 60})
    )


class ActingAdmin(ReadOnlyAdmin[M]):
    """Pages that only show, with actions that go through control."""

    row_actions: tuple[Action, ...] = ()

    def useful_actions(self, row: M) -> Iterable[Action]:
        """Those of the actions that make sense for the row as it is now."""
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
        """What a button on the page of a row does."""
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
        page = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return HttpResponseRedirect(reverse(page, args=[quote(key)]))

    def buttons(self, request: HttpRequest, row: M) -> dict[str, Any]:
        """For the page's template: what this user may do to this row as it is now."""
        useful = [action for action in self.useful_actions(row) if action.allowed(request)]
        return {"buttons": useful, "reason_form": ReasonForm()}

    def act(
        self, request: HttpRequest, action: Action, keys: Iterable[str], reason: str = ""
    ) -> None:
        """Do it to each of these rows, and tell the user what became of it."""
        by = Actor(request.user.get_username(), Surface.ADMIN)
        rows: dict[tuple[int, str], list[str]] = {}
        for key in keys:
            level, words, row = _perform(action, key, by, reason)
            rows.setdefault((level, words), []).append(row)
        for (level, words), found in sorted(rows.items()):
            text = f"{words}: {some(found)}." if words else some(found, separator=" ")
            self.message_user(request, text, level)


def _perform(action: Action, key: str, by: Actor, reason: str) -> Told:
    try:
        return action.perform(key, by, reason)
    except SchedulerError as error:
        return Told(messages.ERROR, "", str(error))


def some(texts: list[str], separator: str = ", ") -> str:
    """The first of the texts, and how many there are besides."""
    told = separator.join(islice(texts, MOST_TOLD))
    untold = len(texts) - MOST_TOLD
    return f"{told}{separator}and {untold} more" if untold > 0 else told
