"""Since when people look back: "since yesterday evening" and the like."""

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from types import MappingProxyType

EVENING = 18
"""The hour at which people go home."""
DEFAULT = "evening"
SPANS: Mapping[str, timedelta] = MappingProxyType(
    {"12h": timedelta(hours=12), "24h": timedelta(hours=24), "7d": timedelta(days=7)}
)
NAMES = (DEFAULT, *SPANS)


def since(name: str, now: datetime, zone: tzinfo) -> datetime:
    """Return the moment that this name means now; of an unknown one, yesterday evening's."""
    if name in SPANS:
        return now - SPANS[name]
    yesterday = (now.astimezone(zone) - timedelta(days=1)).date()
    return datetime(yesterday.year, yesterday.month, yesterday.day, EVENING, tzinfo=zone)
