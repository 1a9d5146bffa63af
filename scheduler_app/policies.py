"""What a job may choose about how its occurrences are treated."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import TextChoices

from scheduler_app.exceptions import DeclarationError
from scheduler_app.text import shown


class Overlap(TextChoices):
    """What happens to an occurrence whose job is still running."""

    SKIP = "skip", "skip the new occurrence"
    ALLOW = "allow", "let both run"
    QUEUE = "queue", "let one wait"
    CANCEL_PREVIOUS = "cancel_previous", "cancel the one that is going"


class CatchUp(TextChoices):
    """What happens to occurrences that no scheduler could fire within their grace."""

    SKIP = "skip", "none runs"
    ONCE = "once", "the latest runs"
    ALL = "all", "each runs, oldest first"


MAX_NAME = 100
"""Characters of a job's name."""
MAX_APP = 100
"""Characters of the label of a Django app; a longer one is cut."""
MAX_DESCRIPTION = 10_000
"""Characters. A longer one would push all other jobs out of a status."""
MAX_CATCH_UP = 5_000
MAX_RETRIES = 100
MAX_FAILURES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """All that a job may choose, with what it gets if it does not. Times are in seconds."""

    overlap: Overlap = Overlap.SKIP
    catch_up: CatchUp = CatchUp.SKIP
    catch_up_limit: int = 100
    """How many overdue occurrences `catch_up="all"` runs at most: the latest."""
    retries: int = 0
    """How often an occurrence that failed, or was lost with its scheduler, is tried again."""
    retry_delay: float = 60.0
    """The wait before the first retry; it doubles with each further one."""
    retry_max_delay: float = 3600.0
    timeout: float | None = None
    """How long the function may take before its process is killed; None: for ever."""
    isolated: bool = False
    """Whether each run has a process of its own. One with a timeout has it in any case."""
    pause_on_failure: int = 0
    """After how many failures in a row, retries included, the job is paused; 0: never."""

    @property
    def may_overlap(self) -> bool:
        return self.overlap == Overlap.ALLOW

    @property
    def needs_process(self) -> bool:
        return self.isolated or self.timeout is not None

    def retry_after(self, attempt: int, draw: float) -> timedelta | None:
        """Return how long to wait after this attempt (1 is the first) failed; None: no retry is
        left.

        Between half and the whole of the exponential delay, by `draw` from 0 to 1, so that jobs
        that failed together do not come back together."""
        if attempt > self.retries:
            return None
        longest = min(self.retry_max_delay, self.retry_delay * 2.0 ** min(attempt - 1, 60))
        return timedelta(seconds=longest * (1 + draw) / 2)

    def validate(self) -> None:
        """Raise DeclarationError for a value that cannot be used."""
        self._expect_choice("overlap", Overlap)
        self._expect_choice("catch_up", CatchUp)
        self._expect_whole("catch_up_limit", 1, MAX_CATCH_UP)
        self._expect_whole("retries", 0, MAX_RETRIES)
        self._expect_seconds("retry_delay")
        self._expect_seconds("retry_max_delay")
        if self.timeout is not None:
            self._expect_seconds("timeout")
        _expect(isinstance(self.isolated, bool), "isolated", self.isolated, "True or False")
        self._expect_whole("pause_on_failure", 0, MAX_FAILURES)

    def _expect_choice(self, name: str, choices: type[TextChoices]) -> None:
        value = getattr(self, name)
        fine = isinstance(value, str) and value in choices.values
        _expect(fine, name, value, f"one of {', '.join(choices.values)}")

    def _expect_whole(self, name: str, least: int, most: int) -> None:
        value = getattr(self, name)
        whole = isinstance(value, int) and not isinstance(value, bool)
        wanted = f"a whole number from {least} to {most:,}"
        _expect(whole and least <= value <= most, name, value, wanted)

    def _expect_seconds(self, name: str) -> None:
        value = getattr(self, name)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        _expect(number and 0 < value < 1e8, name, value, "a number of seconds above 0")


DEFAULTS = Policies()


def _expect(fine: bool, name: str, value: object, wanted: str) -> None:
    if not fine:
        raise DeclarationError(f"Bad {name} {shown(value)}: use {wanted}.")
