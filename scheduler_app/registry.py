"""Which jobs the code declares.

A faulty declaration does not raise where it stands: it is kept as a problem, which a system check
reports with a hint before anything starts."""

import inspect
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from django.conf import settings
from django.core.management import call_command
from django.utils.module_loading import autodiscover_modules

from scheduler_app.cron import Schedule
from scheduler_app.exceptions import CronError, DeclarationError
from scheduler_app.policies import DEFAULTS, CatchUp, Overlap, Policies

JobFunction = Callable[..., Any]
F = TypeVar("F", bound=JobFunction)

NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,98}[a-z0-9])?")


@dataclass(slots=True, kw_only=True, eq=False)
class JobContext:
    """What a run tells its job, and the job its run."""

    job_name: str
    run_id: int
    scheduled_for: datetime
    """The moment in the schedule (UTC), or the moment of the request."""
    attempt: int = 1
    reported: dict[str, Any] = field(default_factory=dict)
    cancel_event: threading.Event = field(default_factory=threading.Event)
    cancel_reason: str = ""
    """Who cancelled the run and why; empty if nobody did."""
    is_abandoned: bool = False
    """Whether the run has been recorded as lost, and must not go on."""
    cancel_seen: bool = False
    """Whether the job has read `cancelled` as True."""

    @property
    def cancelled(self) -> bool:
        """True once the run should end early: somebody cancelled it, or its scheduler stops."""
        if self.cancel_event.is_set():
            self.cancel_seen = True
        return self.cancel_seen

    def report(self, **values: Any) -> None:
        """Add to the run's metadata; a later value of the same key replaces the earlier one."""
        self.reported.update(values)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDefinition:
    """One declared job."""

    name: str
    function: JobFunction
    schedule: Schedule
    description: str = ""
    policies: Policies = DEFAULTS
    takes_context: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "takes_context", _takes_context(self.function))

    def validate(self) -> None:
        """Raise DeclarationError or CronError if this job cannot be scheduled."""
        if not NAME.fullmatch(self.name):
            raise DeclarationError(
                f"Bad job name {self.name!r}: use 1 to 100 lower-case letters, digits, "
                "'-', '_' and '.', starting and ending with a letter or digit."
            )
        self.policies.validate()
        if inspect.isgeneratorfunction(self.function) or inspect.isasyncgenfunction(self.function):
            raise DeclarationError(
                f"{self.function.__qualname__} is a generator: calling it runs none of its body. "
                "Declare a function without yield."
            )
        try:
            inspect.signature(self.function).bind(*[None] * self.takes_context)
        except TypeError as error:
            raise DeclarationError(
                f"{self.function.__qualname__} cannot be called with a context alone ({error}): "
                "declare it with no parameter or with one."
            ) from error
        self.schedule.validate()


def _takes_context(function: JobFunction) -> bool:
    """Whether it has a parameter for the context: one that it cannot do without, or that is named
    so. Others keep their defaults."""
    return any(
        parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        and (parameter.default is parameter.empty or parameter.name == "context")
        for parameter in inspect.signature(function).parameters.values()
    )


@dataclass(frozen=True, slots=True)
class Problem:
    """A declaration that cannot be used: where it stands and why."""

    declared_at: str
    text: str
    hint: str


class Registry:
    """The jobs of this process's code, by name."""

    def __init__(self) -> None:
        self._definitions: dict[str, JobDefinition] = {}
        self.problems: list[Problem] = []

    def add(self, definition: JobDefinition) -> None:
        """Keep the definition, or the problem that it has."""
        where = f"{definition.function.__module__}.{definition.function.__qualname__}"
        try:
            definition.validate()
        except CronError as error:
            hint = "Five fields (minute hour day month weekday), six with seconds first, or @daily."
            self.problems.append(Problem(where, f"Job {definition.name!r}: {error}", hint))
            return
        except DeclarationError as error:
            self.problems.append(Problem(where, str(error), "Change the arguments of @job."))
            return
        twin = self._definitions.setdefault(definition.name, definition)
        if twin is not definition:
            first = f"{twin.function.__module__}.{twin.function.__qualname__}"
            text = f"Two jobs are named {definition.name!r}: {first} and {where}."
            self.problems.append(Problem(where, text, "Give one of them another name=."))

    def get(self, name: str) -> JobDefinition | None:
        return self._definitions.get(name)

    def __iter__(self) -> Iterator[JobDefinition]:
        return iter(self._definitions.values())

    def __contains__(self, name: str) -> bool:
        return name in self._definitions

    def __len__(self) -> int:
        return len(self._definitions)

    @property
    def names(self) -> list[str]:
        return sorted(self._definitions)


registry = Registry()


def job(
    *,
    cron: str,
    name: str = "",
    timezone: str = "",
    jitter: int = 0,
    description: str = "",
    overlap: str = Overlap.SKIP,
    catch_up: str = CatchUp.SKIP,
    catch_up_limit: int = DEFAULTS.catch_up_limit,
    retries: int = DEFAULTS.retries,
    retry_delay: float = DEFAULTS.retry_delay,
    retry_max_delay: float = DEFAULTS.retry_max_delay,
    timeout: float | None = None,
    isolated: bool = False,
    registry: Registry = registry,
) -> Callable[[F], F]:
    """Declare the decorated function (plain or async, with or without a context) as a job.

    `cron` has five fields (Debian's rules), six with seconds first, or is @hourly, @daily and so
    on, in the IANA zone `timezone` (default: settings.TIME_ZONE). `jitter` puts each occurrence
    off by up to that many seconds. `name` is by default the function's, with dashes; the
    description its docstring. All others are the job's policies: see Policies. The function is
    returned unchanged."""
    policies = Policies(
        overlap=overlap,  # type: ignore[arg-type]  # text is as good as the constant
        catch_up=catch_up,  # type: ignore[arg-type]
        catch_up_limit=catch_up_limit,
        retries=retries,
        retry_delay=retry_delay,
        retry_max_delay=retry_max_delay,
        timeout=timeout,
        isolated=isolated,
    )

    def declare(function: F) -> F:
        job_name = name or function.__name__.replace("_", "-")
        definition = JobDefinition(
            name=job_name,
            function=function,
            schedule=Schedule(cron, timezone or settings.TIME_ZONE, jitter, job_name),
            description=description or inspect.getdoc(function) or "",
            policies=policies,
        )
        registry.add(definition)
        return function

    return declare


class Command:
    """A call of a management command, as a job's function."""

    def __init__(self, command: str, args: Sequence[str], options: Mapping[str, Any]) -> None:
        self.command, self._args, self._options = command, args, options
        self.__module__, self.__qualname__ = "manage.py", command

    def __call__(self) -> None:
        call_command(self.command, *self._args, **self._options)


def command_job(
    command: str,
    *args: str,
    cron: str,
    name: str = "",
    options: dict[str, Any] | None = None,
    **policies: Any,
) -> None:
    """Declare a management command as a job: `command_job("clearsessions", cron="@daily")`.

    `args` are its arguments as on the command line, `options` its options as for call_command;
    all else is as for `job`. What it prints goes where the scheduler's own output goes."""
    policies.setdefault("description", f"manage.py {' '.join([command, *args])}")
    name = name or command.replace("_", "-")
    job(cron=cron, name=name, **policies)(Command(command, args, options or {}))


def autodiscover() -> None:
    """Import the `jobs` module of every installed app, as the admin does with `admin`."""
    autodiscover_modules("jobs")
