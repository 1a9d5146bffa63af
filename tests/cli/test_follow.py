"""A run is shown while it goes: each character of its log once, and what is dropped is said."""

import io
import re
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler_app.cli import follow
from scheduler_app.cli.codes import ExitCode
from scheduler_app.cli.follow import FollowedLog, following, progress_line
from scheduler_app.cli.output import CLEAR_LINE, Output
from scheduler_app.execution.bounded_log import RunLog, parts
from scheduler_app.rpc.endpoint import NoAnswer

STARTED = datetime(2026, 3, 2, tzinfo=UTC)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(log: str = "", state: str = "RUNNING", **fields: Any) -> dict[str, Any]:
    return {
        "run_id": 5, "state": f"RUN_STATE_{state}", "log": log, "traceback": "",
        "start_time": STARTED, "create_time": STARTED,
        "progress_done": None, "progress_total": None, "progress_text": "",
    } | fields  # fmt: skip


class Server:
    """Answers GetRun with one of these after the other; raises those that are errors."""

    note = ""

    def __init__(self, *answers: Any) -> None:
        self._answers = iter(answers)

    def call(self, name: str, **fields: Any) -> Any:
        assert (name, fields) == ("GetRun", {"run_id": 5})
        answer = next(self._answers)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def watch(self, **fields: Any) -> Iterator[Any]:
        raise NotImplementedError


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "POLL", 0)


Follow = Callable[..., tuple[int, str, str]]


@pytest.fixture(params=[False, True], ids=["pipe", "terminal"])
def is_terminal(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, is_terminal: bool) -> Follow:
    """Follow run 5; return the exit code, standard output and error."""

    def _shown(*answers: Any, **options: Any) -> tuple[int, str, str]:
        out, err = io.StringIO(), Terminal() if is_terminal else io.StringIO()
        monkeypatch.setattr(sys, "stderr", err)
        code = following(5, Server(*answers), Output(out, err), lambda _: 7, **options)
        return code, out.getvalue(), err.getvalue()

    return _shown


def test_log_is_printed_as_it_comes_and_once(shown: Follow) -> None:
    code, out, _ = shown(run("a\n"), run("a\n"), run("a\nb\n"), run("a\nb\nc", "SUCCESS"))
    assert (code, out) == (7, "a\nb\nc\n")


def test_traceback_follows_the_log(shown: Follow) -> None:
    _, out, _ = shown(run("a", "FAILED", traceback="T1\nT2\n"))
    assert out == "a\nT1\nT2\n"


def test_progress_is_shown_on_a_terminal_alone(shown: Follow, is_terminal: bool) -> None:
    half = run(progress_done=45.0, progress_total=90.0, progress_text="pages")
    _, out, err = shown(half, run(state="SUCCESS"))
    assert out == ""
    assert ("[##########..........] 50% (45 of 90)  pages" in err) == is_terminal
    assert err.endswith(CLEAR_LINE) == is_terminal
    assert bool(err) == is_terminal


def test_line_without_end_is_shown_all_the_same(shown: Follow) -> None:
    dots = "." * follow.LONGEST_PARTIAL
    ended = run(dots + "..", "SUCCESS")
    _, out, _ = shown(run(dots), ended)
    assert out.replace("\n", "") == dots + ".."


def test_partial_line_is_written_at_once_to_a_pipe(shown: Follow, is_terminal: bool) -> None:
    _, out, _ = shown(run("50%"), run("50%\r60%\r"), run("50%\r60%\r\nend", "SUCCESS"))
    assert out == "50%\n60%\nend\n"


def test_what_controls_a_terminal_is_escaped(shown: Follow) -> None:
    _, out, _ = shown(run("\x1b[2J\N{SYMBOL FOR NULL}\n", "SUCCESS"))
    assert out == "\\x1b[2J\N{SYMBOL FOR NULL}\n"


def test_interrupt_ends_the_following_and_says_so(shown: Follow) -> None:
    code, out, err = shown(run("a\n"), KeyboardInterrupt())
    assert (code, out) == (ExitCode.INTERRUPTED, "a\n")
    assert "Run 5 was not ended" in err


def test_server_that_restarts_is_waited_for(shown: Follow) -> None:
    gone = NoAnswer("No server answers.")
    _, out, err = shown(run("a\n"), gone, gone, run("a\nb\n", "SUCCESS"))
    assert out == "a\nb\n"
    assert err.count("No server answers.") == 1


def test_server_that_never_answered_is_an_error(shown: Follow) -> None:
    with pytest.raises(NoAnswer):
        shown(NoAnswer("No server answers."))


def test_run_that_is_known_is_waited_for_from_the_start(shown: Follow) -> None:
    code, _, _ = shown(NoAnswer("No server answers."), run(state="SUCCESS"), is_known=True)
    assert code == 7


def test_gap_is_said_once(shown: Follow) -> None:
    log, logs = RunLog(1_000), []
    for number in range(300):
        log.write(f"line {number}\n")
        if number in (20, 200, 299):
            logs.append(log.text())
    _, out, _ = shown(*map(run, logs), run(logs[-1], "SUCCESS"))
    assert out.count("line 20\n") == out.count("line 299\n") == 1
    left_out = [parts(each)[1] for each in logs]
    assert left_out[0] == 0 < left_out[1] < left_out[2]
    assert out.count("characters left out") == 2  # 21 to about 150, and about 200 to 250


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(st.sampled_from("ab\n"), max_size=80), max_size=30), st.data())
def test_each_character_is_printed_or_counted_once(writes: list[str], data: Any) -> None:
    log, out = RunLog(200), io.StringIO()
    followed = FollowedLog(Output(out, io.StringIO()))
    for text in writes:
        log.write(text)
        if data.draw(st.booleans()):
            followed.show(log.text())
    followed.show(log.text())
    whole, text = "".join(writes), out.getvalue()
    position = 0
    for piece in follow_pieces(text):
        if isinstance(piece, int):
            position += piece
        else:
            assert whole[position : position + len(piece)] == piece
            position += len(piece)
    assert position == len(whole)


def follow_pieces(text: str) -> list[str | int]:
    """Return what is printed, and the numbers of characters that are said to be left out."""
    found = re.split(r"\n\[\.\.\. ([\d,]+) characters left out \.\.\.\]\n", text)
    return [int(each.replace(",", "")) if at % 2 else each for at, each in enumerate(found)]


def test_note_that_a_job_prints_is_not_ours() -> None:
    text = "a\n[... 5 characters left out ...]\nbcd"
    assert parts(text) == (text, 0, "")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"progress_done": 3.0}, "3 done"),
        ({"progress_done": 200.0, "progress_total": 100.0}, "100% (200 of 100)"),
        ({"progress_done": 1.5e9, "progress_total": 3e9}, "50% (1,500,000,000 of 3,000,000,000)"),
        ({"progress_text": "starting"}, "starting"),
    ],
)
def test_progress_is_told_as_far_as_it_is_known(fields: dict[str, Any], words: str) -> None:
    assert words in progress_line(run(**fields))
