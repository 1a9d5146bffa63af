"""What the list of runs and the page of a run say: one method a column."""

from collections.abc import Iterable

from django.contrib import admin
from django.utils.html import format_html

from scheduler_app.admin import formats
from scheduler_app.explain.hanging import hanging
from scheduler_app.models import JobRun, RunState, Trigger, database
from scheduler_app.status import InterruptedRun, interrupted_runs

LARGE = ("traceback", "metadata", "log")
"""Fields that no list reads."""


class RunColumns:
    @admin.display(description="job")
    def job(self, run: JobRun) -> str:
        return formats.link(formats.job_url(run.job_name), run.job_name)

    @admin.display(description="result")
    def result(self, run: JobRun) -> str:
        return result(run)

    @admin.display(description="attempt")
    def attempt_of(self, run: JobRun) -> str:
        """Show which attempt it is, with a link to the first."""
        return attempt(run) or "the first"

    @admin.display(description="trigger")
    def cause(self, run: JobRun) -> str:
        return origin(run) if run.trigger == Trigger.MANUAL else run.get_trigger_display()

    @admin.display(description="scheduled for")
    def scheduled(self, run: JobRun) -> str:
        return formats.two_lines(formats.moment(run.scheduled_for), origin(run))

    @admin.display(description="due, with jitter or wait")
    def due(self, run: JobRun) -> str:
        return formats.moment(run.due_at)

    @admin.display(description="queued")
    def queued(self, run: JobRun) -> str:
        return formats.moment(run.created_at)

    @admin.display(description="started")
    def started(self, run: JobRun) -> str:
        """Show when it started and how late, or when it is due if it waits for its time."""
        if run.state == RunState.QUEUED and run.due_at != run.scheduled_for:
            return formats.two_lines(
                formats.EMPTY, format_html("due {}", formats.moment(run.due_at))
            )
        late = f"{formats.length(run.lateness)} late" if run.lateness is not None else ""
        return formats.two_lines(formats.moment(run.started_at), late)

    @admin.display(description="finished")
    def finished(self, run: JobRun) -> str:
        took = formats.took(run.duration) if run.duration is not None else ""
        return formats.two_lines(formats.moment(run.finished_at), took)

    @admin.display(description="asked to end")
    def asked_to_end(self, run: JobRun) -> str:
        """Show when a person asked the run to end early, who and why."""
        return formats.two_lines(formats.moment(run.cancel_requested_at), run.cancel_reason)

    @admin.display(description="takes long")
    def takes_long(self, run: JobRun) -> str:
        return hangs(run)

    @admin.display(description="error or reason")
    def why(self, run: JobRun) -> str:
        return formats.first_line(run.message)

    @admin.display(description="error or reason")
    def error(self, run: JobRun) -> str:
        return formats.block(run.message)

    @admin.display(description="traceback")
    def error_traceback(self, run: JobRun) -> str:
        return formats.block(run.traceback)

    @admin.display(description="metadata")
    def values(self, run: JobRun) -> str:
        return formats.as_json(run.metadata)

    @admin.display(description="log")
    def output(self, run: JobRun) -> str:
        return formats.block(run.log)


def attach_interruptions(runs: Iterable[JobRun]) -> None:
    """Give those of these runs whose scheduler died what result() shows of that."""
    running = {run.pk: run for run in runs if run.state == RunState.RUNNING}
    if not running:
        return
    for interrupted in interrupted_runs(pk__in=list(running)).values():
        for each in interrupted:
            vars(running[each.id])["interruption"] = each


def hangs(run: JobRun) -> str:
    """Return what can be done about a run that takes much longer than usual; empty for any
    other."""
    return "" if vars(run).get("interruption") else hanging(run, database.now())


def result(run: JobRun) -> str:
    """Return the state, whether its scheduler died, whether the run is asked to end and, for a
    retry, which attempt it is."""
    died: InterruptedRun | None = vars(run).get("interruption")
    asked = run.state == RunState.RUNNING and run.cancel_requested_at is not None
    told = (
        formats.interruption(died) if died else "",
        "asked to end" if asked else "",
        attempt(run),
    )
    label = formats.label("interrupted" if died else run.state)
    return formats.two_lines(label, formats.joined((note for note in told if note), ", "))


def attempt(run: JobRun) -> str:
    """Return, for a retry, which attempt it is and of which run; else nothing."""
    if run.attempt < 2:
        return ""
    if run.first_attempt_id is None:
        return f"attempt {run.attempt}"
    first = formats.link(formats.run_url(run.first_attempt_id), f"run {run.first_attempt_id}")
    return format_html("attempt {} of {}", run.attempt, first)


def origin(run: JobRun) -> str:
    """Return who asked for the run or, for a row of several occurrences, how many and since
    when."""
    if run.trigger == Trigger.MANUAL:
        return f"on request of {run.requested_by or 'an unknown person'}"
    if run.occurrences < 2 or run.first_scheduled_for is None:
        return ""
    first = formats.moment(run.first_scheduled_for)
    return format_html("{} occurrences since {}", run.occurrences, first)
