"""The soak in two minutes, with a fixed seed."""

import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from tests.harness import ROOT

SEED = 8
TIMEOUT = 420


@pytest.mark.slow
def test_soak_of_two_minutes_is_clean(tmp_path: Path) -> None:
    is_sqlite = settings.DATABASES["default"]["ENGINE"].endswith("sqlite3")
    database = "sqlite" if is_sqlite else "postgres"
    command = ["--minutes", "2", "--seed", str(SEED), "--database", database]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.soak", *command, "--folder", tmp_path], cwd=ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as soak:  # fmt: skip
        try:
            output, _ = soak.communicate(timeout=TIMEOUT)
        finally:
            soak.terminate()  # it ends its schedulers
    assert soak.returncode == 0, output
