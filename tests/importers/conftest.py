"""Sources to import from, and what comes of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from scheduler_app.registry import JobDefinition, Registry, command_job, job
from tests.cron.samples import utc

NOW = utc("2026-03-01T12:00")
TASKS = "tests.importers.tasks"


@dataclass(frozen=True)
class Imported:
    code: str
    problems: str
    """What the command complained of; empty if it exited with 0."""

    @property
    def jobs(self) -> dict[str, JobDefinition]:
        """What the code declares, once it is carried out."""
        registry = Registry()
        patched = self.code.replace("from scheduler_app import", "# from scheduler_app import")

        def _job(**options: Any) -> Any:
            return job(registry=registry, **options)

        def _command_job(*arguments: Any, **options: Any) -> None:
            command_job(*arguments, registry=registry, **options)

        exec(compile(patched, "jobs.py", "exec"), {"job": _job, "command_job": _command_job})
        assert registry.problems == []
        return {definition.name: definition for definition in registry}

    def comment(self, name: str) -> str:
        """The comment above a job, as one line."""
        (block,) = [block for block in self.code.split("\n\n") if f"name={name!r}" in block]
        lines = [line.removeprefix("# ") for line in block.splitlines() if line.startswith("# ")]
        return " ".join(lines)

    def text(self, name: str) -> str:
        """The text of a job's schedule."""
        return self.jobs[name].schedule.expression


Import = Callable[..., Imported]


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Import:
    monkeypatch.setattr(timezone, "now", lambda: NOW)

    def _import(*arguments: str) -> Imported:
        problems = ""
        try:
            call_command("scheduler", "import", *arguments)
        except CommandError as error:
            problems = str(error)
        return Imported(capsys.readouterr().out, problems)

    return _import
