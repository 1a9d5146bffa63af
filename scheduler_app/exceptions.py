"""Every error that the scheduler raises on purpose; each edge translates this one tree."""


class SchedulerError(Exception):
    """Something that the caller can mend; the text says what was wrong and what would be right."""


class CronError(SchedulerError, ValueError):
    """A cron expression, time zone or jitter that cannot be used."""


class DeclarationError(SchedulerError, ValueError):
    """A job that is declared wrongly: a bad name, two jobs of one name, a bad policy."""


class SettingsError(SchedulerError, ValueError):
    """A key or value in settings.SCHEDULER that cannot be used."""


class JobNotFound(SchedulerError):
    """No job of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Job not found: {name}")
        self.name = name


class RunNotFound(SchedulerError):
    """No run of that id."""

    def __init__(self, run_id: int) -> None:
        super().__init__(f"Run not found: {run_id}")


class InstallationError(SchedulerError):
    """The database belongs to another installation."""

    def __init__(self, named: str, remembered: str) -> None:
        says = f"names {named!r}" if named else "names none"
        super().__init__(
            f"The database belongs to installation {remembered!r}, but "
            f'SCHEDULER["installation"] {says}. If this is a copy, '
            "`manage.py runscheduler --adopt-database` makes it this installation's; until then no "
            "scheduler fires its jobs here."
        )


class ArgumentsError(SchedulerError, ValueError):
    """Keyword arguments that a job's function does not take, or that JSON lacks."""


class RequestError(SchedulerError, ValueError):
    """A value that a call does not take."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


class EtagMismatch(SchedulerError):
    """The job has been changed since it was read."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Job {name} has been changed since you read it: look again.")


class TokenNotFound(SchedulerError):
    """No token of that public id."""

    def __init__(self, public_id: str) -> None:
        super().__init__(f"Token not found: {public_id}")


class NotSignedIn(SchedulerError):
    """Nothing proves who calls."""


class NotPermitted(SchedulerError):
    """Who calls may not do this."""


class CursorError(SchedulerError):
    """A watcher cannot resume from this cursor."""


class TooSlow(SchedulerError):
    """A watcher does not read what it is sent."""


class TooManyCalls(SchedulerError):
    """A caller makes more calls a second than it may."""

    def __init__(self, who: str, rate: int, wait: float) -> None:
        """`wait`: after how many seconds its next call is answered."""
        super().__init__(
            f"Too many calls: {who} may make {rate:,} a second. Try again in {wait:.1f} s, or "
            'raise SCHEDULER["calls_per_second"] on the server.'
        )
        self.wait = wait


class Busy(SchedulerError):
    """Other transactions are in the way; nothing was changed, and it may be tried again."""


class ActionRefused(SchedulerError):
    """The job's present state does not allow what was asked."""
