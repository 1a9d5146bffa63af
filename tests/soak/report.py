"""The table at the end."""

from collections import Counter
from collections.abc import Mapping

from tests.soak.timeline import Timeline
from tests.soak.verdict import Figures
from tests.soak.violations import Violations


def table(
    timeline: Timeline,
    figures: Figures,
    samples: Counter[str],
    violations: Violations,
    omitted: Mapping[str, int],
) -> str:
    counts = violations.count()
    states = figures.states
    accounted = figures.expected - figures.excused - figures.lost
    rows: list[tuple[str, object]] = [
        ("occurrences expected", figures.expected),
        ("accounted for", accounted),
        ("excused (their job's row was spoilt)", figures.excused),
        ("lost", figures.lost),
        ("doubled", counts["doubled"]),
        ("stuck", counts["stuck"]),
        ("runs that succeeded", states["success"]),
        ("runs that failed", states["failed"]),
        ("cancelled", states["cancelled"]),
        ("skipped, missed", f"{states['skipped']}, {states['missed']}"),
        ("LOST, explained by a fault", figures.lost_explained),
        ("LOST, unexplained", counts["LOST unexplained"]),
        ("schedulers that ended by themselves", _exits(timeline)),
        ("worst lateness", _late(figures.worst)),
        ("worst without a fault near", _late(figures.worst_unexplained)),
        ("status told the truth", _truth(counts, "grpc status lies", "cli status lies")),
        ("health told the truth", _truth(counts, "health lies")),
        ("audit told the truth", _truth(counts, "audit lies", "final audit")),
    ]
    parts = [
        _lines("Faults", sorted(timeline.count().items())),
        _lines("Answers", sorted(samples.items())),
        _lines("Result", rows),
        _lines("Violations", sorted(counts.items())),
        _lines("Not listed", sorted(omitted.items())),
    ]
    return "\n".join(part for part in parts if part)


def _exits(timeline: Timeline) -> int:
    return sum(fault.category == "exit" for fault in timeline.faults)


def _late(worst: tuple[float, str]) -> str:
    return f"{worst[0]:.1f} s {worst[1]}"


def _truth(counts: Counter[str], *kinds: str) -> str:
    lies = sum(counts[kind] for kind in kinds)
    return "yes" if not lies else f"no, {lies} times"


def _lines(title: str, rows: list[tuple[str, object]] | list[tuple[str, int]]) -> str:
    if not rows:
        return ""
    return "\n".join([f"\n{title}", *(f"  {name:<52} {value}" for name, value in rows)])
