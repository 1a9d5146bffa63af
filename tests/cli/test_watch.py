"""The command `watch`: what it shows, and how it outlasts its server."""

from argparse import Namespace
from collections.abc import Iterator
from typing import Any

import pytest

from scheduler_app.cli import history
from scheduler_app.cli.output import Output
from scheduler_app.rpc.endpoint import CallError, NoAnswer
from scheduler_app.rpc.wire import Values

RUN = {"run_id": 5, "job_name": "nightly", "state": "RUN_STATE_QUEUED"}


def event(**what: Any) -> Values:
    return {"run": None, "job": None, "node": None} | what


def answer(*events: Values, cursor: str = "c", snapshot: bool = False) -> Values:
    return {"events": list(events), "cursor": cursor, "snapshot": snapshot, "bookmark": False}


class Server:
    """Gives these streams of answers, one for each call; the last one ends with Ctrl-C."""

    note = ""

    def __init__(self, *streams: list[Any]) -> None:
        self._streams = list(streams)
        self.cursors = list[str]()

    def call(self, name: str, **fields: Any) -> Values:
        raise AssertionError

    def watch(self, **fields: Any) -> Iterator[Values]:
        self.cursors.append(fields["cursor"])
        for each in self._streams.pop(0):
            if isinstance(each, BaseException):
                raise each
            yield each
        raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)


def watched(server: Server, *, as_json: bool = False) -> int:
    return history.watch(server, Namespace(jobs=[], as_json=as_json), Output())


def test_each_event_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    job = {"job_name": "nightly", "state": "PAUSED"}
    node = {"name": "here:1", "well": False, "problem": "every claim fails: x"}
    snapshot = answer(event(job=job), snapshot=True, cursor="")
    server = Server([snapshot, answer(event(run=RUN)), answer(event(job=job), event(node=node))])
    assert watched(server) == 0
    lines = [line.partition("  ")[2] for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "run 5 of nightly: queued",
        "job nightly: PAUSED",
        "scheduler here:1: every claim fails: x",
    ]


def test_json_has_an_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    watched(Server([answer(event(run=RUN))]), as_json=True)
    assert capsys.readouterr().out == (
        '{"snapshot": false, "run": {"run_id": 5, "job_name": "nightly", '
        '"state": "RUN_STATE_QUEUED"}}\n'
    )


@pytest.mark.parametrize(
    ("error", "cursor"),
    [
        (NoAnswer("No server answers."), "c1"),
        (CallError("too slow", "RESOURCE_EXHAUSTED"), "c1"),
        (CallError("too old", "OUT_OF_RANGE"), ""),
    ],
)
def test_it_resumes_or_begins_anew(
    capsys: pytest.CaptureFixture[str], error: CallError, cursor: str
) -> None:
    server = Server([answer(event(run=RUN), cursor="c1"), error], [])
    assert watched(server) == 0
    assert server.cursors == ["", cursor]
    assert str(error) in capsys.readouterr().err


def test_absence_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    away = NoAnswer("No server answers.")
    run = answer(event(run=RUN))
    watched(Server([run, away], [away], [away], [run, away], []))
    assert capsys.readouterr().err.count("No server answers.") == 2


@pytest.mark.parametrize(
    "error", [NoAnswer("No server answers."), CallError("no", "PERMISSION_DENIED")]
)
def test_what_cannot_begin_is_an_error(error: CallError) -> None:
    with pytest.raises(CallError):
        watched(Server([error]))


def test_refusal_ends_it() -> None:
    refusal = CallError("revoked", "UNAUTHENTICATED")
    with pytest.raises(CallError):
        watched(Server([answer(event(run=RUN)), refusal]))
