"""What one run changes for the whole process is put back when no run may rely on it."""

import contextlib
import io
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler_app.execution.process_state import ProcessState


@pytest.fixture
def state() -> Iterator[ProcessState]:
    state = ProcessState()
    yield state
    state.enter("last")
    state.leave("last")


def test_change_is_put_back_after_the_run(state: ProcessState, tmp_path: Path) -> None:
    before = os.getcwd()
    state.enter("a")
    os.chdir(tmp_path)
    socket.setdefaulttimeout(1)
    assert state.leave("a") == ["the working directory", "the socket timeout"]
    assert (os.getcwd(), socket.getdefaulttimeout()) == (before, None)


def test_nothing_is_put_back_where_nothing_has_changed(state: ProcessState) -> None:
    state.enter("a")
    assert state.leave("a") == []


def test_change_stays_while_a_run_may_rely_on_it(state: ProcessState) -> None:
    original = sys.stdout
    state.enter("a")
    state.enter("b")
    sys.stdout = replacement = io.StringIO()
    assert state.leave("a") == []
    assert sys.stdout is replacement
    assert state.leave("b") == ["sys.stdout"]
    assert sys.stdout is original


def test_run_that_began_later_does_not_keep_a_change(state: ProcessState) -> None:
    original = sys.stdout
    state.enter("a")
    state.enter("b")
    sys.stdout = io.StringIO()
    state.leave("a")
    state.enter("c")
    assert state.leave("b") == ["sys.stdout"]
    assert sys.stdout is original
    assert state.leave("c") == []


def test_overlapping_redirections_leave_nothing(state: ProcessState) -> None:
    original, first, second = sys.stdout, io.StringIO(), io.StringIO()
    state.enter("a")
    state.enter("b")
    outer, inner = contextlib.redirect_stdout(first), contextlib.redirect_stdout(second)
    outer.__enter__()
    inner.__enter__()
    outer.__exit__(None, None, None)
    assert state.leave("a") == []
    inner.__exit__(None, None, None)
    assert sys.stdout is first  # as the second redirection has found it
    assert state.leave("b") == ["sys.stdout"]
    assert sys.stdout is original


def test_folder_that_is_gone_is_left(state: ProcessState, tmp_path: Path) -> None:
    before = os.getcwd()
    folder = tmp_path / "gone"
    folder.mkdir()
    state.enter("a")
    os.chdir(folder)
    folder.rmdir()
    assert state.leave("a") == ["the working directory"]
    assert os.getcwd() == before
