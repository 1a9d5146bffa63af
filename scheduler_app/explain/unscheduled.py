"""Moments at which a schedule has nothing, and times that the clock on the wall never shows."""

from datetime import datetime, timedelta

from scheduler_app.cron import Fires, Uncomputable
from scheduler_app.explain.dst_gaps import Gap, first_pass
from scheduler_app.explain.history import History, cannot_be_judged
from scheduler_app.ledger.expected import RESOLUTION
from scheduler_app.models import SchedulePeriod
from scheduler_app.text import length, shown

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def not_scheduled(moment: datetime, until: datetime, history: History) -> str:
    """Return why there is no occurrence from this moment on, and before `until`, and which are its
    neighbours."""
    period = history.period_at(moment)
    if history.first_period is None:
        return "no schedule of the job is recorded."
    if period is None:
        return _before_the_first(history.first_period, history)
    schedule = period.schedule.compute()
    if isinstance(schedule, Uncomputable):
        return cannot_be_judged(period, schedule)
    before = first_pass(moment, history.clock.zone)
    if before and history.occurrences(before, before + MINUTE):
        at = history.clock.full(before)
        return f"the clock showed this time twice, and the schedule has the first alone, {at}."
    changed = _changed_while_delayed(moment, until, period, schedule, history)
    if changed:
        return changed
    limit = schedule.left_out(moment, until)
    why = f"not in the schedule: {limit}." if limit else "not in the schedule."
    return f"{why} {_neighbours(moment, period, schedule, history)}"


def _before_the_first(period: SchedulePeriod, history: History) -> str:
    if history.job.pruned_to:
        to = history.clock.full(history.job.pruned_to)
        return f"the schedule of that time is deleted, like more of the history up to {to}."
    return f"the job was declared only at {history.clock.full(period.begins_at)}."


def _changed_while_delayed(
    moment: datetime, until: datetime, period: SchedulePeriod, schedule: Fires, history: History
) -> str:
    """Return that the schedule had this occurrence, and was changed before its delay by jitter was
    over; empty if that is not the reason."""
    scheduled_for = schedule.scheduled_after(moment - SECOND)
    if period.ends_at is None or scheduled_for is None or scheduled_for >= until:
        return ""
    fire = schedule.next(scheduled_for - RESOLUTION)
    if fire is None or fire.due_at <= period.ends_at:
        return ""
    due_at, changed_at = (
        history.clock.near(at, scheduled_for) for at in (fire.due_at, period.ends_at)
    )
    return (
        f"did not run. It was delayed until {due_at} (jitter "
        f"{length(fire.due_at - scheduled_for)}), and the schedule was changed before, at "
        f"{changed_at}."
    )


def no_such_time(wall: datetime, gap: Gap, history: History) -> str:
    """Return that the clock skips this time, and what that means for the schedule."""
    told = (
        f"{wall:%H:%M:%S} does not exist on {wall:%Y-%m-%d} in {history.clock.zone}: the clock "
        f"goes from {gap.begin:%H:%M} to {gap.end:%H:%M}."
    )
    period = history.period_at(gap.at)
    if period is None:
        return told
    schedule = period.schedule.compute()
    if isinstance(schedule, Uncomputable):
        return f"{told} What that means to the job {cannot_be_judged(period, schedule)}"
    if fires_after_gap(wall, gap, history):
        return told
    if _names(schedule, wall):
        why = f"The schedule, {shown(period.cron)}, leaves out what the clock skips."
    else:
        why = "Nor is it in the schedule."
    return f"{told} {why} {_neighbours(gap.at - SECOND, period, schedule, history)}"


def fires_after_gap(wall: datetime, gap: Gap, history: History) -> bool:
    """Return whether the schedule names this time, and fires right after the gap instead."""
    period = history.period_at(gap.at)
    schedule = period.schedule.compute() if period else None
    if schedule is None or isinstance(schedule, Uncomputable):
        return False
    return _names(schedule, wall) and not schedule.is_by_the_clock


def _neighbours(moment: datetime, period: SchedulePeriod, schedule: Fires, history: History) -> str:
    previous, following = schedule.scheduled_by(moment), schedule.scheduled_after(moment)
    sides = {"before": previous, "after": following}
    told = [f"the one {side} is {history.clock.full(at)}" for side, at in sides.items() if at]
    return f"By {shown(period.cron)} {' and '.join(told) or 'there is no other'}."


def _names(schedule: Fires, wall: datetime) -> bool:
    """Return whether the expression names this time, or one within its minute."""
    return schedule.names(wall, SECOND if wall.second else MINUTE)
