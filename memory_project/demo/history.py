"""A month of the shop's history, written through the ledger and ending now: what each occurrence
became, what people did meanwhile, and which schedulers ran."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils import timezone

from memory_project.demo import clock, people
from memory_project.demo.incidents import DAY, Error, Incidents, error_of
from memory_project.demo.nodes import Machines
from memory_project.demo.tasks import TASKS, Task
from memory_project.demo.work import ask
from scheduler_app.cron import Fire, Fires
from scheduler_app.engine import releases, sync
from scheduler_app.ledger import counters, timetable, transitions
from scheduler_app.models import Job, JobRun, RunState, bulk, change, database
from scheduler_app.registry import Registry

DAYS = 29
SEED = 20_26
BATCH = 5_000
MISSED = "Missed: no scheduler was running."
SECOND = timedelta(seconds=1)
_BLANK = JobRun()


def write(
    registry: Registry,
    *,
    days: float = DAYS,
    seed: int = SEED,
    now: datetime | None = None,
    is_alive: bool = False,
) -> int:
    """Write the history of this registry's jobs, which are among TASKS, into an empty database;
    return the number of runs. `is_alive`: the last scheduler still runs, with a run that hangs."""
    now = now or timezone.now()
    begin = now - timedelta(days=days)
    declared = releases.declarations(registry)
    with clock.at(begin):
        sync.mend(list(declared), declared, begin)
        machines = Machines(registry, begin, now, Incidents(now), is_alive=is_alive)
    writer = _Writer(machines, Incidents(now), random.Random(seed), begin, now, is_alive)
    for moment, name, act in people.acts(machines, now, declared):
        if moment > begin:
            writer.write_until(moment)
            with clock.at(moment):
                run = act(name, moment)
            if isinstance(run, JobRun):
                writer.last[run.job_name] = run
    writer.write_until(now)
    with clock.at(now):
        machines.close()
    while counters.fold():
        pass
    return JobRun.objects.count()


@dataclass(slots=True)
class _Writer:
    """Decides what becomes of each occurrence, and inserts the runs in the order of their times."""

    machines: Machines
    incidents: Incidents
    chance: random.Random
    at: datetime
    """Up to when the history is written."""
    now: datetime
    is_alive: bool
    last: dict[str, JobRun] = field(default_factory=dict)
    """Each job's last run."""
    tried_again: set[int] = field(default_factory=set)
    """Which runs, by their places in memory, were tried again."""
    blockers: dict[int, JobRun] = field(default_factory=dict)
    """For whose sake a run was skipped, by the place in memory of the one that was."""
    firsts: dict[int, JobRun] = field(default_factory=dict)
    """The first attempt, by the place in memory of the retry."""
    chance_error: Error = field(default_factory=lambda: error_of(lambda: ask("partner.example")))

    def write_until(self, moment: datetime) -> None:
        """Write what is due by this moment."""
        rows, dues = list[JobRun](), dict[str, datetime | None]()
        jobs = {job.name: job for job in Job.objects.all()}
        for name, due_at in sorted(timetable.dues(TASKS).items()):
            fires = jobs[name].schedule.compute()
            if due_at is None or not isinstance(fires, Fires):
                continue
            rows += self._rows(jobs[name], fires.due(due_at, moment))
            following = fires.next(max(moment, due_at - SECOND))
            dues[name] = following.due_at if following else None
        rows.sort(key=lambda run: (run.created_at, run.job_name))
        for start in range(0, len(rows), BATCH):
            with database.atomic():
                self._insert(rows[start : start + BATCH])
        with database.atomic():
            timetable.advance(dues)
        for known in (self.tried_again, self.blockers, self.firsts):
            known.clear()
        self.at = moment

    def _insert(self, rows: list[JobRun]) -> None:
        """Insert these rows and count them; a row that names another comes after it."""
        waiting = list[JobRun]()
        for run in rows:
            named = self.blockers.get(id(run)) or self.firsts.get(id(run))
            if named is not None and named.pk is None:
                self._flush(waiting)
            if id(run) in self.blockers:
                run.message = f"Skipped: run {self.blockers[id(run)].pk} had not ended."
            if id(run) in self.firsts:
                run.first_attempt_id = self.firsts[id(run)].pk
            waiting.append(run)
        self._flush(waiting)
        counters.count(rows, [run for run in rows if id(run) in self.tried_again])

    def _flush(self, rows: list[JobRun]) -> None:
        if rows:
            JobRun.objects.insert(rows)
            change.note_runs(rows)
            rows.clear()

    def _rows(self, job: Job, fires: Iterable[Fire]) -> Iterator[JobRun]:
        task, missed = TASKS[job.name], list[Fire]()
        for fire in fires:
            if fire.due_at in self.incidents.outage:
                missed.append(fire)
                continue
            yield from self._missed(job, task, missed)
            yield from self._occurrence(job, task, fire)
        yield from self._missed(job, task, missed)

    def _missed(self, job: Job, task: Task, fires: list[Fire]) -> Iterator[JobRun]:
        """Yield what became of occurrences for which there was no scheduler."""
        back_at = self.incidents.outage.end + 4 * SECOND
        late = [fires.pop()] if fires and job.catch_up == "once" else []
        if fires:
            yield transitions.not_run(job.name, fires, RunState.MISSED, MISSED, back_at)
        fires.clear()
        for fire in late:
            yield from self._attempts(job, task, fire, back_at)

    def _occurrence(self, job: Job, task: Task, fire: Fire) -> Iterator[JobRun]:
        before = self.last.get(job.name)
        if before and (before.finished_at is None or before.finished_at > fire.due_at):
            row = transitions.not_run(job.name, [fire], RunState.SKIPPED, "", fire.due_at)
            self.blockers[id(row)] = before
            yield row
            return
        begun = fire.due_at + self.incidents.lateness(job.name, fire.due_at)
        yield from self._attempts(job, task, fire, begun)

    def _attempts(self, job: Job, task: Task, fire: Fire, moment: datetime) -> Iterator[JobRun]:
        """Yield the run of this occurrence, with its retries; the first is claimed now."""
        first = run = self._run(job, task, fire, moment, 1)
        yield run
        while run.state in (RunState.FAILED, RunState.LOST) and run.finished_at:
            wait = job.policies.retry_after(run.attempt, self.chance.random())
            if wait is None or run.finished_at + wait > self.now - DAY / 24:
                return
            self.tried_again.add(id(run))
            retry = self._run(
                job, task, Fire(fire.scheduled_for, run.finished_at + wait), None, run.attempt + 1
            )
            retry.created_at = run.finished_at
            self.firsts[id(retry)] = first
            yield retry
            run = retry

    def _run(
        self, job: Job, task: Task, fire: Fire, moment: datetime | None, attempt: int
    ) -> JobRun:
        due_at = fire.due_at
        begun = min((moment or due_at) + SECOND * self.chance.uniform(0.01, 0.09), self.now)
        slowness = self.incidents.slowness(job.name, due_at)
        ended = begun + SECOND * (task.draw_seconds(self.chance) * slowness)
        run: JobRun = bulk.like(
            _BLANK, job_name=job.name, scheduled_for=fire.scheduled_for, due_at=due_at,
            attempt=attempt, created_at=moment or due_at, started_at=begun,
            node_id=self.machines.pick(begun, self.chance).pk, finished_at=ended,
        )  # fmt: skip
        self._end(run, task)
        self.last[job.name] = run
        return run

    def _end(self, run: JobRun, task: Task) -> None:
        """Have the run end as it did."""
        begun, ended = run.started_at, run.finished_at
        if begun is None or ended is None:
            return
        amount = task.draw_amount(self.chance)
        error = self.incidents.error(task.name, run.due_at)
        is_old = ended < self.now - DAY / 12
        if error is None and is_old and self.chance.random() < task.flaky:
            error = self.chance_error
        lost = self.machines.lost(run.node_id, begun, ended)
        if lost:
            run.state, run.finished_at, run.message = RunState.LOST, lost.at, lost.message
        elif ended >= self.now and self.is_alive:
            run.state, run.finished_at = RunState.RUNNING, None
            run.node_id = self.machines.newest.pk
        elif error:
            run.state, run.message, run.traceback = RunState.FAILED, error.message, error.traceback
            run.finished_at = min(begun + (ended - begun) * 0.4, max(self.now, begun))
            run.log = _log(task, amount, begun, run.finished_at, is_whole=False)
            run.metadata = {task.noun: amount // 3}
        else:
            run.state, run.metadata = RunState.SUCCESS, {task.noun: amount}
            run.finished_at = min(ended, max(self.now - SECOND / 100, begun))
            run.log = _log(task, amount, begun, run.finished_at, is_whole=True)


def _log(task: Task, amount: int, begun: datetime, ended: datetime, *, is_whole: bool) -> str:
    """Return what the run logged: frequent jobs say little."""
    lines = [(begun, f"{amount:,} {task.noun} to handle")]
    if task.seconds > 30:
        for quarter in (1, 2, 3) if is_whole else (1,):
            moment = begun + (ended - begun) * quarter / 4
            lines.append((moment, f"{amount * quarter // 4:,} of {amount:,} {task.noun} done"))
    if is_whole and task.seconds > 1:
        lines.append((ended, f"{amount:,} {task.noun} done"))
    return "".join(
        f"{moment.isoformat(' ', 'milliseconds')[:23].replace('.', ',')} INFO shop: {text}\n"
        for moment, text in lines
    )
