"""The overview: how the schedulers are, what needs a person, what runs, what comes, and the
time-line. Each part asks for itself, so that one that the database does not answer hides no
other."""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any, Self, TypeVar

from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest
from django.utils import timezone

from scheduler_app.admin import overview_rows as rows
from scheduler_app.admin.banner import banner, unknown
from scheduler_app.admin.links import Links
from scheduler_app.admin.overview_query import SINCE, SPANS, Chosen, chosen, evening_before
from scheduler_app.admin.overview_timeline import Scale, draw, ticks
from scheduler_app.models import Job, RunState, database
from scheduler_app.models.faults import fault_of
from scheduler_app.models.patience import brief_read
from scheduler_app.status import SchedulerHealth, overdue_before, scheduler_health
from scheduler_app.status.going import Going, going
from scheduler_app.status.night import LATE, Night, night
from scheduler_app.status.timeline import Bar, Lane, bars, planned_bars
from scheduler_app.status.upcoming import (
    MOST_JOBS,
    Planned,
    PlannedJob,
    paused_jobs,
    planned_jobs,
    upcoming,
)
from scheduler_app.status.usual import Usual, usual
from scheduler_app.text import listed

T = TypeVar("T")
PATIENCE, SHORT_PATIENCE = 3.0, 0.5
"""How long, in seconds, a part waits for the database, and how long once it has not answered."""
AHEAD = timedelta(hours=2)
MOST_COMPARED = 150
"""Of how many jobs it is asked how long they usually take: those that run or are due soonest."""
MOST_LANES = 40
LEGEND = (RunState.SUCCESS, RunState.FAILED, RunState.LOST, RunState.MISSED, RunState.RUNNING)
MOST_PAUSES = 20
EVERY, SHARE = 5, 20
"""The page asks again after so many seconds, and keeps the server busy for a twentieth of the time
at most."""
MOST_URGENT, MOST_OVER = 20, 5
"""Groups of troubles that are shown at once; others are folded."""


class Reading:
    """One transaction for all questions, of which none may take long; a new one for the rest once a
    question has failed."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._block: AbstractContextManager[None] = nullcontext()

    def __enter__(self) -> Self:
        self._begin(PATIENCE)
        return self

    def __exit__(self, *error: Any) -> None:
        try:
            self._block.__exit__(*error)
        except (DatabaseError, InterfaceError) as end:
            self._note(end)

    def ask(self, question: Callable[[], T], instead: T) -> T:
        """Return its answer; this instead if the database gives none in time."""
        try:
            return question()
        except (DatabaseError, InterfaceError) as error:
            self._note(error)
            self.__exit__(type(error), error, error.__traceback__)
            self._begin(SHORT_PATIENCE)
            return instead

    def _begin(self, patience: float) -> None:
        self._block = brief_read(patience)
        try:
            self._block.__enter__()
        except (DatabaseError, InterfaceError) as error:
            self._block = nullcontext()
            self._note(error)

    def _note(self, error: Exception) -> None:
        if (words := fault_of(error).value) not in self.problems:
            self.problems.append(words)


@dataclass(frozen=True, slots=True)
class Facts:
    """All that was read for one page. What this user may not see is not read."""

    now: datetime
    health: SchedulerHealth | None
    night: Night | None
    going: Going | None
    planned: Planned | None
    paused: tuple[PlannedJob, ...] | None
    usual: Mapping[str, Usual]

    @property
    def jobs(self) -> tuple[PlannedJob, ...]:
        """Those that are planned, and those that are paused."""
        return (*(self.planned.jobs if self.planned else ()), *(self.paused or ()))


def overview(request: HttpRequest) -> dict[str, Any]:
    """Return what the template shows to this user."""
    begun = time.monotonic()
    with Reading() as reading:
        shown = _overview(request, reading, Links(request))
    took = time.monotonic() - begun
    return shown | {"every": ceil(max(EVERY, SHARE * took))}


def _overview(request: HttpRequest, reading: Reading, links: Links) -> dict[str, Any]:
    now = reading.ask(database.now, timezone.now())
    choice = chosen(request, now)
    facts = _facts(reading, links, now, choice)
    shown: dict[str, Any] = {
        "choice": choice,
        "facts": facts,
        "here": request.path + choice.address(),
        "zone": f"{timezone.localtime(now):%Z}",
        "zone_name": timezone.get_current_timezone_name(),
        "problems": reading.problems,
    }
    if choice.part != "timeline":
        shown |= (
            _state(facts, reading.problems)
            | _troubles(facts, choice, links)
            | _present(facts, links)
        )
    if choice.part != "now" and (links.may("view_job") or links.may("view_jobrun")):
        shown |= _timeline(reading, facts, choice, links)
    return shown


def card(request: HttpRequest) -> dict[str, Any]:
    """Return what a card on another page shows of all this."""
    links = Links(request)
    with Reading() as reading:
        now = reading.ask(database.now, timezone.now())
        since = evening_before(now)
        health = reading.ask(scheduler_health, None)
        shown: dict[str, Any] = {"now": now, "since": since, "overview_url": links.overview()}
        if links.may("view_jobrun"):
            troubles = reading.ask(lambda: night(since), None)
            active = reading.ask(lambda: going(now, ()), None)
            shown["running"] = active.running if active else None
            shown["needs"] = troubles.urgent if troubles else None
        if links.may("view_job"):
            planned = reading.ask(lambda: planned_jobs(1), None)
            shown["next"] = planned.jobs[0] if planned and planned.jobs else None
            shown["paused"] = reading.ask(Job.objects.paused().declared().count, None)
    state = banner(health) if health else unknown(" ".join(reading.problems))
    return shown | {"banner": state}


def _facts(reading: Reading, links: Links, now: datetime, choice: Chosen) -> Facts:
    health = reading.ask(scheduler_health, None)
    alive = {node.id for node in health.nodes if node.is_alive} if health else set()
    sees_runs, sees_jobs = links.may("view_jobrun"), links.may("view_job")
    troubles = reading.ask(lambda: night(choice.since), None) if sees_runs else None
    active = reading.ask(lambda: going(now, alive), None) if sees_runs else None
    planned = reading.ask(planned_jobs, None) if sees_jobs else None
    paused = reading.ask(paused_jobs, None) if sees_jobs else None
    names = [run.job_name for run in active.runs] if active else []
    names += [job.name for job in (*(paused or ()), *(planned.jobs if planned else ()))]
    asked = list(dict.fromkeys(names))[:MOST_COMPARED]
    known: dict[str, Usual] = {}
    if sees_runs:
        known = reading.ask(lambda: usual(asked), known)
    return Facts(now, health, troubles, active, planned, paused, known)


def _state(facts: Facts, problems: list[str]) -> dict[str, Any]:
    """Return how the schedulers are, and what is overdue."""
    before = overdue_before(facts.now)
    due = facts.planned.jobs if facts.planned else ()
    overdue = [job for job in due if job.next_run and job.next_run < before]
    return {
        "banner": banner(facts.health) if facts.health else unknown(" ".join(problems)),
        "overdue": len(overdue),
        "overdue_is_counted": len(overdue) < MOST_JOBS,
        "overdue_since": overdue[0].next_run if overdue else None,
        "overdue_names": listed(job.name for job in overdue),
    }


def _troubles(facts: Facts, choice: Chosen, links: Links) -> dict[str, Any]:
    if facts.night is None:
        return {}
    paused = {job.name for job in facts.paused or ()}
    blocks = rows.trouble_blocks(facts.night, links, paused)
    urgent = [block for block in blocks if not block.group.is_over]
    over = [block for block in blocks if block.group.is_over]
    return {
        "night": facts.night,
        "urgent": urgent[:MOST_URGENT],
        "folded": [urgent[MOST_URGENT:], over[MOST_OVER:]],
        "urgent_jobs": facts.night.urgent,
        "over": over[:MOST_OVER],
        "over_jobs": sum(job.is_over for job in facts.night.jobs),
        "late": LATE,
        "all_runs": links.list("jobrun"),
        "since_choices": [
            (label, choice.address(since=name), name == choice.since_name)
            for name, label in SINCE.items()
        ],
    }


def _present(facts: Facts, links: Links) -> dict[str, Any]:
    """Return what runs, what comes, and the pauses in force."""
    now = facts.now
    running = rows.going_rows(facts.going, facts.usual, now, links) if facts.going else []
    shown: dict[str, Any] = {"running": running, "all_jobs": links.list("job")}
    if facts.planned is not None:
        shown |= _coming(facts, facts.planned, running, links)
    if facts.paused is not None:
        shown["pauses"] = rows.pause_rows(facts.paused[:MOST_PAUSES], now, links)
        shown["untold_pauses"] = max(len(facts.paused) - MOST_PAUSES, 0)
    return shown


def _coming(
    facts: Facts, planned: Planned, running: list[rows.GoingRow], links: Links
) -> dict[str, Any]:
    now, until = facts.now, facts.now + AHEAD
    due = [job for job in facts.jobs if job.next_run is None or job.next_run <= until]
    lines = upcoming(due, now, until, _durations(facts.usual), _busy_until(running, now))
    told = lines[: rows.MOST_LINES]
    is_all = planned.known_to is None or planned.known_to > until
    return {
        "lines": rows.line_rows(told, now, overdue_before(now), links),
        "untold_lines": len(lines) - len(told),
        "known_to": None if is_all else planned.known_to,
    }


def _durations(known: Mapping[str, Usual]) -> dict[str, timedelta]:
    return {name: each.duration_p50 for name, each in known.items() if each.duration_p50}


def _busy_until(running: Iterable[rows.GoingRow], now: datetime) -> dict[str, datetime]:
    """Return when the running jobs will have ended if they take as long as usual; one that has
    lasted longer may take for ever."""
    return {
        row.run.job_name: max(row.run.started_at + row.p95, now + AHEAD if row.pace else now)
        for row in running
        if row.p95 and not row.run.is_interrupted
    }


def _timeline(reading: Reading, facts: Facts, choice: Chosen, links: Links) -> dict[str, Any]:
    now = facts.now
    scale = Scale(now - choice.span, now + choice.span / 2)
    names = _lane_names(facts)
    begin = (choice.lanes - 1) * MOST_LANES
    shown = names[begin : begin + MOST_LANES]
    ended: Mapping[str, list[Bar]] = (
        reading.ask(lambda: bars(shown, scale.begin, now), {}) if links.may("view_jobrun") else {}
    )
    active = facts.going.runs if facts.going else ()
    planned = {
        job.name: planned_bars(job, now, scale.end) for job in facts.jobs if job.name in shown
    }
    lanes = []
    for name in shown:
        begun = [
            Bar(RunState.RUNNING, run.started_at, now, 1, run.id)
            for run in active
            if run.job_name == name
        ]
        lanes.append(Lane(name, (*ended.get(name, ()), *begun), planned.get(name, ())))
    return {
        "lanes": [draw(lane, scale, links) for lane in lanes],
        "lanes_before": choice.address(lanes=str(choice.lanes - 1)) if begin else "",
        "lanes_after": (
            choice.address(lanes=str(choice.lanes + 1)) if begin + len(shown) < len(names) else ""
        ),
        "lanes_told": (begin + 1, begin + len(shown), len(names)),
        "ticks": ticks(scale),
        "now_x": scale.place(now),
        "legend": [(state.value, state.label) for state in LEGEND],
        "spans": [(name, choice.address(span=name), name == choice.span_name) for name in SPANS],
    }


def _lane_names(facts: Facts) -> list[str]:
    """Return the jobs of the time-line: what needs a person, what runs, then the others by name."""
    urgent = [group for group in facts.night.groups if not group.is_over] if facts.night else []
    first = [job.job_name for group in urgent for job in group.jobs]
    first += [run.job_name for run in facts.going.runs] if facts.going else []
    others = {job.name for job in facts.jobs}
    others.update(job.job_name for job in facts.night.jobs) if facts.night else None
    return list(dict.fromkeys([*first, *sorted(others)]))
