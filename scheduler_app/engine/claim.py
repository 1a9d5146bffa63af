"""The claim: in one transaction, advance the timetable and insert the runs.

A crash before the commit: nothing happened. After it: the runs exist, and whoever does not
carry them out leaves rows that say so. Locks are taken in one order everywhere: timetable, runs,
jobs."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import IntegrityError
from django_apscheduler.models import DjangoJob

from scheduler_app.conf import scheduler_settings
from scheduler_app.engine import ledger, timetable
from scheduler_app.engine.plan import Circumstances, Plan, plan
from scheduler_app.models import JobRun, Node, RunState, database
from scheduler_app.policies import Overlap
from scheduler_app.registry import JobDefinition, Registry

LIMIT = 5_000
"""How many due jobs one claim takes, so that its transaction stays short."""


@dataclass(slots=True)
class Claimer:
    """Claims for one node the jobs that its code declares."""

    node: Node
    registry: Registry
    after_stop: bool = False
    """Whether no scheduler was alive before this one; until the first claim is complete."""
    foreign: set[str] = field(default_factory=set)
    """Due jobs that this node's code lacks. Other nodes fire them."""

    def next_due(self) -> datetime | None:
        """When this node should claim next."""
        return timetable.next_due(excluding=self.foreign)

    def claim(self, now: datetime) -> list[JobRun]:
        """Take what is due and what waits for a node. The runs returned are committed, QUEUED and
        this node's, to be carried out now."""
        due_at = self.next_due()
        runs = self._claim_due(now) if due_at and due_at <= now else []
        if JobRun.objects.unassigned().exists():
            with database.atomic():
                runs += self._adopt(now)
        return runs

    def _claim_due(self, now: datetime) -> list[JobRun]:
        try:
            with database.atomic():
                return self._claim_rows(now)
        except IntegrityError:
            # Some occurrence is in the ledger already: somebody has put the timetable back.
            with database.atomic():
                return self._claim_rows(now, again=True)

    def _claim_rows(self, now: datetime, *, again: bool = False) -> list[JobRun]:
        due = self._lock_due(now)
        busy = _busy([name for name, _ in due])
        runs: list[JobRun] = []
        next_dues: dict[str, datetime | None] = {}
        for name, due_at in due:
            definition = self.registry.get(name)
            if definition is None:
                self.foreign.add(name)
                continue
            planned = plan(
                definition.schedule, due_at, self._circumstances(definition, now, name in busy)
            )
            next_dues[name] = planned.next_due
            runs += self._rows(name, planned, now)
        if again:
            runs = _not_in_ledger(runs)
        timetable.advance(next_dues)
        ledger.insert(runs)
        self.after_stop = self.after_stop and len(due) == LIMIT
        return [run for run in runs if run.state == RunState.QUEUED]

    def _lock_due(self, now: datetime) -> list[tuple[str, datetime]]:
        rows = (
            DjangoJob.objects.select_for_update(skip_locked=True)
            .filter(next_run_time__lte=now)
            .exclude(id__in=self.foreign)
            .order_by("next_run_time")
        )
        return list(rows.values_list("id", "next_run_time")[:LIMIT])

    def _circumstances(self, job: JobDefinition, now: datetime, busy: bool) -> Circumstances:
        return Circumstances(
            now=now,
            grace=_grace(),
            overlap=job.overlap,
            busy=busy,
            after_stop=self.after_stop,
        )

    def _rows(self, name: str, planned: Plan, now: datetime) -> list[JobRun]:
        rows = []
        if planned.missed:
            rows.append(
                ledger.not_run(name, planned.missed, RunState.MISSED, self._why_missed(), now)
            )
        if planned.skipped:
            message = "Skipped: the previous run had not ended."
            rows.append(ledger.not_run(name, planned.skipped, RunState.SKIPPED, message, now))
        for fire in planned.runs:
            rows.append(
                JobRun(
                    job_name=name,
                    scheduled_for=fire.scheduled_for,
                    due_at=fire.due_at,
                    node=self.node,
                    created_at=now,
                )
            )
        return rows

    def _why_missed(self) -> str:
        if self.after_stop:
            return "Missed: no scheduler was running."
        return "Missed: the scheduler came too late for it."

    def _adopt(self, now: datetime) -> list[JobRun]:
        """Take runs that no node has: requests, and what stopped or dead nodes did not begin."""
        waiting = set(JobRun.objects.unassigned().values_list("job_name", flat=True)[:LIMIT])
        entries = DjangoJob.objects.select_for_update(skip_locked=True).filter(id__in=waiting)
        locked = [name for name in entries.values_list("id", flat=True) if name in self.registry]
        busy = set(
            JobRun.objects.assigned().filter(job_name__in=locked).values_list("job_name", flat=True)
        )
        taken = []
        runs = JobRun.objects.unassigned().filter(job_name__in=locked).order_by("due_at", "id")
        for run in runs.select_for_update()[:LIMIT]:
            if _is_too_late(run, now):
                self._miss(run, now)
            elif run.job_name not in busy or self._may_overlap(run):
                busy.add(run.job_name)
                taken.append(run)
        JobRun.objects.filter(pk__in=[run.pk for run in taken]).update(node=self.node)
        for run in taken:
            run.node = self.node
        return taken

    def _miss(self, run: JobRun, now: datetime) -> None:
        run.state, run.finished_at, run.message = RunState.MISSED, now, self._why_missed()
        run.save(update_fields=["state", "finished_at", "message"])
        ledger.count([run])

    def _may_overlap(self, run: JobRun) -> bool:
        definition = self.registry.get(run.job_name)
        return definition is not None and definition.overlap == Overlap.ALLOW


def _busy(names: list[str]) -> set[str]:
    active = JobRun.objects.active().filter(job_name__in=names)
    return set(active.values_list("job_name", flat=True))


def _not_in_ledger(runs: list[JobRun]) -> list[JobRun]:
    rows = JobRun.objects.scheduled().filter(
        job_name__in={run.job_name for run in runs},
        scheduled_for__in={run.scheduled_for for run in runs},
    )
    known = set(rows.values_list("job_name", "scheduled_for"))
    return [run for run in runs if (run.job_name, run.scheduled_for) not in known]


def _is_too_late(run: JobRun, now: datetime) -> bool:
    """A request waits for as long as it takes; an occurrence only within its grace."""
    return run.is_scheduled and now - run.due_at > _grace()


def _grace() -> timedelta:
    return timedelta(seconds=scheduler_settings().misfire_grace)
