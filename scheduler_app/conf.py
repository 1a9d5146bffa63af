"""The scheduler's settings, typed, from settings.SCHEDULER."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed

from scheduler_app.exceptions import SettingsError

MISSED_HEARTBEATS = 2.5
"""A node is marked dead once its last heartbeat is this many intervals old. Two and a half, not
three, so that with the default interval its runs are closed within 15 s of its death."""

LONGEST_TEXT = 200
"""How many characters a setting that is a text may have."""

HOUSEKEEPING = {
    "prune-run-history": "15 3 * * *",
    "clear-expired-sessions": "45 3 * * *",
    "compact-database": "0 4 * * SUN",
    "measure-database": "* * * * *",
}
"""When the scheduler's own jobs run, as cron expressions."""


@dataclass(frozen=True, slots=True)
class SchedulerSettings:
    """What settings.SCHEDULER may hold. All times are in seconds."""

    heartbeat: float = 5.0
    """How often a scheduler says in the database that it is alive."""
    shutdown_timeout: float = 30.0
    """How long a stopping scheduler waits for running runs."""
    misfire_grace: float = 60.0
    """How late an occurrence may start and still run; a later one is recorded as missed."""
    max_concurrent_runs: int = 20
    """How many runs one scheduler carries out at a time."""
    cancel_grace: float = 10.0
    """How long a cancelled run in a process of its own has to end before it is killed."""
    log_limit: int = 65_536
    """How many characters of a run's log are kept: its head and its tail."""
    history_days: int = 30
    """How long finished runs are kept; the last ten of every job are kept in any case. Periods of
    schedules by which no run is judged that is kept are kept as long."""
    audit_days: int = 365
    """How long the audit log is kept."""
    rollup_days: int = 400
    """How long weekly figures of each job are kept; hourly ones as long as finished runs."""

    stuck_after: float = 60.0
    """How long a scheduler that makes no progress, while the database answers, waits before it
    ends with a non-zero exit code, so that its supervisor restarts it."""
    installation: str = ""
    """The name of the installation whose database this is, such as "production". A scheduler
    refuses a database that belongs to another installation. Empty: no installation is named."""

    jobs_module: str = "jobs"
    """The name of the module in which an app declares its jobs."""
    jobs_apps: Sequence[str] = ()
    """The apps, as in INSTALLED_APPS, that declare jobs; others may have a module of that name for
    something else. Empty: all that have the module."""
    housekeeping: Mapping[str, str | None] = field(default_factory=dict)
    """Other cron expressions for the scheduler's own jobs, by name; None: the job is not wanted."""

    addable_commands: Sequence[str] = ()
    """The management commands of which people may add jobs, in the admin. Functions are those that
    the code decorates with @job or @schedulable."""

    calls_per_second: int = 200
    """How many calls of the API a second one caller may make; after a rest, those of ten seconds at
    once. The Unix socket's owner may make any number."""
    loopback_control: bool = False
    """Whether anybody on this machine may pause, resume, run and cancel through a loopback address
    without a token: for development."""
    socket: str | None = None
    """The path of the Unix socket at which a scheduler listens besides, for the command line; None:
    one of its own for each database, in a folder that only its user may enter. Empty: none."""
    tls_certificate: str = ""
    """The path of the server's certificate (PEM, with its chain). Empty: no encryption."""
    tls_key: str = ""
    """The path of the certificate's key (PEM)."""
    tls_client_ca: str = ""
    """The path of the certificates (PEM) by which those of clients are verified, which then name
    their users. Empty: clients have tokens alone."""

    apscheduler_admin: bool = False
    """Whether the admin shows django-apscheduler's own pages, for the jobs of a scheduler that the
    project runs itself. They run jobs inside the web request, for all who may view them."""

    def __post_init__(self) -> None:
        for number in fields(self):
            if number.type in (float, int):
                _check_number(number.name, getattr(self, number.name), number.type)
        for name in ("installation", "tls_certificate", "tls_key", "tls_client_ca"):
            _check_text(name, getattr(self, name))
        if self.socket is not None:
            _check_text("socket", self.socket)
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise SettingsError(
                'SCHEDULER["tls_certificate"] and SCHEDULER["tls_key"] belong together: set both.'
            )
        if self.tls_client_ca and not self.tls_certificate:
            raise SettingsError('SCHEDULER["tls_client_ca"] needs SCHEDULER["tls_certificate"].')
        _check_bool("loopback_control", self.loopback_control)
        _check_name("jobs_module", self.jobs_module)
        _check_names("jobs_apps", self.jobs_apps, "apps, such as ['billing']")
        _check_names(
            "addable_commands", self.addable_commands, "commands, such as ['clearsessions']"
        )
        _check_housekeeping(self.housekeeping)
        _check_bool("apscheduler_admin", self.apscheduler_admin)

    @property
    def dead_after(self) -> float:
        """How old, in seconds, a node's last heartbeat is when the node is marked dead."""
        return self.heartbeat * MISSED_HEARTBEATS


def _check_number(name: str, value: object, kind: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise SettingsError(f"SCHEDULER[{name!r}] is {value!r}; it must be a number above zero.")
    if kind is int and not isinstance(value, int):
        raise SettingsError(f"SCHEDULER[{name!r}] is {value!r}; it must be a whole number.")


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise SettingsError(
            f"SCHEDULER[{name!r}] is {value!r}; it must be a text of at most {LONGEST_TEXT} "
            "characters."
        )


def _check_name(name: str, value: object) -> None:
    if not isinstance(value, str) or not value.isidentifier():
        raise SettingsError(
            f"SCHEDULER[{name!r}] is {value!r}; it must be a module's name, such as 'jobs'."
        )


def _check_names(name: str, value: object, wanted: str) -> None:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise SettingsError(f"SCHEDULER[{name!r}] is {value!r}; it must be a list of {wanted}.")


def _check_bool(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise SettingsError(f"SCHEDULER[{name!r}] is {value!r}; it must be True or False.")


def _check_housekeeping(value: object) -> None:
    if not isinstance(value, Mapping) or not all(
        isinstance(cron, str | None) for cron in value.values()
    ):
        raise SettingsError(
            f"SCHEDULER['housekeeping'] is {value!r}; it must be a dictionary of cron expressions "
            "or None, such as {'prune-run-history': '@daily', 'measure-database': None}."
        )
    for name in value:
        if name not in HOUSEKEEPING:
            raise SettingsError(
                f"SCHEDULER['housekeeping'] has no job {name!r}; it has {', '.join(HOUSEKEEPING)}."
            )


@cache
def scheduler_settings() -> SchedulerSettings:
    """Return the settings in force. Raises SettingsError for an unknown key or an impossible
    value."""
    given: dict[str, Any] = getattr(settings, "SCHEDULER", {})
    known = [setting.name for setting in fields(SchedulerSettings)]
    for key in given:
        if key not in known:
            raise SettingsError(f"SCHEDULER has no setting {key!r}; it has {', '.join(known)}.")
    return SchedulerSettings(**given)


def _forget(*, setting: str, **_: object) -> None:
    if setting == "SCHEDULER":
        scheduler_settings.cache_clear()


setting_changed.connect(_forget)
