"""Moments as people speak of them: "in 18 h", "3 min ago", and "03:15 CET" beside it."""

from datetime import datetime, timedelta, tzinfo

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _

from scheduler_app.admin.formats import EMPTY, NBSP

DAY, WEEK = timedelta(days=1), timedelta(days=7)


def rough(of: timedelta) -> str:
    """Return a length in its largest unit alone."""
    seconds = abs(of.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size * (2 if unit == "d" else 1):
            return f"{seconds // size:.0f}{NBSP}{unit}"
    return f"{seconds:.0f}{NBSP}s"


def relative(at: datetime | None, now: datetime) -> str:
    """Return how far away the moment is; date, time and zone are under the mouse."""
    if at is None:
        return EMPTY
    words = _("in %s") if at > now else _("%s ago")
    return _time(at, (words % rough(at - now)).replace(" ", NBSP))


def clock(at: datetime, now: datetime, zone: tzinfo | None = None) -> str:
    """Return the time with the zone's abbreviation, and the day unless it is today."""
    return _time(at, plain_clock(at, now, zone), zone)


def plain_clock(at: datetime, now: datetime, zone: tzinfo | None = None) -> str:
    """Return the same as plain text."""
    local, today = timezone.localtime(at, zone), timezone.localtime(now, zone).date()
    if local.date() == today:
        return f"{local:%H:%M}{NBSP}{_abbreviation(local)}"
    day = weekday(local) if abs(at - now) < WEEK - DAY else f"{local:%Y-%m-%d}"
    return f"{day}{NBSP}{local:%H:%M}{NBSP}{_abbreviation(local)}"


def absolute(at: datetime, zone: tzinfo | None = None) -> str:
    """Return date, time and the zone's abbreviation as plain text."""
    local = timezone.localtime(at, zone)
    return f"{local:%Y-%m-%d %H:%M:%S} {_abbreviation(local)}"


def _time(at: datetime, text: str, zone: tzinfo | None = None) -> str:
    iso = timezone.localtime(at, zone).isoformat()
    return format_html('<time datetime="{}" title="{}">{}</time>', iso, absolute(at, zone), text)


def _abbreviation(local: datetime) -> str:
    return f"{local:%Z}"


def weekday(local: datetime) -> str:
    """Return the short name of the day."""
    return date_format(local, "D")
