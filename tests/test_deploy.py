"""docs/deploy promises what the commands and the settings keep."""

import json
import os
import re
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from scheduler_app.conf import SchedulerSettings
from scheduler_app.management.ending import ExitCode
from scheduler_app.management.watch import LONGEST_START, OUTSIDE_MARGIN, longest_stop
from tests.harness.needs import missing

DEPLOY = Path(__file__).resolve().parent.parent / "docs" / "deploy"
UNIT = DEPLOY / "memory-scheduler.service"
RECIPE = (DEPLOY / "Containerfile").read_text()
STOP = longest_stop(SchedulerSettings())


def unit() -> ConfigParser:
    parser = ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT)
    return parser


def takes(arguments: list[str]) -> bool:
    """Whether `manage.py` takes these arguments."""
    name, *rest = arguments
    command = load_command_class(get_commands()[name], name)
    command.create_parser("manage.py", name).parse_args(rest)
    return True


def test_unit_lets_runs_end_before_it_kills() -> None:
    service = unit()["Service"]
    assert service["KillMode"] == "mixed"
    assert float(service["TimeoutStopSec"]) > STOP


def test_unit_starts_again_whatever_the_exit_code_is() -> None:
    assert unit()["Service"]["Restart"] == "always"
    assert unit()["Unit"]["StartLimitIntervalSec"] == "0"


def test_unit_waits_longer_than_the_scheduler_itself_before_it_calls_it_stuck() -> None:
    service = unit()["Service"]
    assert service["Type"] == "notify"
    assert service["NotifyAccess"] == "main"
    assert float(service["WatchdogSec"]) > SchedulerSettings().stuck_after + STOP
    # systemd's own limit of a start, 90 s, is above ours
    assert service.getfloat("TimeoutStartSec", fallback=90) > LONGEST_START + OUTSIDE_MARGIN


def test_unit_starts_a_command_that_there_is() -> None:
    _, manage, *arguments = unit()["Service"]["ExecStart"].split()
    assert manage == "manage.py"
    assert takes(arguments)


def test_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        missing("needs systemd-analyze")
    here = tmp_path / UNIT.name
    here.write_text(UNIT.read_text().replace("/srv/app/.venv/bin/python", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(here)],
        capture_output=True, text=True, timeout=60, check=False, env=os.environ | {"LANG": "C"},
    )  # fmt: skip
    told = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert told == []


def test_container_runs_the_scheduler_itself_as_process_1() -> None:
    (form,) = re.findall(r"^CMD (.+)$", RECIPE, re.MULTILINE)
    python, manage, *arguments = json.loads(form)  # the exec form is JSON
    assert (python, manage) == ("python", "manage.py")
    assert takes(arguments)


def test_container_may_take_as_long_as_a_stop_takes() -> None:
    (seconds,) = re.findall(r"--stop-timeout (\d+)", RECIPE)
    assert float(seconds) > STOP
    assert "STOPSIGNAL" not in RECIPE  # the default, SIGTERM, stops in good order
    assert "--restart always" in RECIPE
    production = (DEPLOY.parent / "production.md").read_text()
    grace = re.findall(r"(?:stop --time|terminationGracePeriodSeconds:) (\d+)", production)
    assert grace
    assert all(float(each) > STOP for each in grace)


TABLE = (DEPLOY.parent / "production.md").read_text().partition("## What the exit codes mean")[2]
LISTED = {int(code) for code in re.findall(r"^\| (\d+) \|", TABLE, re.MULTILINE)}
ARGPARSE = 2


def test_every_exit_code_is_explained() -> None:
    assert {*ExitCode, ARGPARSE} == LISTED


@pytest.mark.parametrize("name", ["runscheduler", "grpcrunserver"])
def test_help_tells_the_exit_codes(name: str) -> None:
    command = load_command_class(get_commands()[name], name)
    told = command.help.partition("Exit codes: ")[2]
    assert {int(code) for code in re.findall(r"(?:^|; )(\d) ", told)} == set(ExitCode)
    assert "128 + N" in told
