"""Shows a run while it goes: its log as it comes and, on a terminal, how far it is."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from scheduler_app.cli.api import Api
from scheduler_app.cli.codes import ExitCode
from scheduler_app.cli.output import ENDED, POLL, Output, state
from scheduler_app.execution.bounded_log import NOTE, parts
from scheduler_app.rpc.endpoint import NoAnswer
from scheduler_app.rpc.wire import Values
from scheduler_app.text import length, printable

LONGEST_PARTIAL = 1_000
"""Characters of a line that has not ended, before it is shown as one all the same."""
BAR = 20


def following(
    run_id: int,
    api: Api,
    out: Output,
    ended: Callable[[Values], int],
    *,
    is_known: bool = False,
    with_log: bool = True,
) -> int:
    """Show the run until it has ended; return what `ended` makes of it. A server that has answered
    (`is_known`: about the run, before) and is away is waited for. Ctrl-C ends this, and not the
    run."""
    log = FollowedLog(out)
    told: str | None = None
    try:
        while True:
            try:
                run = api.call("GetRun", run_id=run_id)
            except NoAnswer as error:  # it restarts, say
                if not is_known:
                    raise
                if str(error) != told:
                    out.progress("")
                    out.note(str(error))
                told = str(error)
            else:
                if api.note != told:
                    out.note(api.note)
                told, is_known = api.note, True
                if with_log:
                    log.show(run["log"])
                if state(run) in ENDED:
                    break
                out.progress(progress_line(run))
            time.sleep(POLL)
    except KeyboardInterrupt:
        out.progress("")
        out.note(
            f"Run {run_id} was not ended, only no longer followed: `logs {run_id} --follow` "
            f"follows it again, `cancel {run_id}` ends it."
        )
        return ExitCode.INTERRUPTED
    out.progress("")
    if with_log:
        log.end(run["traceback"])
    return ended(run)


def progress_line(run: Values) -> str:
    """Return how long the run has been going, and how far it is."""
    since = run["start_time"] or run["create_time"]
    span = length(max(datetime.now(UTC) - since, timedelta()))
    words = [f"Run {run['run_id']} is {state(run)} for {span}", _share(run), run["progress_text"]]
    return "  ".join(filter(None, words))


def _share(run: Values) -> str:
    done, total = run["progress_done"], run["progress_total"]
    if done is None:
        return ""
    if not total:
        return f"{done:,.10g} done"
    share = min(max(done / total, 0.0), 1.0)
    bar = "#" * int(share * BAR)
    return f"[{bar:.<{BAR}}] {int(share * 100)}% ({done:,.10g} of {total:,.10g})"


class FollowedLog:
    """Prints what is new of a log: of one that is shortened meanwhile, how much is left out."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self._shown = 0
        """Up to where in the whole log it is printed, or said to be left out."""
        self._rest = ""
        """What is printed once more has come."""
        self._is_in_line = False

    def show(self, log: str) -> None:
        """Print what is new. On a terminal a line that has not ended waits for its end: below it is
        the progress."""
        self._print(self._news(log))

    def end(self, traceback: str) -> None:
        """Print what was held back, end the line, and print this."""
        rest, self._rest = self._rest, ""
        self._write(rest)
        if self._is_in_line:
            self._out.line()
            self._is_in_line = False
        self._out.lines(map(printable, traceback.splitlines()))

    def _news(self, log: str) -> str:
        head, left_out, tail = parts(log)
        size = len(head) + left_out + len(tail)
        shown, self._shown = self._shown, max(self._shown, size)
        if shown >= size:
            return ""
        if shown <= len(head):  # with a note of all that is left out
            return log[shown:]
        begin = size - len(tail)
        return tail[shown - begin :] if shown >= begin else NOTE.format(begin - shown) + tail

    def _print(self, text: str) -> None:
        text = self._rest + text
        cut = len(text) - text.endswith("\r")  # its "\n" may be still to come
        if self._out.shows_progress:
            end = max(text.rfind("\n"), text.rfind("\r", 0, cut)) + 1
            cut = end if len(text) - end < LONGEST_PARTIAL else cut
        ready, self._rest = text[:cut], text[cut:]
        if ready:
            self._out.progress("")
            self._write(ready)
            if self._out.shows_progress and self._is_in_line:
                self._out.line()
                self._is_in_line = False
            self._out.flush()

    def _write(self, text: str) -> None:
        if text:
            lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
            self._out.write("\n".join(map(printable, lines)))
            self._is_in_line = bool(lines[-1])
