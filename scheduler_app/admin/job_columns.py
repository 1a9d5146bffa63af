"""What the list of jobs and the page of a job say: one method a column, each a value of status."""

from collections.abc import Iterable

from django.contrib import admin
from django.utils.html import format_html

from scheduler_app.admin import formats
from scheduler_app.models import COUNTERS, Job
from scheduler_app.status import JobState, JobStatus, RunSummary, job_statuses


def attach_statuses(jobs: Iterable[Job]) -> None:
    """Give each of these jobs what the columns show, in a constant number of queries."""
    rows = {job.pk: job for job in jobs}
    for status in job_statuses(Job.objects.filter(pk__in=rows)):
        counters = {counter: getattr(status, counter) for counter in COUNTERS}
        vars(rows[status.name]).update(counters, status=status)


def status_of(job: Job) -> JobStatus:
    """Return what `attach_statuses` gave the job."""
    status: JobStatus = vars(job)["status"]
    return status


class JobColumns:
    """Columns for jobs that went through `attach_statuses`."""

    @admin.display(description="state")
    def job_state(self, job: Job) -> str:
        """Show the state, since when it holds, and what else is true of the job at the same
        time."""
        status = status_of(job)
        truths = (
            (JobState.PAUSED, status.is_paused),
            (JobState.OVERDUE, status.is_overdue),
            (JobState.RUNNING, status.is_running),
            (JobState.INTERRUPTED, bool(status.interrupted_runs)),
            (JobState.ORPHANED, status.is_orphaned),
        )
        also = [state for state, true in truths if true and state != status.state]
        labels = formats.joined(formats.label(state) for state in (status.state, *also))
        died = [formats.interruption(run, f"run {run.id}") for run in status.interrupted_runs[:1]]
        due = format_html("due since {}", formats.moment(status.next_run))
        notes = [note for note in (due if status.is_overdue else "", since(job), *died) if note]
        return formats.two_lines(labels, formats.joined(notes, ", "))

    @admin.display(description="schedule")
    def schedule(self, job: Job) -> str:
        status = status_of(job)
        code = formats.schedule(status.cron, status.timezone)
        return formats.two_lines(status.schedule, code)

    @admin.display(description="last result")
    def last_result(self, job: Job) -> str:
        """Show the last outcome, with its time if it is that of an occurrence after the last
        run."""
        outcome, run = status_of(job).last_outcome, status_of(job).last_run
        if outcome is None:
            return formats.EMPTY
        label = formats.label(outcome.state, hint=outcome.message)
        result = formats.link(formats.run_url(outcome.id), label)
        is_run = run is not None and run.id == outcome.id
        return formats.two_lines(result, "" if is_run else formats.moment(outcome.scheduled_for))

    @admin.display(description="last run")
    def last_run(self, job: Job) -> str:
        """Show when the job last ran, how late it started and how long it took."""
        run = status_of(job).last_run
        return formats.two_lines(formats.moment(run.started_at), timing(run)) if run else "never"

    @admin.display(description="next run")
    def next_run(self, job: Job) -> str:
        return formats.moment(status_of(job).next_run)

    @admin.display(description="not run")
    def not_run(self, job: Job) -> str:
        """Show how many occurrences were skipped or missed."""
        status = status_of(job)
        counts = ((status.skip_count, "skipped"), (status.miss_count, "missed"))
        return (
            ", ".join(f"{count}\N{NO-BREAK SPACE}{word}" for count, word in counts if count)
            or formats.EMPTY
        )

    @admin.display(description="error or reason")
    def last_error(self, job: Job) -> str:
        return formats.block(status_of(job).last_error or "")

    @admin.display(description="metadata")
    def last_metadata(self, job: Job) -> str:
        run = status_of(job).last_run
        return formats.as_json(run.metadata if run else None)


def since(job: Job) -> str:
    """Return since when the job is paused or, failing that, orphaned."""
    if job.paused_at:
        until = (
            format_html(" until {}", formats.moment(job.paused_until)) if job.paused_until else ""
        )
        by = f" by {job.paused_by}" if job.paused_by else ""
        reason = f": {job.pause_reason}" if job.pause_reason else ""
        return format_html(
            "paused since {}{}{}{}", formats.moment(job.paused_at), until, by, reason
        )
    if job.orphaned_at:
        return format_html("orphaned since {}", formats.moment(job.orphaned_at))
    return ""


def timing(run: RunSummary) -> str:
    """Return how late a run started, and how long it took."""
    return f"{formats.length(run.lateness)} late, {formats.took(run.duration)}"
