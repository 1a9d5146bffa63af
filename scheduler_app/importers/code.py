"""The jobs.py that declares what has been imported."""

import re
from collections.abc import Iterable
from datetime import datetime
from pprint import pformat
from textwrap import indent, wrap
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management import get_commands
from django.utils.module_loading import import_string

from scheduler_app.command import Command
from scheduler_app.cron import Fires
from scheduler_app.importers.differences import differences
from scheduler_app.importers.entry import Entry
from scheduler_app.policies import MAX_NAME
from scheduler_app.registry import JobDefinition, Registry, command_job, job
from scheduler_app.text import printable

WIDTH = 98
SHOWN = 3
"""So many moments of a difference are named."""


class Code:
    """A module in the making. `text` is it; `problems` are of entries that are not in it."""

    def __init__(self, source: str, now: datetime) -> None:
        self._now = now
        self._names: set[str] = set()
        self._modules: set[str] = set()
        self._uses: set[str] = set()
        self._blocks = [f"# From {printable(source)}, by manage.py scheduler import."]
        self.problems: list[str] = []
        self.jobs = 0

    @property
    def text(self) -> str:
        names = [name for name in ("command_job", "job") if name in self._uses]
        head = ["import subprocess"] if "subprocess" in self._uses else []
        ours = [f"from scheduler_app import {', '.join(names)}"] if names else []
        theirs = [f"import {module}" for module in sorted(self._modules)]
        imports = "\n\n".join("\n".join(group) for group in (head, theirs, ours) if group)
        first, *others = self._blocks
        return "\n\n".join(filter(None, (first, imports, *others))) + "\n"

    def add(self, entry: Entry) -> None:
        """Add what declares the entry, with what people should know of it."""
        name = self._name(entry.name)
        declared = None if entry.problem else self._declare(entry, name)
        comments = [entry.says, *entry.notes]
        if entry.problem or declared is None:
            self.problems.append(printable(f"{entry.name}: {entry.problem}"))
            comments.append(f"NOT TRANSLATED: {entry.problem}.")
            self._blocks.append(_comment(comments))
            return
        fires = declared.schedule.compute()
        if isinstance(fires, Fires):
            comments += self._differences(entry, fires)
        code = self._code(entry, name)
        if entry.is_disabled:
            comments.append("It is disabled there:")
            code = indent(code, "# ", lambda _: True)
        else:
            self.jobs += 1
        self._blocks.append(f"{_comment(comments)}\n{code}")

    def _declare(self, entry: Entry, name: str) -> JobDefinition | None:
        """Return the job as a scheduler would have it, or None with the entry's problem."""
        registry = Registry()
        if entry.command:
            command, *args = entry.command
            call = Command(command, args, entry.options)
            unknown = "" if command in get_commands() else "there is no such management command"
            entry.problem = unknown or call.fault()
            if entry.problem:
                entry.problem = f"{call.line}: {entry.problem}"
                return None
            command_job(
                command,
                *args,
                name=name,
                options=dict(entry.options),
                registry=registry,
                **entry.arguments,
            )
        else:
            function = import_string(entry.function) if entry.function else _placeholder
            job(name=name, registry=registry, **entry.arguments)(function)
        if registry.problems:
            entry.problem = registry.problems[0].text
            return None
        return registry.get(name)

    def _differences(self, entry: Entry, fires: Fires) -> list[str]:
        if entry.fires is None:
            return []
        old, new = differences(entry.fires(self._now), fires, self._now)
        told = [
            f"{words} {_moments(moments, fires.timezone)}."
            for words, moments in (
                ("There alone it fires at", old),
                ("Here alone it fires at", new),
            )
            if moments
        ]
        return ["In the next 400 days:", *told] if told else []

    def _code(self, entry: Entry, name: str) -> str:
        arguments = ", ".join(
            f"{key}={_value(value)}" for key, value in (entry.arguments | {"name": name}).items()
        )
        if entry.command:
            self._use(entry, "command_job")
            words = ", ".join(_value(word) for word in entry.command)
            options = f", options={_value(dict(entry.options))}" if entry.options else ""
            return f"command_job({words}, {arguments}{options})"
        self._use(entry, "job")
        if entry.function:
            if not entry.is_disabled:
                self._modules.add(entry.function.rpartition(".")[0])
            return f"job({arguments})({entry.function})"
        self._use(entry, "subprocess")
        function = re.sub(r"\W", "_", name)
        return (
            f"@job({arguments})\n"
            f"def _{function}():\n"
            f"    subprocess.run({_value(entry.shell)}, shell=True, check=True)"
        )

    def _use(self, entry: Entry, name: str) -> None:
        if not entry.is_disabled:
            self._uses.add(name)

    def _name(self, text: str) -> str:
        """Return a name for the job that no other has."""
        name = re.sub(r"[^a-z0-9._-]+", "-", text.lower())[: MAX_NAME - 6].strip("-._") or "job"
        unique, number = name, 2
        while unique in self._names:
            unique, number = f"{name}-{number}", number + 1
        self._names.add(unique)
        return unique


def _placeholder() -> None: ...


def _comment(lines: Iterable[str]) -> str:
    return "\n".join(
        f"# {each}"
        for line in lines
        for each in wrap(printable(line), WIDTH, break_on_hyphens=False)
    )


def _moments(moments: list[datetime], zone: str) -> str:
    shown = ", ".join(
        f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S %Z}" for at in moments[:SHOWN]
    )
    return f"{shown} and {len(moments) - SHOWN:,} more times" if len(moments) > SHOWN else shown


def _value(value: Any) -> str:
    if isinstance(value, datetime):
        return repr(value.isoformat(sep=" "))
    return pformat(value, width=10_000, sort_dicts=False)
