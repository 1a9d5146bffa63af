"""What a person has chosen to see on the overview: since when, and how much of the time-line."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.http import HttpRequest, QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

EVENING = 18
SINCE = {
    "evening": _("yesterday 18:00"),
    "12h": _("12 h"),
    "24h": _("24 h"),
    "7d": _("7 d"),
}
SPANS = {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7)}
LONGEST = timedelta(days=31)
PARTS = ("now", "timeline")


@dataclass(frozen=True, slots=True)
class Chosen:
    """The words of the address, checked."""

    since_name: str
    """One of SINCE; empty: a moment of the person's own."""
    since: datetime
    span_name: str
    lanes: int
    """Which page of the time-line's lanes."""
    part: str
    """The only part of the page that is wanted; empty: all."""
    query: dict[str, str]

    @property
    def span(self) -> timedelta:
        return SPANS[self.span_name]

    @property
    def now_address(self) -> str:
        return self.address(part="now")

    @property
    def timeline_address(self) -> str:
        return self.address(part="timeline")

    def address(self, **changes: str) -> str:
        """Return the query of this page with these changes."""
        return f"?{urlencode(self.query | changes)}"


def chosen(request: HttpRequest, now: datetime) -> Chosen:
    """Return what the address asks for; what cannot be read is the default."""
    asked: QueryDict = request.GET
    since_name, span_name = asked.get("since", "evening"), asked.get("span", "24h")
    own = None if since_name in SINCE else _own_moment(since_name, now)
    if own is None and since_name not in SINCE:
        since_name = "evening"
    span_name = span_name if span_name in SPANS else "24h"
    lanes, part = _page(asked.get("lanes", "1")), asked.get("part", "")
    return Chosen(
        since_name="" if own else since_name,
        since=own or _named(since_name, now),
        span_name=span_name,
        lanes=lanes,
        part=part if part in PARTS else "",
        query={"since": since_name, "span": span_name, "lanes": str(lanes)},
    )


def _named(name: str, now: datetime) -> datetime:
    if name in SPANS:
        return now - SPANS[name]
    if name == "12h":
        return now - timedelta(hours=12)
    return evening_before(now)


def evening_before(now: datetime) -> datetime:
    """Return when people went home yesterday."""
    yesterday = (timezone.localtime(now) - timedelta(days=1)).date()
    evening = datetime(yesterday.year, yesterday.month, yesterday.day, EVENING)
    return timezone.make_aware(evening)


def _page(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and 0 < int(text[:6]) < 99_999 else 1


def _own_moment(text: str, now: datetime) -> datetime | None:
    """Return a moment of the last month, as a browser's field writes it, in the current zone."""
    try:
        moment = datetime.fromisoformat(text)
        moment = timezone.make_aware(moment) if timezone.is_naive(moment) else moment
        return max(moment, now - LONGEST) if moment <= now else None
    except (ValueError, OverflowError):
        return None
