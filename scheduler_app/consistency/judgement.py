"""Which periods can be judged: those whose occurrences this process computes as they were."""

from collections.abc import Sequence
from datetime import datetime

from scheduler_app import zones
from scheduler_app.models import SchedulePeriod, ZoneRules
from scheduler_app.zones import ZoneOffsets


def unjudgeable(periods: Sequence[SchedulePeriod], now: datetime) -> set[int]:
    """Return the ids of the periods by rules of a time zone that this process does not have, unless
    those that it has give the same local times from the period's begin to its end."""
    doubtful = [each for each in periods if each.zone_rules not in ("", _own_rules(each))]
    if not doubtful:
        return set()
    known = ZoneRules.objects.offsets(each.zone_rules for each in doubtful)
    return {each.pk for each in doubtful if not _agrees(each, known.get(each.zone_rules), now)}


def _own_rules(period: SchedulePeriod) -> str:
    return zones.digest(period.timezone)


def _agrees(period: SchedulePeriod, rules: ZoneOffsets | None, now: datetime) -> bool:
    own, end = zones.offsets(period.timezone), period.ends_at or now
    return bool(rules and own and own.agrees_with(rules, period.begins_at, end))
