"""All that the page of a run shows."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _

from scheduler_app.admin import formats
from scheduler_app.admin.links import Links
from scheduler_app.admin.run_bar import Bar, Usual, run_bar
from scheduler_app.admin.run_columns import (
    attach_interruptions,
    badge,
    interruption,
    origin,
)
from scheduler_app.admin.run_words import outcome, remarks
from scheduler_app.explain.comparison import share
from scheduler_app.explain.frames import Part, parts
from scheduler_app.explain.hanging import RECENT, hanging_beside
from scheduler_app.metadata import Progress, read_progress
from scheduler_app.models import JobRun, RunState, Trigger
from scheduler_app.models.run import ACTIVE
from scheduler_app.status import lists
from scheduler_app.status.progress import said
from scheduler_app.status.usual import NOTHING, usual
from scheduler_app.text import clause

TAIL = 200
"""How many lines of the log of a running run are shown: the last."""


@dataclass(frozen=True, slots=True)
class Fact:
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Try:
    """Another attempt at the same."""

    address: str
    number: str
    badge: str
    began: str
    took: str
    why: str
    is_this: bool


@dataclass(frozen=True, slots=True)
class Gauge:
    """How far the run is, as it said. Numbers are text, which is written alike in every
    language."""

    percent: str
    """Empty: it is not known of how much."""
    words: str


@dataclass(frozen=True, slots=True)
class RunPage:
    css: str
    outcome: str
    badge: str
    remarks: list[str]
    advice: str
    bar: Bar
    facts: list[Fact]
    message: str
    """The error or reason, if the outcome does not say all of it."""
    traceback: list[Part]
    values: list[Fact]
    progress: Gauge | None
    log: str
    log_has_more: bool
    is_live: bool
    tries: list[Try]
    before: str
    after: str
    runs: str
    """The address of all runs of the job."""


def run_page(request: HttpRequest, run: JobRun) -> RunPage:
    """Return what the page of this run shows now."""
    # Not the database's clock, which takes a query; so this one may be behind it.
    now = max(timezone.now(), run.started_at or run.created_at)
    links = Links(request)
    typical = _usual(run.job_name)
    advice = _advice(run, typical, now)
    css = "interrupted" if interruption(run) else str(run.state)
    before, after = lists.neighbours(run)
    is_live = run.state in ACTIVE
    told = said(run)
    log, has_more = _tail(told.log) if is_live else (told.log, False)
    return RunPage(
        css=css,
        outcome=outcome(run, now),
        badge=badge(run),
        remarks=remarks(run, _later(run), None if advice else typical, now, links),
        advice=advice,
        bar=run_bar(run, css, typical, now),
        facts=_facts(run, links),
        message="" if clause(run.message) in (run.message, run.message[:-1]) else run.message,
        traceback=parts(run.traceback),
        values=_values(told.metadata),
        progress=_progress(read_progress(told.progress)),
        log=log,
        log_has_more=has_more,
        is_live=is_live,
        tries=_tries(run, links),
        before=links.run(before) if before else "",
        after=links.run(after) if after else "",
        runs=links.list("jobrun", job_name=run.job_name),
    )


def _usual(job_name: str) -> Usual | None:
    """Return what the rollups say or, until they have counted, the job's last successes."""
    counted = usual([job_name]).get(job_name, NOTHING)
    half, most = counted.duration_p50, counted.duration_p95
    if half is None:
        took = lists.last_durations(job_name, RECENT)
        half, most = share(took, 0.5), share(took, 0.95)
    return Usual(half, most) if half is not None and most is not None else None


def _advice(run: JobRun, typical: Usual | None, now: datetime) -> str:
    """Return what can be done about a run that hangs."""
    half = typical.half if typical else None
    return "" if interruption(run) else hanging_beside(half, run, now)


def tries_of(run: JobRun) -> list[JobRun]:
    """Return all that tried the same; they are read once."""
    if "tries" not in vars(run):
        vars(run)["tries"] = [run if other == run else other for other in lists.tries(run)]
    found: list[JobRun] = vars(run)["tries"]
    return found


def can_be_retried(run: JobRun) -> bool:
    """Return whether it makes sense to run this again: it did not succeed, nor did, or may, a later
    attempt at the same."""
    if run.state in (*ACTIVE, RunState.SUCCESS):
        return False
    return not any(other.state in (*ACTIVE, RunState.SUCCESS) for other in _later(run))


def _later(run: JobRun) -> list[JobRun]:
    return [other for other in tries_of(run) if other.pk > run.pk]


def _facts(run: JobRun, links: Links) -> list[Fact]:
    job = formats.link(links.job(run.job_name), run.job_name)
    facts = [Fact(_("Job"), job), Fact(_("Scheduled for"), formats.exact(run.scheduled_for))]
    if run.trigger == Trigger.MANUAL:
        facts.append(Fact(_("Trigger"), origin(run)))
    elif several := origin(run):
        facts.append(Fact(_("Occurrences"), several))
    if run.lateness is not None:
        facts.append(Fact(_("Late by"), formats.length(run.lateness)))
    if run.duration is not None:
        facts.append(Fact(_("Took"), formats.length(run.duration)))
    if run.node:
        facts.append(Fact(_("On"), formats.link(links.node(run.node.pk), run.node.name)))
    if run.attempt > 1:
        facts.append(Fact(_("Attempt"), str(run.attempt)))
    if run.rerun_of_id:
        again = formats.link(links.run(run.rerun_of_id), f"#{run.rerun_of_id}")
        facts.append(Fact(_("Runs again"), again))
    if died := interruption(run):
        facts.append(Fact(_("Last heard of"), formats.exact(died.heartbeat_at)))
    if run.cancel_requested_at:
        facts.append(Fact(_("Asked to end"), run.cancel_reason))
    if run.arguments:
        facts.append(Fact(_("Arguments"), format_html("<code>{}</code>", _json(run.arguments))))
    return facts


def _progress(progress: Progress) -> Gauge | None:
    if progress.done is None and not progress.text:
        return None
    counted = f"{progress.done:,.12g}" if progress.done is not None else ""
    if progress.done is not None and progress.total is not None:
        words = {"done": counted, "total": f"{progress.total:,.12g}"}
        counted = _("%(done)s of %(total)s") % words
    percent = "" if progress.percent is None else f"{progress.percent}"
    return Gauge(percent, ", ".join(filter(None, (counted, progress.text))))


def _values(metadata: Any) -> list[Fact]:
    if not isinstance(metadata, dict):
        return [Fact(_("Values"), _json(metadata))] if metadata else []
    return [Fact(name, _json(value)) for name, value in metadata.items()]


def _json(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, indent=2 if _is_nested(value) else None, ensure_ascii=False)


def _is_nested(value: Any) -> bool:
    inside = value.values() if isinstance(value, dict) else value
    return isinstance(value, dict | list) and any(isinstance(each, dict | list) for each in inside)


def _tail(log: str) -> tuple[str, bool]:
    lines = log.splitlines(keepends=True)
    return "".join(lines[-TAIL:]), len(lines) > TAIL


def _tries(run: JobRun, links: Links) -> list[Try]:
    found = tries_of(run)
    if len(found) < 2:
        return []
    attach_interruptions(other for other in found if other is not run)
    return [
        Try(
            address=links.run(other.pk),
            number=str(other.pk),
            badge=badge(other),
            began=formats.moment(other.started_at or other.finished_at or other.due_at),
            took=formats.length(other.duration),
            why=formats.first_line(other.message) or _request(other),
            is_this=other.pk == run.pk,
        )
        for other in found
    ]


def _request(run: JobRun) -> str:
    return origin(run) if run.rerun_of_id and run.attempt == 1 else ""
