"""Why a job did or did not run at a moment, told truthfully of rows that the engine made."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from scheduler_app import control, jobs
from scheduler_app.control import Actor
from scheduler_app.engine.claim import Claimer
from scheduler_app.exceptions import JobNotFound
from scheduler_app.explain.explain import explain
from scheduler_app.ledger import timetable
from scheduler_app.models import Job, JobCount, JobRun, Node, RunState, Surface, clock
from scheduler_app.registry import JobContext, Registry, job
from tests.engine.conftest import T0, mark_orphans, nothing, sync_jobs
from tests.explain.conftest import SetClock, begin, finish
from tests.harness.heartbeats import close_dead_nodes, heard_at

Declare = Callable[..., None]
Start = Callable[..., Claimer]
ADA = Actor("ada", Surface.CLI)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


@pytest.fixture(autouse=True)
def at_noon(set_clock: SetClock) -> None:
    set_clock(T0)


@pytest.fixture
def claimer(declare: Declare, start: Start, node: Node) -> Claimer:
    """For job a, of every minute from T0 on, and its scheduler, which lives."""
    declare("a")
    return started(start, node)


def started(start: Start, node: Node) -> Claimer:
    """A scheduler that lives around T0."""
    claimer = start()
    live(node, T0 - MINUTE, T0 + timedelta(hours=1))
    return claimer


def live(node: Node, since: datetime, heartbeat: datetime, stopped: datetime | None = None) -> None:
    Node.objects.filter(pk=node.pk).update(started_at=since, stopped_at=stopped)
    heard_at(node, heartbeat)


def why(moment: datetime = T0, now: datetime = T0 + 59.9 * MINUTE, name: str = "a") -> str:
    return explain(name, moment, now)


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (3, "is in 1 min 0 s, and will not run: Paused until 2026-03-02 12:03:30 UTC by ada"),
        (1, "will run in 1 min 0 s, after the pause, which ends at 2026-03-02 12:01:30 UTC."),
    ],
)
def test_moment_after_the_end_of_a_pause(claimer: Claimer, minutes: int, words: str) -> None:
    control.pause("a", by=ADA, until=T0 + minutes * MINUTE + 30 * SECOND)
    told = why(T0 + 2 * MINUTE, now=T0 + MINUTE)
    assert words in told


def test_run_that_was_asked_for_again(
    claimer: Claimer,
) -> None:
    (failed,) = claimer.claim(T0)
    finish([failed], RunState.FAILED, message="ValueError: no rows")
    again = control.retry(failed.pk, by=ADA)
    first = (
        "a 2026-03-02 12:00:00 UTC: failed: started 12:00:03, 3.2 s late, after 12.4 s: "
        f"ValueError: no rows (run {failed.pk})."
    )
    assert why().startswith(f"{first} Asked for again by ada, it waits for ")
    (taken,) = claimer.claim(T0 + SECOND)
    assert taken == again
    finish([taken], late=1, took=2)
    assert why() == (
        f"{first} Asked for again by ada, it ran: started {taken.due_at + SECOND:%H:%M:%S}, 1.0 s "
        f"late, success after 2.0 s (run {again.pk})."
    )


def test_run_that_succeeded(claimer: Claimer) -> None:
    (run,) = claimer.claim(T0)
    finish([run])
    assert why() == (
        "a 2026-03-02 12:00:00 UTC: ran: started 12:00:03, 3.2 s late, success after 12.4 s "
        f"(run {run.pk})."
    )


def test_run_that_started_on_time(claimer: Claimer) -> None:
    finish(claimer.claim(T0), late=0.02)
    assert "started 12:00:00, on time, success" in why()


def test_run_that_failed(claimer: Claimer) -> None:
    finish(claimer.claim(T0), RunState.FAILED, message="ValueError: boom\nand more")
    assert "failed: started 12:00:03, 3.2 s late, after 12.4 s: ValueError: boom (run" in why()


def test_run_that_is_going(claimer: Claimer) -> None:
    (run,) = claimer.claim(T0)
    begin([run], T0 + SECOND)
    assert why().endswith(f"is running: started 12:00:01, 1.0 s late on here:1 (run {run.pk}).")
    control.cancel(run.pk, by=ADA, reason="too slow")
    assert "It has been asked to end. Cancelled by ada (command line): too slow." in why()


def test_run_that_takes_long_comes_with_advice(claimer: Claimer) -> None:
    finish(claimer.claim(T0), took=2)
    (run,) = claimer.claim(T0 + MINUTE)
    begin([run], T0 + MINUTE)
    told = why(T0 + MINUTE, now=T0 + 59 * MINUTE)
    assert "It has been running for 58 min 0 s, usually 2.0 s." in told
    assert "A thread cannot be killed" in told
    assert "restart scheduler here:1" in told


def test_run_of_a_dead_scheduler_was_running(claimer: Claimer, node: Node) -> None:
    (run,) = claimer.claim(T0)
    begin([run], T0)
    Node.objects.filter(pk=node.pk).update(stopped_at=T0 + MINUTE)
    told = why(now=T0 + 59 * MINUTE)
    assert "was running when here:1 died, last heard of at 2026-03-02 12:" in told
    assert "is running" not in told


def test_run_that_was_cancelled(claimer: Claimer) -> None:
    (run,) = claimer.claim(T0)
    reason = "Cancelled by ada (command line): too slow"
    finish([run], RunState.CANCELLED, message=f"{reason}\nTraceback")
    assert f"was cancelled: started 12:00:03, 3.2 s late, for 12.4 s. {reason} (run" in why()


def test_run_that_was_cancelled_before_it_began(claimer: Claimer) -> None:
    (run,) = claimer.claim(T0)
    control.cancel(run.pk, by=ADA, reason="not today")
    assert why().endswith(
        f"did not run. Cancelled by ada (command line): not today (run {run.pk})."
    )


def test_run_that_was_lost(claimer: Claimer, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(claimer.claim(T0), T0)
    live(node, T0 - MINUTE, T0 + 5 * SECOND)
    monkeypatch.setattr(clock, "now", lambda: T0 + 17 * SECOND)
    close_dead_nodes()
    assert (
        "was lost: started 12:00:00, on time, given up after 17.0 s. Lost: its scheduler, here:1, "
        "died or froze during the run (run"
    ) in why()


@pytest.fixture
def retrying(declare: Declare, start: Start, node: Node) -> Claimer:
    declare("a", retries=2, retry_delay=10)
    return started(start, node)


def fail_once(claimer: Claimer, now: datetime, message: str) -> None:
    finish(claimer.claim(now), RunState.FAILED, message=message)
    JobRun.objects.unassigned().update(due_at=now + 10 * SECOND)


def test_retry_that_succeeded(retrying: Claimer) -> None:
    fail_once(retrying, T0, "ValueError: one")
    fail_once(retrying, T0 + 10 * SECOND, "ValueError: two")
    (run,) = retrying.claim(T0 + 20 * SECOND)
    finish([run])
    assert why() == (
        "a 2026-03-02 12:00:00 UTC: failed twice (ValueError: two); succeeded at attempt 3: "
        f"started 12:00:23, 3.2 s late, success after 12.4 s (run {run.pk})."
    )


def test_retry_whose_time_has_not_come(retrying: Claimer) -> None:
    fail_once(retrying, T0, "ValueError: one")
    assert (
        "failed once (ValueError: one); attempt 2 waits for its time to be tried again, 12:00:10, "
        "in 6.0 s (run"
    ) in why(now=T0 + 4 * SECOND)


def test_last_retry_that_failed(retrying: Claimer) -> None:
    for seconds in (0, 10, 20):
        fail_once(retrying, T0 + seconds * SECOND, f"ValueError: {seconds}")
    text = why()
    assert "failed twice (ValueError: 10); failed at attempt 3: started 12:00:23" in text
    assert "after 12.4 s: ValueError: 20" in text


def test_run_that_waits_for_room(claimer: Claimer) -> None:
    claimer.claim(T0)
    JobRun.objects.update(node=None)
    assert "waits for room on a scheduler (run" in why(now=T0 + SECOND)


def test_run_that_waits_for_a_slot(claimer: Claimer) -> None:
    claimer.claim(T0)
    assert "waits for a free slot on scheduler here:1, which has taken it" in why(now=T0 + SECOND)


def test_run_that_waits_for_another(declare: Declare, start: Start, node: Node) -> None:
    declare("a", overlap="queue")
    claimer = started(start, node)
    (first,) = claimer.claim(T0)
    claimer.claim(T0 + MINUTE)
    assert f"waits for run {first.pk} to end" in why(T0 + MINUTE, now=T0 + 1.1 * MINUTE)


def test_run_behind_another_that_waits(declare: Declare, start: Start, node: Node) -> None:
    declare("a", catch_up="all")
    started(start, node).claim(T0 + MINUTE, free_slots=0)
    first = JobRun.objects.earliest("due_at")
    assert f"waits for run {first.pk}, which is before it" in why(T0 + MINUTE)


def test_run_that_waits_for_a_scheduler(claimer: Claimer, node: Node) -> None:
    claimer.claim(T0, free_slots=0)
    live(node, T0 - MINUTE, T0 + SECOND, T0 + 2 * SECOND)
    assert ("waits for a scheduler. No scheduler has been alive since 12:00:02 (run") in why(
        now=T0 + MINUTE
    )


def test_run_that_waits_for_its_job_to_be_resumed(claimer: Claimer, set_clock: SetClock) -> None:
    claimer.claim(T0, free_slots=0)
    set_clock(T0 + 5 * SECOND)
    control.pause("a", by=ADA, reason="maintenance")
    assert (
        "waits for the job to be resumed. Paused by ada (command line): maintenance, since "
        "2026-03-02 12:00:05 UTC (run"
    ) in why(now=T0 + 10 * SECOND)


def test_skipped_for_overlap(claimer: Claimer) -> None:
    (run,) = claimer.claim(T0)
    claimer.claim(T0 + MINUTE)
    assert f"12:01:00 UTC: did not run. Skipped: run {run.pk} had not ended (run" in why(
        T0 + MINUTE
    )


def test_missed_while_no_scheduler_was_alive(claimer: Claimer, node: Node) -> None:
    live(node, T0 - timedelta(hours=2), T0 - 61 * SECOND, T0 - MINUTE)
    other = Node.objects.create(name="there:2")
    live(other, T0 + 10 * MINUTE, T0 + timedelta(hours=1))
    claimer.after_stop = True
    claimer.claim(T0 + 10 * MINUTE)
    assert why(T0 + 4 * MINUTE).endswith(
        "So it went 10 occurrences, 2026-03-02 12:00:00 UTC to 12:09:00. "
        "No scheduler was alive from 11:59:00 to 12:10:00."
    )
    assert "12:04:00 UTC: did not run. Missed: no scheduler was running (run" in why(
        T0 + 4 * MINUTE
    )


def test_scheduler_that_died_was_alive_when_it_was_last_heard_of(
    claimer: Claimer, node: Node
) -> None:
    live(node, T0 - timedelta(hours=2), T0 - 25 * SECOND, stopped=T0 + 10 * MINUTE)
    other = Node.objects.create(name="there:2")
    live(other, T0 + 10 * MINUTE, T0 + timedelta(hours=1))
    claimer.after_stop = True
    claimer.claim(T0 + 10 * MINUTE)
    assert "No scheduler was alive from 11:59:35 to 12:10:00." in why()


def test_missed_beside_a_scheduler_that_lacks_the_job(claimer: Claimer, node: Node) -> None:
    Node.objects.update(declares=[])
    claimer.claim(T0 + 10 * MINUTE)
    assert why().endswith("No scheduler alive then had it in its code: here:1.")


def test_missed_by_a_scheduler_that_came_late(claimer: Claimer) -> None:
    claimer.claim(T0 + 10 * MINUTE)
    text = why()
    assert "Missed: the scheduler came too late (run" in text
    assert "alive" not in text


@pytest.fixture
def paused(claimer: Claimer, set_clock: SetClock) -> Claimer:
    set_clock(T0 + 30 * SECOND)
    finish(claimer.claim(T0))
    control.pause("a", by=ADA, reason="maintenance")
    return claimer


BY_ADA = "Paused by ada (command line): maintenance, since 2026-03-02 12:00:30 UTC."


def test_paused_by_whom_since_when_and_why(paused: Claimer, set_clock: SetClock) -> None:
    assert why(T0 + MINUTE) == f"a 2026-03-02 12:01:00 UTC: did not run. {BY_ADA}"
    set_clock(T0 + 5 * MINUTE)
    control.resume("a", by=ADA)
    assert why(T0 + MINUTE).endswith(BY_ADA)


def test_changed_schedule_does_not_hide_who_paused(paused: Claimer) -> None:
    registry = Registry()
    job(name="a", cron="*/5 * * * *", timezone="UTC", registry=registry)(nothing)
    sync_jobs(registry, T0 + 2 * MINUTE)
    assert why(T0 + 5 * MINUTE).endswith(f"did not run. {BY_ADA}")


def test_due_when_it_was_paused(claimer: Claimer, set_clock: SetClock) -> None:
    set_clock(T0 + 30 * SECOND)
    control.pause("a", by=ADA)
    assert "did not run. Skipped: ada paused the job before it was run (run" in why()


def test_future_of_a_paused_job(paused: Claimer) -> None:
    assert why(T0 + 5 * MINUTE, now=T0 + MINUTE).endswith(
        f"is in 4 min 0 s, and will not run: {BY_ADA}"
    )


def test_orphaned_since(claimer: Claimer) -> None:
    finish(claimer.claim(T0))
    Node.objects.update(declares=[])
    mark_orphans(T0 + 30 * SECOND)
    since = "no scheduler's code declared the job since 2026-03-02 12:00:30 UTC."
    assert why(T0 + MINUTE).lower().endswith(since.lower())
    assert "and will not run: no scheduler's code declares the job" in why(
        T0 + 5 * MINUTE, now=T0 + MINUTE
    )


def test_future(claimer: Claimer) -> None:
    assert why(T0 + 5 * MINUTE, now=T0) == "a 2026-03-02 12:05:00 UTC: will run in 5 min 0 s."


def test_future_with_jitter(declare: Declare, start: Start) -> None:
    declare("a", cron="0 * * * *", jitter=600)
    start()
    due_at = timetable.next_due()
    assert due_at is not None
    text = why(now=T0 - SECOND)
    assert f"at {due_at:%H:%M:%S} (jitter" in text
    assert why(due_at, now=T0 - SECOND) == text


def deployed_while_put_off(declare: Declare, start: Start, cron: str) -> str:
    """Noon is put off by jitter; a minute after it a release without jitter and with this
    expression is deployed. Until when noon was put off."""
    declare("a", cron="0 12 * * *", jitter=3000)
    start()
    due_at = timetable.next_due()
    assert due_at is not None
    release = Registry()
    job(name="a", cron=cron, timezone="UTC", registry=release)(nothing)
    sync_jobs(release, T0 + MINUTE)
    return f"{due_at:%H:%M:%S}"


def test_put_off_when_other_jitter_was_deployed(declare: Declare, start: Start) -> None:
    until = deployed_while_put_off(declare, start, "0 12 * * *")
    assert f"waits for its time, {until}, in " in why(now=T0 + MINUTE)


def test_put_off_when_another_schedule_was_deployed(declare: Declare, start: Start) -> None:
    until = deployed_while_put_off(declare, start, "0 15 * * *")
    text = why(now=T0 + MINUTE)
    assert f"did not run. It was delayed until {until} (jitter " in text
    assert text.endswith("and the schedule was changed before, at 12:01:00.")
    assert "not in the schedule" in why(T0 + 2 * MINUTE, now=T0 + 3 * MINUTE)


def test_due_and_not_taken_yet(claimer: Claimer, node: Node) -> None:
    text = "has been due for 30.0 s, and no scheduler has taken it yet."
    assert why(now=T0 + 30 * SECOND).endswith(text)
    Node.objects.update(declares=[])
    assert why(now=T0 + 30 * SECOND).endswith(
        f"{text} No living scheduler has it in its code: here:1."
    )
    live(node, T0 - timedelta(hours=1), T0 - MINUTE, T0 - MINUTE)
    assert why(now=T0 + 30 * SECOND).endswith(f"{text} No scheduler has been alive since 11:59:00.")


def test_occurrence_that_never_had_a_row(claimer: Claimer) -> None:
    finish(claimer.claim(T0))
    JobRun.objects.all().delete()
    JobCount.objects.all().delete()
    assert "no row of the ledger accounts for it" in why()


def test_pruned(claimer: Claimer, set_clock: SetClock) -> None:
    for minute in range(11):
        finish(claimer.claim(T0 + minute * MINUTE))
    set_clock(T0 + timedelta(days=31))
    jobs.prune_run_history(JobContext(job_name="p", run_id=1, scheduled_for=T0))
    assert why().endswith(
        "was due. What became of it is deleted, like more of the history up to "
        "2026-03-02 12:00:00 UTC."
    )
    assert "ran: started" in why(T0 + MINUTE)


def test_not_in_the_schedule(claimer: Claimer) -> None:
    assert why(T0 + 30 * SECOND) == (
        "a 2026-03-02 12:00:30 UTC: not in the schedule. By '* * * * *' the one before is "
        "2026-03-02 12:00:00 UTC and the one after is 2026-03-02 12:01:00 UTC."
    )


@pytest.mark.parametrize(
    ("schedule", "limit"),
    [
        ({"calendar": "MON"}, "its calendar leaves out Monday, 2026-03-02"),
        ({"end": "2026-03-02 11:59:30"}, "it ended at 2026-03-02 11:59:30"),
        ({"start": "2026-03-03"}, "it starts at 2026-03-03 00:00"),
    ],
)
def test_limit_that_leaves_the_moment_out_is_named(
    declare: Declare, start: Start, schedule: dict[str, str], limit: str
) -> None:
    declare("a", **schedule)
    start()
    assert f": not in the schedule: {limit}. By '* * * * * " in why()
    assert why(T0 + 30 * SECOND).startswith("a 2026-03-02 12:00:30 UTC: not in the schedule. By ")


def test_single_moment_has_no_neighbours(declare: Declare, start: Start) -> None:
    declare("a", cron=None, at="2026-03-02 12:00")
    (run,) = start().claim(T0)
    finish([run])
    assert why().startswith("a 2026-03-02 12:00:00 UTC: ran: ")
    assert why(T0 + MINUTE).endswith("the one before is 2026-03-02 12:00:00 UTC.")


def test_before_the_job_was_declared(claimer: Claimer) -> None:
    assert why(T0 - timedelta(days=1)).endswith(
        "the job was declared only at 2026-03-02 11:59:00 UTC."
    )


def test_request_is_found_by_its_second(claimer: Claimer, set_clock: SetClock) -> None:
    set_clock(T0 + 30.4 * SECOND)
    run = control.trigger("a", by=ADA)
    assert why(T0 + 30 * SECOND).startswith(
        "a 2026-03-02 12:00:30 UTC, asked for by ada: waits for room on a scheduler (run"
    )
    control.cancel(run.pk, by=ADA)
    assert why(T0 + 30 * SECOND).endswith(
        f"asked for by ada: did not run. Cancelled by ada (command line) (run {run.pk})."
    )


def test_row_that_the_schedule_does_not_have(claimer: Claimer) -> None:
    finish(claimer.claim(T0))
    JobRun.objects.update(scheduled_for=T0 + 7 * SECOND)
    assert why(T0 + 7 * SECOND).endswith("The schedule of that time does not have this moment.")


def test_minute_stands_for_the_seconds_in_it(declare: Declare, start: Start) -> None:
    declare("a", cron="15,45 * * * * *")
    finish(start().claim(T0 + 15 * SECOND))
    assert why().startswith("a 2026-03-02 12:00:15 UTC: ran: started 12:00:18")
    assert why().endswith("It is the first of 2 in that minute.")
    assert "first of" not in why(T0 + 15 * SECOND)


def test_second_stands_for_itself_alone(claimer: Claimer) -> None:
    assert ": not in the schedule." in why(T0 - 0.5 * SECOND)
    assert ": will run in" in why(T0 + 0.5 * SECOND, now=T0 - SECOND)


def test_unknown_job(db: None) -> None:
    with pytest.raises(JobNotFound, match="nope"):
        why(name="nope")


BERLIN = ZoneInfo("Europe/Berlin")
MARCH = datetime(2026, 3, 28, 12, tzinfo=UTC)
GAP = "02:30:00 does not exist on 2026-03-29 in Europe/Berlin: the clock goes from 02:00 to 03:00."


def berlin(declare: Declare, start: Start, cron: str, at: datetime = MARCH) -> Claimer:
    declare("a", cron=cron, timezone="Europe/Berlin")
    return start(at)


@pytest.mark.parametrize("zone", [None, BERLIN])
def test_gap_after_which_the_job_runs(
    declare: Declare, start: Start, zone: ZoneInfo | None
) -> None:
    finish(berlin(declare, start, "30 2 * * *").claim(datetime(2026, 3, 29, 1, tzinfo=UTC)))
    text = why(datetime(2026, 3, 29, 2, 30, tzinfo=zone), MARCH + timedelta(days=1))
    assert text.startswith(
        f"a: {GAP} The job was to run right after it. 2026-03-29 03:00:00 CEST: ran: started 03:"
    )


def test_gap_that_the_schedule_leaves_out(declare: Declare, start: Start) -> None:
    berlin(declare, start, "*/30 * * * *")
    assert why(datetime(2026, 3, 29, 2, 30), MARCH) == (
        f"a: {GAP} The schedule, '*/30 * * * *', leaves out what the clock skips. "
        "By '*/30 * * * *' the one before is 2026-03-29 01:30:00 CET and the one after is "
        "2026-03-29 03:00:00 CEST."
    )


def test_gap_in_which_nothing_was_to_be(declare: Declare, start: Start) -> None:
    berlin(declare, start, "30 3 * * *")
    text = why(datetime(2026, 3, 29, 2, 30), MARCH)
    assert text.startswith(f"a: {GAP} Nor is it in the schedule. By '30 3 * * *' the one before")


def test_same_time_of_another_day_is_no_gap(declare: Declare, start: Start) -> None:
    berlin(declare, start, "30 2 * * *")
    assert why(datetime(2026, 3, 30, 2, 30), MARCH).startswith("a 2026-03-30 02:30:00 CEST: will")


def test_time_that_the_clock_shows_twice(declare: Declare, start: Start) -> None:
    october = datetime(2026, 10, 24, 12, tzinfo=UTC)
    berlin(declare, start, "30 2 * * *", october)
    wall = datetime(2026, 10, 25, 2, 30)
    assert why(wall, october).startswith("a 2026-10-25 02:30:00 CEST: will run in 12 h 30 min.")
    assert why(wall.replace(fold=1), october) == (
        "a 2026-10-25 02:30:00 CET: the clock showed this time twice, and the schedule has the "
        "first alone, 2026-10-25 02:30:00 CEST."
    )


def test_times_are_in_the_jobs_zone(declare: Declare, start: Start) -> None:
    berlin(declare, start, "0 1 * * *")
    assert why(datetime(2026, 3, 29, 0, tzinfo=UTC), MARCH).startswith("a 2026-03-29 01:00:00 CET")


def test_job_that_has_no_recorded_schedule(db: None) -> None:
    Job.objects.create(name="a", cron="* * * * *", timezone="UTC")
    assert why().endswith("no schedule of the job is recorded.")
