"""Whatever is typed after manage.py scheduler, it is answered or refused, never a traceback."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler_app.engine.claim import Claimer
from tests.engine.conftest import T0, declare, node, registry, set_clock, start

__all__ = ["declare", "node", "registry", "set_clock", "start"]

years = st.integers(min_value=1, max_value=9999)
zones = st.sampled_from(["", "Z", "+00:00", "-23:59", "+23:59", "+14:00", "+05:53:28"])
times = st.sampled_from(["", "T00:00", "T23:59", "T23:59:59.999999", "T02:30", "T24:00"])
days = st.builds(
    lambda year, month, day: f"{year:04}-{month:02}-{day:02}",
    years,
    st.integers(0, 13),
    st.integers(0, 32),
)
moments = st.builds(
    lambda day, time, zone: f"{day}{time}{zone if time else ''}", days, times, zones
)
verbs = st.sampled_from(
    [
        "pause",
        "resume",
        "cancel",
        "run",
        "retry",
        "show",
        "runs",
        "logs",
        "audit",
        "preview",
        "next",
        "list",
        "nodes",
        "health",
    ]
)
options = st.sampled_from(
    ["--since", "--until", "--tz", "--arg", "--reason", "--limit", "-n", "--after", "--state",
     "--prefix", "--grep", "--actor", "--max-lag", "--json", "--failed", "--failing", "--all"]
)  # fmt: skip
words = st.one_of(
    moments,
    st.text(max_size=20),
    st.sampled_from(["a", "a\0", "\ud800", "-1", "--", "9" * 30, "9" * 5000, "0", "nan", "1e9"]),
)
commands = st.one_of(
    st.builds(lambda moment: ["explain", "a", moment], moments),
    st.builds(lambda name, moment: ["explain", name, moment], words, words),
    st.builds(lambda one, other: ["audit-ledger", "--since", one, "--until", other], words, words),
    st.builds(lambda one, other: ["audit-ledger", f"--since={one}", f"--until={other}"],
              moments, moments),
    st.builds(lambda name: ["audit-ledger", "--job", name], words),
    st.builds(lambda verb, name: [verb, name], verbs, words),
    st.builds(lambda run, reason: ["cancel", run, "--reason", reason], words, words),
    st.builds(lambda seconds: ["status", "--json", f"--watch={seconds}"], words),
    st.builds(lambda verb, word, option, value: [verb, word, option, value],
              verbs, words, options, words),
    st.builds(lambda verb, option, value: [verb, f"{option}={value}"], verbs, options, words),
    st.lists(words, max_size=4),
)  # fmt: skip
EXTREMES = [
    "9999-12-31T23:59", "9999-12-31T23:59:59-23:59", "0001-01-01", "0001-01-01T00:00+23:59",
    "0001-01-01T00:00Z", "1900-01-01T00:00", "1899-12-31T23:59", "2199-12-31T23:59",
    "2199-12-31T23:59:59-23:59", "2200-01-01",
]  # fmt: skip


@pytest.fixture
def ledger(declare: Callable[..., None], start: Callable[..., Claimer]) -> None:
    """Job a, of every day at an hour that the clock skips once a year, has a row."""
    declare("a", cron="30 2 * * *", timezone="Europe/Berlin")
    start().claim(T0)


def run(*arguments: str, endpoint: str = "127.0.0.1:1") -> None:
    with suppress(CommandError, SystemExit):
        call_command("scheduler", "--endpoint", endpoint, *arguments)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(arguments=commands)
def test_arguments_never_end_in_a_traceback(
    ledger: None, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    def stop(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", stop)
    run(*arguments)


@pytest.mark.parametrize("moment", EXTREMES)
def test_extreme_moment_is_explained_or_refused(
    ledger: None, moment: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = ""
    try:
        call_command("scheduler", "explain", "a", moment)
    except CommandError as error:
        told = str(error)
    told += capsys.readouterr().out
    assert told.startswith("a ") or "outside the years 1900 to 2199" in told


@pytest.mark.parametrize("since", EXTREMES)
@pytest.mark.parametrize("until", ["9999-12-31", "0001-01-01", "2030-01-01T00:00Z"])
def test_extreme_bounds_of_an_audit_are_answered(
    ledger: None, since: str, until: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with suppress(SystemExit):
        call_command("scheduler", "audit-ledger", "--since", since, "--until", until)
    assert "1 job, " in capsys.readouterr().out


@pytest.mark.parametrize(
    "endpoint", ["", "\0", "http://", "[::1", "a" * 300 + ":1", "1:1:1:1", "ü:1"]
)
def test_bad_endpoint_never_ends_in_a_traceback(db: Any, endpoint: str) -> None:
    run("status", endpoint=endpoint)
