"""Jobs of other schedulers, written as the jobs.py that declares them here."""

from collections.abc import Callable, Iterable, Mapping

from scheduler_app.importers import (
    celery_beat,
    crontab,
    django_apscheduler,
    django_crontab,
    django_q,
)
from scheduler_app.importers.entry import Entry

SOURCES: Mapping[str, Callable[[], Iterable[Entry]]] = {
    "django-crontab": django_crontab.entries,
    "django-celery-beat": celery_beat.entries,
    "django-q2": django_q.entries,
    "django-apscheduler": django_apscheduler.entries,
}
"""Where the project's settings and database say what there is."""

__all__ = ["SOURCES", "Entry", "crontab"]
