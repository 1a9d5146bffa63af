"""Pages on which a person acts on one job: a form that says what it will do, with a preview where
that is not plain; then control does it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, InterfaceError
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from scheduler_app import control
from scheduler_app.admin import formats, relative
from scheduler_app.admin.actions import asked_page, refusal
from scheduler_app.admin.banner import obstacle
from scheduler_app.admin.job_actions import (
    PAUSE,
    RESUME,
    TRIGGER,
    JobActions,
)
from scheduler_app.admin.job_columns import shown_of, status_of
from scheduler_app.admin.job_forms import (
    ActForm,
    BackfillForm,
    EditForm,
    PauseForm,
    ResumeForm,
    RunForm,
    hidden,
)
from scheduler_app.admin.job_page import job_zone, occurrence
from scheduler_app.admin.job_words import label, policy_rows, value_words
from scheduler_app.admin.readonly import ReadOnlyAdmin
from scheduler_app.control import Actor, Setting
from scheduler_app.cron import Schedule, Uncomputable
from scheduler_app.exceptions import CronError, RequestError, SchedulerError
from scheduler_app.explain.preview import preview
from scheduler_app.models import Job, Surface
from scheduler_app.models.override import OVERRIDABLE
from scheduler_app.policies import CatchUp
from scheduler_app.status import JobStatus

FIRES, LISTED = 10, 20
PREVIEW, CONFIRM = "_preview", "_confirm"


@dataclass
class Act:
    """One way to act on one job: its form, what it shows, and what it does."""

    name: str
    permission: str
    title: Callable[[Job], str]
    form: Callable[..., Form]
    """Made with the data of the request, if any, for this job."""
    perform: Callable[[Job, Any, Actor], tuple[int, str]]
    """Does it through control; returns the message and its level."""
    plan: Callable[[Job, Any], dict[str, Any]] = field(default=lambda job, form: {})
    """Returns what the page shows of the consequences, for a form that is valid."""
    intro: Callable[[Job], dict[str, Any]] = field(default=lambda job: {})
    has_preview: bool = False
    """Nothing is done before the consequences have been shown."""
    useful: Callable[[JobStatus], bool] = field(default=lambda status: True)
    submit: Any = ""
    """What the button says that does it, and the one that leads here."""
    button: Any = ""
    has_moments: bool = False
    """Its form asks for moments."""
    ends_the_job: bool = False
    """Afterwards there is no page of the job."""

    @property
    def crumb(self) -> str:
        return str(self.button).removesuffix("...")

    def allowed(self, request: HttpRequest) -> bool:
        return request.user.has_perm(f"scheduler_app.{self.permission}")


class JobPages(JobActions):
    """A page for each way to act on a job."""

    def get_urls(self) -> list[URLPattern]:
        of_one = [
            path(
                f"<path:object_id>/{act.name}/",
                self.admin_site.admin_view(self._view_of(act)),
                name=f"scheduler_app_job_{act.name}",
            )
            for act in ACTS
        ]
        return [*self.urls_of_many(), *of_one, *ReadOnlyAdmin.get_urls(self)]

    def _view_of(self, act: Act) -> Callable[..., HttpResponse]:
        def view(request: HttpRequest, object_id: str) -> HttpResponse:
            return self.act_page(act, request, object_id)

        return view

    def act_page(self, act: Act, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show the form, or what it would do, or do it."""
        if not (self.has_view_permission(request) and act.allowed(request)):
            raise PermissionDenied
        key = unquote(object_id)
        job = self.get_object(request, key)
        if job is None:
            text = _("%(what)s not found: %(key)s")
            what = capfirst(self.opts.verbose_name)
            self.message_user(request, text % {"what": what, "key": key}, messages.ERROR)
            return HttpResponseRedirect(self._row_page(key))
        with timezone.override(job_zone(job.timezone)):
            if request.method != "POST":
                return self._show(act, request, job, act.form(job, None, request.GET))
            form = act.form(job, request.POST, None)
            if not form.is_valid():
                return self._show(act, request, job, form)
            return self._answer(act, request, job, form)

    def _answer(self, act: Act, request: HttpRequest, job: Job, form: Form) -> HttpResponse:
        is_preview = PREVIEW in request.POST or (act.has_preview and CONFIRM not in request.POST)
        try:
            if is_preview:
                return self._show(act, request, job, form, plan=act.plan(job, form))
            by = Actor(request.user.get_username(), Surface.ADMIN)
            level, text = act.perform(job, form, by)
        except (SchedulerError, DatabaseError, InterfaceError) as error:
            form.add_error(field_of(error, form), refusal(error))
            return self._show(act, request, job, form)
        self.message_user(request, text, level)
        page = self._list_page() if act.ends_the_job else self._row_page(job.name)
        return HttpResponseRedirect(asked_page(request) or page)

    def _show(
        self,
        act: Act,
        request: HttpRequest,
        job: Job,
        form: Form,
        plan: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": act.title(job),
            "opts": self.opts,
            "media": self.media,
            "original": job,
            "act": act,
            "form": form,
            "zone": job_zone(job.timezone).key,
            "zones": sorted(available_timezones()) if act.name == "edit" else (),
            "plan": plan,
            "hidden": hidden(form) if plan else {},
            "status": status_of(job),
            **act.intro(job),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "scheduler_app/admin/job_act.html", context).render()

    def _list_page(self) -> str:
        return reverse("admin:scheduler_app_job_changelist", current_app=self.admin_site.name)

    def buttons(self, request: HttpRequest, job: Job) -> list[Act]:
        """Return what this user may do to this job as it is now."""
        status = status_of(job)
        return [act for act in ACTS if act.allowed(request) and act.useful(status)]


def field_of(error: Exception, form: Form) -> str | None:
    """Return the field of the form that the error is about, as far as it says so."""
    if isinstance(error, RequestError) and error.field in form.fields:
        return error.field
    if isinstance(error, CronError) and "cron" in form.fields:
        return "timezone" if str(error).startswith("Unknown time zone") else "cron"
    words = str(error).split()[:2]
    return words[1] if len(words) == 2 and words[0] == "Bad" and words[1] in form.fields else None


def needs_scheduler(text: str) -> tuple[int, str]:
    """Return the message of what happens only once a scheduler works."""
    waits = obstacle()
    return (messages.WARNING, f"{text}, but {waits}.") if waits else (messages.SUCCESS, f"{text}.")


# Pause


def _pause(job: Job, form: Form, by: Actor) -> tuple[int, str]:
    chosen = form.cleaned_data
    is_new = control.pause(job.name, by=by, reason=chosen["reason"], until=chosen["until"])
    if not is_new:
        return messages.WARNING, f"{_('Paused already')}: {job.name}."
    return messages.SUCCESS, f"{_('Paused')}: {job.name}."


# Resume


def _resume(job: Job, form: Form, by: Actor) -> tuple[int, str]:
    chosen = form.cleaned_data
    is_new = control.resume(job.name, by=by, reason=chosen["reason"], catch_up=chosen["catch_up"])
    if not is_new:
        return messages.WARNING, f"{_('Not paused')}: {job.name}."
    level, text = needs_scheduler(_("Resumed"))
    return level, _about(text, job)


def _about(text: str, job: Job) -> str:
    return f"{text.removesuffix('.')}: {job.name}."


def _resume_form(job: Job, data: Any, _initial: Any) -> Form:
    form = ResumeForm(data, initial={"catch_up": CatchUp.SKIP})
    plan = control.plan_resume(job.name, CatchUp.ALL)
    due, now = plan.caught_up, shown_of(job).now
    number = len(due)
    all_of_them = ngettext("run it", "run all %d", number) % number if number != 1 else _("run it")
    latest = relative.plain_clock(due[-1], now, job_zone(job.timezone)) if due else ""
    form.fields["catch_up"].choices = [  # type: ignore[attr-defined]
        (CatchUp.SKIP, _("run none of them") if due else _("none was due")),
        *([(CatchUp.ONCE, _("run the latest, of %s") % latest)] if number > 1 else []),
        *([(CatchUp.ALL, f"{all_of_them}{_expected(job, number)}")] if due else []),
    ]
    if data is not None:  # whatever the page offered when it was made
        form.fields["catch_up"].choices = CatchUp.choices  # type: ignore[attr-defined]
    return form


def _resume_intro(job: Job) -> dict[str, Any]:
    plan, now, zone = control.plan_resume(job.name), shown_of(job).now, job_zone(job.timezone)
    if plan.next_run is None:
        return {"lines": [_("It does not fire again by itself.")]}
    at = relative.plain_clock(plan.next_run, now, zone)
    wait = relative.rough(plan.next_run - now)
    told = _("It will fire next in %(wait)s, at %(at)s.")
    return {"lines": [told % {"wait": wait, "at": at}]}


def _expected(job: Job, number: int) -> str:
    """Return how long so many runs take one after the other, as far as that is known."""
    usual = shown_of(job).comparison.usual
    return f", {_('about %s') % formats.length(usual * number)}" if usual and number else ""


# Run now


def _run(job: Job, form: Form, by: Actor) -> tuple[int, str]:
    chosen = form.cleaned_data
    control.trigger(
        job.name,
        by=by,
        reason=chosen["reason"],
        arguments=chosen["arguments"],
        overlap=chosen["overlap"] or None,
    )
    level, text = needs_scheduler(_("Queued, to run as soon as possible"))
    return level, _about(text, job)


# Run a period


def _backfill_form(job: Job, data: Any, initial: Mapping[str, str] | None) -> Form:
    return BackfillForm(data, initial=_span((initial or {}).get("span", "")))


def _span(text: str) -> dict[str, Any]:
    """Return the period that a link on the page of the job names, in seconds since the epoch."""
    begin, _dash, end = text.partition("-")
    try:
        since, until = (datetime.fromtimestamp(int(each), UTC) for each in (begin, end))
    except (ValueError, OverflowError, OSError):
        return {}
    return {"since": since, "until": until}


def _backfill_plan(job: Job, form: Form) -> dict[str, Any]:
    chosen = form.cleaned_data
    moments = control.plan_backfill(
        job.name,
        chosen["since"],
        chosen["until"],
        include_succeeded=chosen["include_succeeded"],
    )
    number, zone = len(moments), job_zone(job.timezone)
    words = ngettext("%d occurrence will run", "%d occurrences will run", number) % number
    return {
        "words": f"{words}{_expected(job, number)}.",
        "moments": [occurrence(moment, zone) for moment in moments[:LISTED]],
        "more": max(number - LISTED, 0),
        "can_confirm": bool(moments),
    }


def _backfill(job: Job, form: Form, by: Actor) -> tuple[int, str]:
    chosen = form.cleaned_data
    runs = control.backfill(
        job.name,
        chosen["since"],
        chosen["until"],
        by=by,
        reason=chosen["reason"],
        include_succeeded=chosen["include_succeeded"],
    )
    if not runs:
        return messages.WARNING, _("Nothing to run in this period.")
    text = ngettext("%d run is queued", "%d runs are queued", len(runs)) % len(runs)
    level, told = needs_scheduler(text)
    return level, _about(told, job)


# Edit and revert


@dataclass(frozen=True)
class Side:
    """One side of the comparison: what is in force, or would be."""

    title: str
    words: str
    code: str
    fires: list[tuple[str, str]]


def _edit_plan(job: Job, form: EditForm) -> dict[str, Any]:
    changed = form.changes()
    new = control.plan_override(job.name, form.values())
    return _sides(job, new, _("New")) | {
        "changes": [
            (capfirst(label(name)), value_words(form.in_force[name]), value_words(value))
            for name, value in changed.items()
        ],
        "can_confirm": bool(changed),
        "words": "" if changed else _("Nothing is changed."),
    }


def _sides(job: Job, new: Setting, title: str) -> dict[str, Any]:
    """Return the next occurrences of what is in force and of the other, side by side; and the
    policies that differ, in words."""
    now = shown_of(job).now
    old_words, new_words = policy_rows(job.policies), policy_rows(new.policies)
    is_other = job.schedule != new.schedule
    sides = [side(_("In force"), job.schedule, now), side(title, new.schedule, now)]
    return {
        "sides": sides if is_other else [],
        "policies": [
            (before.name, before.words, after.words)
            for before, after in zip(old_words, new_words, strict=True)
            if before.words != after.words
        ],
    }


def side(title: str, schedule: Schedule, now: datetime) -> Side:
    fires = schedule.compute()
    code = formats.schedule(schedule.expression, schedule.timezone)
    if isinstance(fires, Uncomputable):
        return Side(title, fires.text, code, [])
    zone = ZoneInfo(schedule.timezone)
    following = preview(fires, now, FIRES)
    told = [(occurrence(each.fire.scheduled_for, zone), each.note) for each in following]
    return Side(title, fires.explain(), code, told)


def _edit(job: Job, form: EditForm, by: Actor) -> tuple[int, str]:
    chosen = form.cleaned_data
    changes = form.changes()
    if not changes:
        return messages.WARNING, _("Nothing is changed.")
    control.override(job.name, changes, by=by, reason=chosen["reason"], etag=chosen["etag"])
    return messages.SUCCESS, _("Changed, and in force: %s.") % job.name


def _revert_intro(job: Job) -> dict[str, Any]:
    status = status_of(job)
    declared = {name: value for name, value in status.declared.items() if name in status.overrides}
    values = {name: declared.get(name, getattr(job, name)) for name in OVERRIDABLE}
    try:
        sides = _sides(job, control.plan_override(job.name, values), _("What the code declares"))
    except SchedulerError as error:
        return {"lines": [str(error)]}
    changes = [
        (capfirst(label(name)), value_words(value), value_words(declared.get(name)))
        for name, value in status.overrides.items()
    ]
    return {"standing": sides | {"changes": changes}}


def _revert(job: Job, form: Form, by: Actor) -> tuple[int, str]:
    control.revert(job.name, by=by, reason=form.cleaned_data["reason"])
    return messages.SUCCESS, _("As the code declares again: %s.") % job.name


# Delete


def _delete(job: Job, form: Form, by: Actor) -> tuple[int, str]:
    control.delete(job.name, by=by, reason=form.cleaned_data["reason"])
    return messages.SUCCESS, _("Deleted: %s. Its history stays.") % job.name


ACTS = (
    Act(
        "trigger",
        TRIGGER.permission,
        lambda job: _("Run %s now") % job.name,
        lambda job, data, initial: RunForm(data, name=job.name),
        _run,
        useful=lambda status: not status.is_orphaned,
        submit=gettext_lazy("Run now"),
        button=gettext_lazy("Run now..."),
    ),
    Act(
        "pause",
        PAUSE.permission,
        lambda job: _("Pause %s") % job.name,
        lambda job, data, initial: PauseForm(data),
        _pause,
        useful=lambda status: not status.is_paused,
        submit=gettext_lazy("Pause"),
        has_moments=True,
        button=gettext_lazy("Pause..."),
    ),
    Act(
        "resume",
        RESUME.permission,
        lambda job: _("Resume %s") % job.name,
        _resume_form,
        _resume,
        intro=_resume_intro,
        useful=lambda status: status.is_paused,
        submit=gettext_lazy("Resume"),
        button=gettext_lazy("Resume..."),
    ),
    Act(
        "backfill",
        TRIGGER.permission,
        lambda job: _("Run a period of %s") % job.name,
        _backfill_form,
        _backfill,
        plan=_backfill_plan,
        has_preview=True,
        useful=lambda status: not status.is_orphaned,
        submit=gettext_lazy("Run them"),
        has_moments=True,
        button=gettext_lazy("Run a period..."),
    ),
    Act(
        "edit",
        "change_job",
        lambda job: _("Edit %s") % job.name,
        lambda job, data, initial: EditForm(data, status=status_of(job)),
        _edit,
        plan=_edit_plan,
        has_preview=True,
        submit=gettext_lazy("Save"),
        button=gettext_lazy("Edit..."),
    ),
    Act(
        "revert",
        "change_job",
        lambda job: _("Revert %s to the code") % job.name,
        lambda job, data, initial: ActForm(data),
        _revert,
        intro=_revert_intro,
        useful=lambda status: bool(status.overrides),
        submit=gettext_lazy("Revert"),
        button=gettext_lazy("Revert..."),
    ),
    Act(
        "remove",
        "delete_job",
        lambda job: _("Delete %s") % job.name,
        lambda job, data, initial: ActForm(data),
        _delete,
        intro=lambda job: {"lines": [_("Its schedule and counters are deleted; its runs stay.")]},
        useful=lambda status: status.is_orphaned or status.is_added,
        submit=gettext_lazy("Delete"),
        button=gettext_lazy("Delete..."),
        ends_the_job=True,
    ),
)
"""The button of each is on the page of the job."""
