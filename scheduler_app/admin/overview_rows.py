"""The overview's rows as its templates show them: values of status, with addresses and buttons."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from scheduler_app.admin.links import Links
from scheduler_app.explain.hanging import advice
from scheduler_app.status.going import Going, GoingRun, Pace, pace
from scheduler_app.status.night import JobTrouble, Night, TroubleGroup
from scheduler_app.status.upcoming import Line, PlannedJob
from scheduler_app.status.usual import Usual

SHOWN_JOBS = 5
"""Jobs of a group of equal errors that have a line of their own."""
MOST_VALUES = 4
MOST_LINES = 60
METER = 80


class Button(NamedTuple):
    """What a person may do to a row; the address is where the form posts to."""

    label: str
    address: str


@dataclass(frozen=True, slots=True)
class TroubleRow:
    job: JobTrouble
    job_url: str
    run_url: str
    good_url: str
    buttons: list[Button]


@dataclass(frozen=True, slots=True)
class TroubleBlock:
    """Equal errors: a line a job, and the names of those that have none."""

    group: TroubleGroup
    rows: list[TroubleRow]
    others: list[TroubleRow]


@dataclass(frozen=True, slots=True)
class GoingRow:
    run: GoingRun
    elapsed: timedelta
    p50: timedelta | None
    p95: timedelta | None
    pace: Pace
    meter: int
    """How much of the longest usual time has passed, of METER."""
    progress_meter: int
    """How much is done as the run itself says, of METER."""
    advice: str
    values: list[tuple[str, str]]
    job_url: str
    run_url: str
    buttons: list[Button]


@dataclass(frozen=True, slots=True)
class LineRow:
    line: Line
    wait: timedelta
    is_overdue: bool
    starts_second: bool
    """No line before it has the same time."""
    job_url: str


@dataclass(frozen=True, slots=True)
class PauseRow:
    job: PlannedJob
    left: timedelta | None
    job_url: str
    buttons: list[Button]


def trouble_blocks(night: Night, links: Links, paused: Collection[str]) -> list[TroubleBlock]:
    return [_block(group, links, paused) for group in night.groups]


def _block(group: TroubleGroup, links: Links, paused: Collection[str]) -> TroubleBlock:
    shown = len(group.jobs) if len(group.jobs) <= SHOWN_JOBS + 1 else SHOWN_JOBS
    rows = [_trouble_row(job, links, paused) for job in group.jobs[:shown]]
    others = [
        TroubleRow(job, links.job(job.job_name), links.run(job.run_id), "", [])
        for job in group.jobs[shown:]
    ]
    return TroubleBlock(group, rows, others)


def _trouble_row(job: JobTrouble, links: Links, paused: Collection[str]) -> TroubleRow:
    again = "" if job.is_over or job.is_late_only else _again(job.run_id, links)
    pause = "" if job.job_name in paused else links.job_action("pause", job.job_name)
    buttons = [
        Button(_("Run again"), again),
        Button(_("Run now"), "" if again else links.job_action("trigger", job.job_name)),
        Button(_("Pause"), pause),
    ]
    return TroubleRow(
        job=job,
        job_url=links.job(job.job_name),
        run_url=links.run(job.run_id),
        good_url=links.run(job.last_good_id) if job.last_good_id else "",
        buttons=_useful(buttons),
    )


def _again(pk: int, links: Links) -> str:
    return links.run_action("retry", "trigger_job", pk)


def going_rows(
    going: Going, usual: Mapping[str, Usual], now: datetime, links: Links
) -> list[GoingRow]:
    return [_going_row(run, usual.get(run.job_name), now, links) for run in going.runs]


def _going_row(run: GoingRun, usual: Usual | None, now: datetime, links: Links) -> GoingRow:
    elapsed = max(now - run.started_at, timedelta())
    p50, p95 = (usual.duration_p50, usual.duration_p95) if usual else (None, None)
    found = Pace.USUAL if run.is_interrupted else pace(elapsed, usual)
    cancel = "" if run.is_asked_to_end else links.run_action("cancel", "cancel_jobrun", run.id)
    return GoingRow(
        run=run,
        elapsed=elapsed,
        p50=p50,
        p95=p95,
        pace=found,
        meter=min(METER, round(METER * (elapsed / p95))) if p95 else 0,
        progress_meter=METER * (run.progress.percent or 0) // 100,
        advice=advice(run.node, has_process=run.has_process) if found == Pace.STUCK else "",
        values=_values(run.metadata),
        job_url=links.job(run.job_name),
        run_url=links.run(run.id),
        buttons=_useful([Button(_("Cancel"), cancel)]),
    )


def _values(metadata: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the values reported last."""
    return [(str(key), str(value)) for key, value in list(metadata.items())[-MOST_VALUES:]]


def line_rows(
    lines: Iterable[Line], now: datetime, overdue_before: datetime, links: Links
) -> list[LineRow]:
    rows: list[LineRow] = []
    second = None
    for line in lines:
        at = line.at.replace(microsecond=0)
        rows.append(
            LineRow(
                line=line,
                wait=line.at - now,
                is_overdue=not line.is_paused and line.at < overdue_before,
                starts_second=at != second,
                job_url=links.job(line.job.name),
            )
        )
        second = at
    return rows


def pause_rows(jobs: Iterable[PlannedJob], now: datetime, links: Links) -> list[PauseRow]:
    return [
        PauseRow(
            job=job,
            left=job.paused_until - now if job.paused_until else None,
            job_url=links.job(job.name),
            buttons=_useful([Button(_("Resume"), links.job_action("resume", job.name))]),
        )
        for job in jobs
    ]


def _useful(buttons: Iterable[Button]) -> list[Button]:
    return [button for button in buttons if button.address]
