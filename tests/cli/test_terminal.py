"""What the command line prints on a terminal, and what in a pipe."""

import io
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from scheduler_app import control
from scheduler_app.cli import output as module
from scheduler_app.cli.output import Line, Output, output
from scheduler_app.control import Actor
from scheduler_app.models import Job, Surface
from scheduler_app.rpc.server import Server
from tests.harness import ROOT
from tests.harness.terminal import Terminal
from tests.rpc.conftest import serve

__all__ = ["serve"]

COLOUR = re.compile(r"\x1b\[[\d;]*3\dm")
ANY = re.compile(r"\x1b\[[\d;?]*[a-zA-Z]")
MakeJob = Callable[..., Job]


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def tty(monkeypatch: pytest.MonkeyPatch) -> Tty:
    for name, value in (("COLUMNS", "80"), ("LINES", "24"), ("TERM", "xterm-256color")):
        monkeypatch.setenv(name, value)
    for name in ("NO_COLOR", "COLORTERM", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return Tty()


def test_states_are_in_colour_on_a_terminal_alone(tty: Tty) -> None:
    rows = [("nightly", "failed"), ("hourly", "IDLE")]
    output(tty).table(("JOB", "RESULT"), rows)
    assert COLOUR.search(tty.getvalue())
    plain = io.StringIO()
    output(plain).table(("JOB", "RESULT"), rows)
    assert plain.getvalue() == "JOB      RESULT\nnightly  failed\nhourly   IDLE\n"


def test_no_color_is_honoured(tty: Tty, monkeypatch: pytest.MonkeyPatch) -> None:
    output(tty, in_colour=False).marked([Line("failed", "failed", 0, 6)])
    monkeypatch.setenv("NO_COLOR", "1")
    output(tty).marked([Line("failed", "failed", 0, 6)])
    assert "failed" in tty.getvalue()
    assert not COLOUR.search(tty.getvalue())


def test_dumb_terminal_gets_no_codes(tty: Tty, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    output(tty).marked([Line("failed", "failed", 0, 6)])
    assert tty.getvalue() == "failed\n"


def test_without_rich_a_terminal_gets_plain_text(tty: Tty, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    out = output(tty)
    assert type(out) is Output
    out.table(("JOB", "RESULT"), [("nightly", "failed")])
    assert tty.getvalue() == "JOB      RESULT\nnightly  failed\n"


def test_what_people_wrote_is_shown_as_it_is(tty: Tty) -> None:
    output(tty).table(("RESULT", "MESSAGE"), [("failed", "[red]x[/red] \x1b[31m :smile:")])
    assert r"[red]x[/red] \x1b[31m :smile:" in ANY.sub("", tty.getvalue())


def test_columns_are_straight_beside_wide_characters(tty: Tty) -> None:
    output(tty).table(("WHO", "ACTION"), [("\u65e5\u672c\u8a9e", "pause"), ("ada", "pause")])
    lines = ANY.sub("", tty.getvalue()).splitlines()[1:]
    assert {cell_len(line.partition("pause")[0]) for line in lines} == {8}


@pytest.mark.parametrize(
    ("columns", "name", "fits"), [(80, 30, True), (80, 40, True), (80, 300, False), (20, 5, False)]
)
def test_nothing_is_cut_off_on_a_narrow_terminal(
    tty: Tty, monkeypatch: pytest.MonkeyPatch, columns: int, name: int, fits: bool
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    row = ("n" * name, "failed", "2026-11-27 03:00:00", "m" * 200)
    output(tty).table(("JOB", "RESULT", "STARTED", "MESSAGE"), [row])
    shown = ANY.sub("", tty.getvalue())
    assert (shown.count("n"), shown.count("m")) == (name, 200)
    assert (max(map(len, shown.splitlines())) <= columns) is fits


def test_screen_that_is_too_small_says_what_is_left(
    tty: Tty, capsys: pytest.CaptureFixture[str]
) -> None:
    out = output(tty)
    with out.screens(), out.screen():
        out.marked(Line(f"job {number}") for number in range(30))
    assert "... and 7 more lines" in ANY.sub("", capsys.readouterr().out)


def test_many_rows_are_printed_without_layout(tty: Tty) -> None:
    output(tty).table(("JOB", "RESULT"), ((f"job-{n}", "failed") for n in range(10_000)))
    assert tty.getvalue().count("\n") == 10_001


@pytest.fixture
def run(
    serve: Callable[..., Server], tmp_path: Path, make_job: MakeJob
) -> Iterator[Callable[..., Any]]:
    """Starts schedulerctl on a terminal, or in a pipe."""
    make_job("nightly")
    control.pause("nightly", by=Actor("ada", Surface.CODE))
    command = [sys.executable, "-m", "scheduler_app.cli.main", "--endpoint", serve().address]
    env = {**os.environ, "HOME": str(tmp_path), "TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
    env.pop("NO_COLOR", None)
    opened: list[Terminal] = []

    def _run(*words: str, on_terminal: bool) -> Any:
        if not on_terminal:
            return subprocess.run(
                [*command, *words], env=env, capture_output=True, text=True, check=True, timeout=60
            ).stdout
        opened.append(Terminal([*command, *words], env, tmp_path))
        return opened[-1]

    yield _run
    for terminal in opened:
        terminal.close()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_status_on_a_terminal_is_that_of_a_pipe_in_colour(run: Callable[..., Any]) -> None:
    shown = run("status", on_terminal=True).end().replace("\r\n", "\n")
    assert COLOUR.search(shown)
    assert ANY.sub("", shown) == run("status", on_terminal=False)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_watch_redraws_until_interrupted(run: Callable[..., Any]) -> None:
    terminal = run("status", "--watch", "0.1", on_terminal=True)
    terminal.until("\x1b[?1049h")  # the screen beside
    terminal.until("nightly")
    terminal.until("nightly")
    terminal.type("\x03")
    assert "\x1b[?1049l" in terminal.end()
    assert terminal.wait() == 0


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_rich_is_imported_on_a_terminal_alone(serve: Callable[..., Server]) -> None:
    code = (
        "import sys; from scheduler_app.cli.main import main; "
        f"main(['--endpoint', {serve().address!r}, 'list']); sys.exit('rich' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0
