"""Which jobs the code declares.

A faulty declaration does not raise where it is written: it is kept as a problem, which a system
check reports with a hint before anything starts."""

import inspect
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import wraps
from types import FrameType, FunctionType, MappingProxyType
from typing import Any, ParamSpec, TypeVar, cast

from django.apps import apps
from django.conf import settings

from scheduler_app.command import Command
from scheduler_app.cron import Schedule, Uncomputable, compose
from scheduler_app.exceptions import ArgumentsError, CronError, DeclarationError
from scheduler_app.inspection import (
    JobFunction,
    asked,
    complaint,
    fillable,
    misfit,
    place,
    takes_context,
    with_arguments,
    wrapped,
)
from scheduler_app.metadata import Progress, storable_metadata, storable_progress
from scheduler_app.policies import (
    DEFAULTS,
    MAX_APP,
    MAX_DESCRIPTION,
    MAX_NAME,
    CatchUp,
    Overlap,
    Policies,
)
from scheduler_app.text import is_storable, shown

F = TypeVar("F", bound=JobFunction)
P = ParamSpec("P")
R = TypeVar("R")
NO_ARGUMENTS: Mapping[str, Any] = MappingProxyType({})

NAME = re.compile(rf"[a-z0-9]([a-z0-9._-]{{0,{MAX_NAME - 2}}}[a-z0-9])?")


@dataclass(slots=True, kw_only=True, eq=False)
class JobContext:
    """What a job may ask and report about its run."""

    job_name: str
    run_id: int
    scheduled_for: datetime
    """The moment in the schedule (UTC), or the moment of the request."""
    attempt: int = 1
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """The keyword arguments of this run; none unless a person asked for it with some."""
    reported: dict[str, Any] = field(default_factory=dict)
    last_progress: Progress | None = None
    """What progress() was last given."""
    cancel_event: threading.Event = field(default_factory=threading.Event)
    cancel_reason: str = ""
    """Who cancelled the run and why; empty if it is not cancelled."""
    is_abandoned: bool = False
    """Whether the run has been recorded as lost, and must not continue."""
    cancel_seen: bool = False
    """Whether the job has read `cancelled` as True."""
    error: BaseException | None = None
    """What the function raised in this process, until it has been logged."""

    @property
    def cancelled(self) -> bool:
        """True once the run should end early: it was cancelled, or its scheduler stops."""
        if self.cancel_event.is_set():
            self.cancel_seen = True
        return self.cancel_seen

    def report(self, **values: Any) -> None:
        """Add to the run's metadata; a later value of the same key replaces the earlier one. The
        values are copied; what JSON lacks becomes text. Never raises: a value that cannot be read
        becomes a note."""
        self.reported.update(storable_metadata(values))

    def progress(self, done: float, total: float | None = None, text: str = "") -> None:
        """Say how far the run is: `done` of `total`, and in words what it does. The last call
        counts, and is shown about a second later; a loop may call it for every record. Never
        raises: what is no finite number, or a total that is not above 0, counts as unknown."""
        self.last_progress = storable_progress(done, total, text)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDefinition:
    """One declared job."""

    name: str
    function: JobFunction
    schedule: Schedule
    description: str = ""
    module: str = ""
    """The name of the module that declares it."""
    policies: Policies = DEFAULTS
    takes_context: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "takes_context", takes_context(self.function))

    @property
    def app(self) -> str:
        """Return the label of the app whose code declares it; empty if that is no installed
        app's."""
        found = apps.get_containing_app_config(self.module)
        return found.label[:MAX_APP] if found else ""

    def check_arguments(self, arguments: Mapping[str, Any]) -> None:
        """Raise ArgumentsError unless the function can be called with these keyword arguments, as
        one run of it may be."""
        if text := misfit(self.function, arguments, with_context=self.takes_context):
            raise ArgumentsError(f"Job {self.name} cannot be run with these arguments: {text}.")

    def parameters(self) -> list[inspect.Parameter]:
        """Return the parameters that the keyword arguments of one run may fill."""
        return fillable(self.function, with_context=self.takes_context)

    def validate(self) -> None:
        """Raise DeclarationError or CronError if this job cannot be scheduled."""
        self._validate_function()
        self._validate_texts()
        self.policies.validate()
        fires = self.schedule.compute()
        if isinstance(fires, Uncomputable):
            raise CronError(fires.text)

    def _validate_texts(self) -> None:
        if isinstance(self.name, str) and not self.name:
            raise DeclarationError(
                f"{place(self.function)} has no name of its own: give the job one with name=."
            )
        if not isinstance(self.name, str) or not NAME.fullmatch(self.name):
            raise DeclarationError(
                f"Bad job name {shown(self.name)}: use 1 to {MAX_NAME} lower-case letters, digits, "
                "'-', '_' and '.', starting and ending with a letter or digit."
            )
        if not isinstance(self.description, str):
            raise DeclarationError(f"Bad description {shown(self.description)}: use text.")
        if len(self.description) > MAX_DESCRIPTION:
            raise DeclarationError(
                f"Bad description {shown(self.description)}: "
                f"use at most {MAX_DESCRIPTION:,} characters."
            )
        if not is_storable(self.description):
            raise DeclarationError(
                f"Bad description {shown(self.description)}: remove NUL characters and lone "
                "surrogates, which a database does not store."
            )

    def _validate_function(self) -> None:
        if isinstance(self.function, Command):
            self.function.validate()
        if text := complaint(self.function, with_context=self.takes_context):
            raise DeclarationError(text)


@dataclass(frozen=True, slots=True)
class Problem:
    """A declaration that cannot be used: where it is and why."""

    declared_at: str
    text: str
    hint: str


class Registry:
    """The jobs of this process's code, by name."""

    def __init__(self) -> None:
        self._definitions: dict[str, JobDefinition] = {}
        self.functions: dict[str, JobFunction] = {}
        """By their paths, those of which people may add jobs."""
        self.added: Mapping[str, JobDefinition] = {}
        """The jobs that people have added, as far as this process knows and its code can run them.
        They are no part of what the code declares; a declared job of the same name hides one."""
        self.problems: list[Problem] = []

    def add(self, definition: JobDefinition) -> None:
        """Keep the definition, or the problem that it has."""
        where = place(definition.function)
        try:
            definition.validate()
        except (CronError, DeclarationError) as error:
            self.refuse(definition.name, definition.function, error)
            return
        except Exception as error:  # an object of the project, which raises when it is inspected
            text = f"Job {shown(definition.name)} cannot be inspected: {shown(error)}."
            self.problems.append(Problem(where, text, "Declare a plain function."))
            return
        twin = self._definitions.setdefault(definition.name, definition)
        if twin is not definition:
            first = place(twin.function)
            text = f"Two jobs are named {definition.name!r}: {first} and {where}."
            self.problems.append(Problem(where, text, "Give one of them another name=."))

    def refuse(
        self, name: object, function: JobFunction, error: CronError | DeclarationError
    ) -> None:
        """Keep why the function cannot be declared as this job."""
        if isinstance(error, CronError):
            text = f"Job {shown(name)}: {error}"
            hint = (
                "Write cron='0 1 * * *' (or six fields, or @daily), every='5m' or at='2026-12-24'."
            )
        else:
            text, hint = str(error), "Change the arguments of @job."
        self.problems.append(Problem(place(function), text, hint))

    def offer(self, function: JobFunction) -> None:
        """Have people be able to add jobs that call this function, if it has a path."""
        if type(function) is FunctionType and "<" not in function.__qualname__:
            self.functions[f"{function.__module__}.{function.__qualname__}"] = function

    def get(self, name: str) -> JobDefinition | None:
        return self._definitions.get(name) or self.added.get(name)

    def declares(self, name: str) -> bool:
        """Return whether the code declares a job of this name."""
        return name in self._definitions

    def __iter__(self) -> Iterator[JobDefinition]:
        return iter(self._definitions.values())

    def __contains__(self, name: str) -> bool:
        return name in self._definitions or name in self.added

    def __len__(self) -> int:
        return len(self._definitions)

    @property
    def names(self) -> list[str]:
        return sorted(self._definitions)


registry = Registry()


def _told_of_misuse(declare: Callable[P, R]) -> Callable[P, R]:
    """Have a call whose arguments do not fit be a problem, and declare nothing: an error while
    jobs.py is imported would end every command of the project."""
    parameters = inspect.signature(declare)

    @wraps(declare)
    def checked(*args: Any, **kwargs: Any) -> Any:
        try:
            parameters.bind(*args, **kwargs)
        except TypeError as error:
            where = _calling_line()
            text = f"{declare.__name__}() cannot be called so: {error}."
            hint = 'Write @job(cron="0 1 * * *") or command_job("clearsessions", cron="@daily").'
            kwargs.get("registry", registry).problems.append(Problem(where, text, hint))
            is_bare = len(args) == 1 and not kwargs
            return args[0] if is_bare else _unchanged
        return declare(*args, **kwargs)

    return cast(Callable[P, R], checked)


def _calling_line() -> str:
    """Return where this module is called from."""
    frame = _calling_frame()
    return f"{frame.f_globals.get('__name__')}, line {frame.f_lineno}"


def _calling_frame() -> FrameType:
    frame = sys._getframe()
    while frame.f_globals is globals() and frame.f_back:
        frame = frame.f_back
    return frame


def _unchanged(function: F) -> F:
    return function


@_told_of_misuse
def job(
    *,
    cron: str | None = None,
    every: timedelta | str | None = None,
    anchor: datetime | str | None = None,
    at: datetime | str | None = None,
    start: date | str | None = None,
    end: date | str | None = None,
    calendar: Iterable[date | str] | date | str | None = None,
    timezone: str = "",
    jitter: int = 0,
    name: str = "",
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] = NO_ARGUMENTS,
    description: str = "",
    overlap: str = Overlap.SKIP,
    catch_up: str = CatchUp.SKIP,
    catch_up_limit: int = DEFAULTS.catch_up_limit,
    retries: int = DEFAULTS.retries,
    retry_delay: float = DEFAULTS.retry_delay,
    retry_max_delay: float = DEFAULTS.retry_max_delay,
    timeout: float | None = None,
    isolated: bool = False,
    pause_on_failure: int = DEFAULTS.pause_on_failure,
    registry: Registry = registry,
) -> Callable[[F], F]:
    """Declare the decorated function (plain or async, with or without a context) as a job.

    Its schedule is one of these:
    - `cron`: five fields (Debian's rules), six with seconds first, or @hourly, @daily and so on;
    - `every`: an interval ("90s", "5m", "1h30m", "2d", a timedelta), counted from `anchor` (1970 in
      UTC), whatever clocks show meanwhile and whenever schedulers start;
    - `at`: one moment.

    It fires from `start` to `end`, both included, and not on the days of `calendar`: weekdays
    ("SAT", "weekends"), days ("2026-12-25" or a date), days of each year ("12-25") and periods
    ("2026-12-24/2027-01-01"). Clock, days and moments without an offset are those of the IANA zone
    `timezone` (default: settings.TIME_ZONE). `jitter` delays each occurrence by up to that many
    seconds.

    The function is called with `args`, then the context if it takes one, and `kwargs`. `name` is by
    default the function's, with dashes; the description its docstring. All others are the job's
    policies: see Policies. The function is returned unchanged, so that it can be declared once
    more, with another name and schedule."""
    policies = Policies(
        overlap=overlap,  # type: ignore[arg-type]  # text is as good as the constant
        catch_up=catch_up,  # type: ignore[arg-type]
        catch_up_limit=catch_up_limit,
        retries=retries,
        retry_delay=retry_delay,
        retry_max_delay=retry_max_delay,
        timeout=timeout,
        isolated=isolated,
        pause_on_failure=pause_on_failure,
    )

    module = str(_calling_frame().f_globals.get("__name__"))

    def declare(function: F) -> F:
        job_name = _or(name, lambda: function.__name__.replace("_", "-"))
        zone = _or(timezone, lambda: settings.TIME_ZONE)
        try:
            text = compose(
                cron=cron,
                every=every,
                anchor=anchor,
                at=at,
                start=start,
                end=end,
                calendar=calendar,
                timezone=zone,
            )
            call = with_arguments(function, args, kwargs)
        except (CronError, DeclarationError) as error:
            registry.refuse(job_name, function, error)
            return function
        definition = JobDefinition(
            name=job_name,
            function=call,
            schedule=Schedule(text, zone, jitter, job_name),
            description=_or(description, lambda: inspect.getdoc(wrapped(function)) or ""),
            module=module,
            policies=policies,
        )
        registry.add(definition)
        registry.offer(function)
        return function

    return declare


def schedulable(function: F) -> F:
    """Have people be able to add jobs that call the decorated function, as they are of functions
    that @job declares; it is returned unchanged."""
    registry.offer(function)
    return function


def _or(text: str, default: Callable[[], str]) -> str:
    """Return the text, or the default if it is empty. What is no text is a problem to be found."""
    return asked(default, "") if isinstance(text, str) and not text else text


@_told_of_misuse
def command_job(
    command: str,
    *args: str,
    name: str = "",
    options: dict[str, Any] | None = None,
    **schedule_and_policies: Any,
) -> None:
    """Declare a management command as a job: `command_job("clearsessions", cron="@daily")`.

    `args` are its arguments as on the command line, `options` its options as for call_command;
    all else is as for `job`, but a command has a process of its own unless `isolated` is False: it
    may set signal handlers, change the working directory, or end its process."""
    call = Command(command, args, {} if options is None else options)
    schedule_and_policies.setdefault("description", call.line)
    schedule_and_policies.setdefault("isolated", True)
    name = _or(name, lambda: command.replace("_", "-"))
    job(name=name, **schedule_and_policies)(call)
