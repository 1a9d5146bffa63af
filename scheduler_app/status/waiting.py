"""What a run that has not begun waits for."""

from scheduler_app.models import JobRun
from scheduler_app.policies import Overlap
from scheduler_app.status.history import History
from scheduler_app.status.outages import outage_at
from scheduler_app.status.words import length


def reason(run: JobRun, history: History) -> str:
    """What this queued run waits for, after the word "for"."""
    if history.job.is_paused and run.is_scheduled:
        return f"the job to be resumed. {history.pause_at(history.now)}"
    if run.due_at > history.now:
        at = history.clock.near(run.due_at, run.scheduled_for)
        what = "its time to be tried again" if run.attempt > 1 else "its time"
        return f"{what}, {at}, in {length(run.due_at - history.now)}"
    outage = outage_at(history.now, history.now)
    if outage:
        return f"a scheduler. {outage.words(history.clock, run.scheduled_for)}"
    if run.node:
        return f"a free slot on scheduler {run.node}, which has taken it"
    return _other_run(run, history) or "room on a scheduler"


def _other_run(run: JobRun, history: History) -> str:
    if history.job.overlap == Overlap.ALLOW:
        return ""
    others = JobRun.objects.filter(job_name=run.job_name).exclude(pk=run.pk)
    going = others.assigned().order_by("id").first()
    if going:
        return f"run {going.pk} to end"
    ahead = others.unassigned().filter(due_at__lt=run.due_at).order_by("due_at", "id").first()
    return f"run {ahead.pk}, which is before it" if ahead else ""
