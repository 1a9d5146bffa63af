"""How values look on every page. All text is escaped."""

import json
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.contrib.admin.utils import quote
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join

from scheduler_app import text as words
from scheduler_app.cron import MAX_JITTER
from scheduler_app.models import SchedulePeriod
from scheduler_app.status import InterruptedRun

EMPTY = "-"
LONGEST_LINE = 120
LONGEST_SCHEDULE = 80
NBSP = "\N{NO-BREAK SPACE}"
ZERO_PART = re.compile(rf"{NBSP}0{NBSP}\w+$")


def label(state: str, hint: str = "") -> str:
    """Return a state, coloured; the hint is its tooltip."""
    return format_html(
        '<span class="state state-{}" title="{}">{}</span>',
        state.lower().replace(" ", "-"),
        first_line(hint),
        state,
    )


def moment(at: datetime | None) -> str:
    """Return date and time to the second in the current time zone, whose name is the tooltip."""
    if at is None:
        return EMPTY
    local = timezone.localtime(at)
    return format_html(
        '<time datetime="{}" title="{}"><span>{}</span> {}</time>',
        local.isoformat(),
        timezone.get_current_timezone_name(),
        local.strftime("%Y-%m-%d"),
        local.strftime("%H:%M:%S"),
    )


def exact(at: datetime) -> str:
    """Return date and time to the millisecond, with the zone's abbreviation."""
    local = timezone.localtime(at)
    time = f"{local:%H:%M:%S}.{local.microsecond // 1000:03}"
    return format_html(
        '<time datetime="{}"><span>{}</span> {} <span>{}</span></time>',
        local.isoformat(),
        f"{local:%Y-%m-%d}",
        time,
        f"{local:%Z}",
    )


def length(of: timedelta | None) -> str:
    """Return a length of time in its largest units; the spaces do not break."""
    return EMPTY if of is None else words.length(of).replace(" ", NBSP)


def jitter(seconds: int) -> str:
    """Return so many seconds in words; a number that no job can have stays a number."""
    if seconds > MAX_JITTER:
        return f"{seconds:,}{NBSP}s"
    return round_length(timedelta(seconds=seconds))


def round_length(of: timedelta | None) -> str:
    """Return a length that a person chose, such as "2 s" or "1 min", without parts that are
    zero."""
    text = length(of).replace(f".0{NBSP}s", f"{NBSP}s")
    return ZERO_PART.sub("", text)


def took(duration: timedelta | None) -> str:
    """Return how long a run took, on one line."""
    return f"took{NBSP}{length(duration)}"


def first_line(text: str) -> str:
    """Return the first line that says something, cut to a readable length."""
    return words.first_line(text, LONGEST_LINE)


def block(text: str) -> str:
    """Return text as it was written, line by line."""
    return format_html('<pre class="block">{}</pre>', text) if text else EMPTY


def as_json(value: Any) -> str:
    """Return a value as indented JSON."""
    return (
        block(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)) if value else EMPTY
    )


def two_lines(first: str, second: str) -> str:
    """Return the first text and, if there is a second, that in quiet type below it."""
    return format_html('{}<div class="quiet">{}</div>', first, second) if second else first


def joined(parts: Iterable[str], separator: str = " ") -> str:
    """Return the parts side by side."""
    return format_html_join(separator, "{}", ((part,) for part in parts))


def interruption(run: InterruptedRun, what: str = "it") -> str:
    """Return a clause that says that this run was running when its scheduler died."""
    at = moment(run.heartbeat_at)
    return format_html("{} was running when {} died, last heard of at {}", what, run.node, at)


def link(url: str, text: str) -> str:
    """Return the text, as a link if there is an address."""
    return format_html('<a href="{}">{}</a>', url, text) if url else text


def job_url(name: str) -> str:
    """Return the address of the page of one job."""
    return reverse("admin:scheduler_app_job_change", args=[quote(name)])


def run_url(pk: int) -> str:
    """Return the address of the page of one run."""
    return reverse("admin:scheduler_app_jobrun_change", args=[pk])


def schedule(text: str, zone: str) -> str:
    """Return the text of a schedule and its zone; of a long one the head and the tail, and the
    whole under the mouse."""
    code = format_html('<code title="{}">{}</code>', text, words.one_line(text, LONGEST_SCHEDULE))
    return format_html("{} {}", code, zone)


def schedule_of(period: SchedulePeriod) -> str:
    """Return the schedule as it was written: an old one may not be computable today."""
    told = f", jitter{NBSP}{jitter(period.jitter)}" if period.jitter else ""
    return format_html("{}{}", schedule(period.cron, period.timezone), told)
