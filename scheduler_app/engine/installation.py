"""A copy of a database must not fire the jobs of the original's installation."""

from scheduler_app.conf import scheduler_settings
from scheduler_app.exceptions import InstallationError
from scheduler_app.logs import SafeLogger
from scheduler_app.models import Installation

logger = SafeLogger(__name__)


def check(*, adopt: bool = False) -> None:
    """Raise InstallationError if the database belongs to another installation than
    SCHEDULER["installation"] names, or to one while that names none. A database that belongs to
    none yet, or is adopted, belongs to it from now on."""
    named, remembered = scheduler_settings().installation, Installation.objects.remembered()
    if named == remembered:
        return
    if remembered and not adopt:
        raise InstallationError(named, remembered)
    Installation.objects.remember(named)
    if remembered:
        logger.warning("the database belonged to %r; now it belongs to %r", remembered, named)
