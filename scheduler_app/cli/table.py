"""The status as a table for people."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import TypeVar

from scheduler_app.cli.output import Line, pause_words
from scheduler_app.rpc.wire import RESULT, Values
from scheduler_app.text import LONGEST_LIST, first_line, listed, printable

M = TypeVar("M")

HEADER = ("JOB", "STATUS", "LAST RUN", "NEXT RUN", "RUNS", "ERRORS")
WORDS = {"failed": "error"}
"""The word before the reason of an outcome, where it is not the outcome's own name."""
WIDTHS = (20, 12, 20, 20, 10, 10)


def status_lines(status: Values) -> Iterator[str]:
    """Yield the lines to print, with moments in local time. A column grows when a value needs
    it."""
    return (line.text for line in marked_lines(status))


def marked_lines(status: Values) -> Iterator[Line]:
    """Yield the same lines, with their states."""
    label, state = "Scheduler: ", _scheduler_state(status)
    text = f"{label}{printable(_scheduler(status))}"
    yield Line(text, "well" if state == "RUNNING" else "sick", len(label), len(label + state))
    for node in _first(status["nodes"]):
        if not node["well"] and status["scheduler_running"]:
            problem = printable(node["problem"] or "")
            yield _note(f"{printable(node['name'])} does not work: {problem}", "sick")
    yield Line("")
    if not status["jobs"]:
        yield Line("No jobs registered.")
        return
    rows = [_row(job) for job in status["jobs"]]
    widths = [
        max(width, *(len(row[column]) for row in rows)) for column, width in enumerate(WIDTHS)
    ]
    yield Line(_line(HEADER, widths), "header", 0, sum(widths) + len(widths))
    yield Line("-" * sum(widths))
    begin = widths[0] + 1
    for job, row in zip(status["jobs"], rows, strict=True):
        yield Line(_line(row, widths), row[1].lower(), begin, begin + len(row[1]))
        yield from _notes(job)


def _notes(job: Values) -> Iterator[Line]:
    """Yield the lines below a job's row."""
    if job["problem"]:
        yield _note(f"problem: {printable(job['problem'])}", "broken")
    if job["overrides"]:
        yield _note(f"overridden: {printable(', '.join(sorted(job['overrides'])))}")
    if job["is_paused"] and (job["pause_reason"] or job["paused_until_ms"]):
        yield _note(f"paused {printable(pause_words(job))}")
    if job["state"] == "OVERDUE":
        at = _local(job["next_run_ms"], seconds=True)
        yield _note(f"due since {at}, and no scheduler has claimed it", "overdue")
    if job["running_run_ids"]:
        yield _note(f"running: run {listed(map(str, job['running_run_ids']))}")
    for run in _first(job["interrupted_runs"]):
        at = _local(run["last_heartbeat_ms"])
        died = f"was running when {printable(run['node'])} died, last heard of at {at}"
        yield _note(f"run {run['run_id']} {died}", "interrupted")
    if job["last_error"]:
        word = _word(job)
        outcome = job["last_outcome"] or ("failed" if word == "error" else "skipped")
        yield _note(f"{word}: {printable(first_line(job['last_error']))}", outcome)


def _note(text: str, state: str = "") -> Line:
    return Line(f"    {text}", state, 4, 4 + len(text))


def _scheduler_state(status: Values) -> str:
    return status["state"] or ("RUNNING" if status["scheduler_running"] else "STOPPED")


def _scheduler(status: Values) -> str:
    state = _scheduler_state(status)
    since = f" since {_local(status['since_ms'], seconds=True)}" if status["since_ms"] else ""
    problem = f": {status['problem']}" if status["problem"] else ""
    return f"{state}{since}{problem}"


def _first(messages: Iterable[M]) -> Iterator[M]:
    return islice(messages, LONGEST_LIST)


def _row(job: Values) -> tuple[str, ...]:
    return (
        printable(job["job_name"]),
        _state(job),
        _local(job["last_run_ms"]) if job["last_run_ms"] > 0 else "Never",
        _local(job["next_run_ms"]) if job["next_run_ms"] > 0 and not job["is_paused"] else "-",
        str(job["run_count"]),
        str(job["error_count"]),
    )


def _state(job: Values) -> str:
    return job["state"] or _older_state(job)


def _older_state(job: Values) -> str:
    """Return the state that the flags of an older server say, which has no field for it."""
    if job["is_paused"]:
        return "PAUSED"
    if job["is_running"]:
        return "RUNNING"
    return "ORPHANED" if job["is_orphaned"] else "IDLE"


def _word(job: Values) -> str:
    outcome: str = job["last_outcome"]
    if outcome:
        return WORDS.get(outcome, outcome)
    return "not run" if job["last_result"] == f"{RESULT}SKIPPED" else "error"


def _local(ms: int, *, seconds: bool = False) -> str:
    form = "%Y-%m-%d %H:%M:%S %Z" if seconds else "%Y-%m-%d %H:%M"
    return datetime.fromtimestamp(ms / 1000).astimezone().strftime(form)


def _line(values: tuple[str, ...], widths: list[int]) -> str:
    cells = [f"{value:<{width}}" for value, width in zip(values, widths, strict=True)]
    return " ".join(cells).rstrip()
