"""The benchmarks can be started: nothing else imports them."""

import os
import subprocess
import sys

from tests.harness import ROOT


def test_program_tells_its_arguments() -> None:
    env = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--help"], cwd=ROOT, env=env, text=True,
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "throughput" in done.stdout
