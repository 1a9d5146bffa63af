"""Filters of the overview's own templates."""

from collections.abc import Sized
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _

from scheduler_app.text import first_line as line_of

register = template.Library()
NBSP = "\N{NO-BREAK SPACE}"
UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))


@register.filter
def near(at: datetime, now: datetime) -> str:
    """Return the time with the zone's abbreviation, and the day unless it is today's."""
    local, today = timezone.localtime(at), timezone.localtime(now).date()
    day = ""
    if local.date() != today:
        is_near = abs(at - now) < timedelta(days=6)
        day = f"{date_format(local, 'D') if is_near else f'{local:%Y-%m-%d}'}{NBSP}"
    return format_html(
        '<time datetime="{}" title="{}">{}{}{}<abbr>{}</abbr></time>',
        local.isoformat(),
        f"{local:%Y-%m-%d %H:%M:%S %Z}",
        day,
        f"{local:%H:%M}",
        NBSP,
        f"{local:%Z}",
    )


@register.filter
def length_of(of: timedelta) -> str:
    """Return a length of time without parts that are zero; the spaces do not break."""
    # Django imports this module to check templates, even where there can be no models of ours.
    from scheduler_app.admin.formats import round_length

    return round_length(of)


@register.filter
def linked_length(url: str, of: timedelta) -> str:
    return linked(url, length_of(of))


@register.filter
def roughly(of: timedelta) -> str:
    """Return how long it is till then, in its largest unit."""
    seconds = max(of.total_seconds(), 0)
    if seconds < 60:
        return f"{seconds:.0f}{NBSP}s"
    if seconds < 3600:
        return f"{seconds // 60:.0f}{NBSP}min"
    if seconds < 86_400:
        return f"{seconds // 3600:.0f}{NBSP}h{NBSP}{seconds % 3600 // 60:.0f}{NBSP}min"
    return f"{seconds // 86_400:.0f}{NBSP}d{NBSP}{seconds % 86_400 // 3600:.0f}{NBSP}h"


@register.filter
def field_moment(at: datetime) -> str:
    """Return the moment as a browser's field for date and time wants it."""
    return f"{timezone.localtime(at):%Y-%m-%dT%H:%M}"


@register.filter
def linked(url: str, text: object) -> str:
    """Return the text as a link, if there is an address."""
    return format_html('<a href="{}">{}</a>', url, text) if url else format_html("{}", text)


@register.filter
def none_as_dot(count: int) -> str:
    if not count:
        return format_html('<span class="quiet">{}</span>', "\N{MIDDLE DOT}")
    return format_html("<b>{}</b>", f"{count:,}")


@register.filter
def is_single(rows: Sized) -> bool:
    return len(rows) == 1


@register.filter
def first_line(text: str) -> str:
    return line_of(text)


@register.filter
def pause_words(job: Any, now: datetime) -> str:
    """Return who paused the job, until when and why."""
    by = job.paused_by or "-"
    reason = f": {line_of(job.pause_reason)}" if job.pause_reason else ""
    if job.paused_until:
        return format_html(_("paused by {} until {}{}"), by, near(job.paused_until, now), reason)
    return format_html(_("paused by {}{}"), by, reason)
