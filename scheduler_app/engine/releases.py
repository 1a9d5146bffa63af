"""Which code is alive, and which of it decides about a job."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, fields
from functools import lru_cache
from hashlib import blake2b
from itertools import chain
from typing import Any

from django.db.models.functions import Now

from scheduler_app import __version__, zones
from scheduler_app.conf import scheduler_settings
from scheduler_app.models import Node, Release, ZoneRules, change, database
from scheduler_app.policies import Policies
from scheduler_app.registry import JobDefinition, Registry

FIELDS = (
    *("description", "app", "cron", "timezone", "jitter", "zone_rules"),
    *(field.name for field in fields(Policies)),
)
"""What a declaration sets."""

Declaration = Mapping[str, Any]
"""The value of each of FIELDS."""
Declarations = Mapping[str, Declaration]
"""By the names of the jobs."""


def declarations(registry: Iterable[JobDefinition]) -> dict[str, Declaration]:
    """Return what this process's code declares, with the time zone rules that it knows."""
    return {definition.name: _declaration(definition) for definition in registry}


def _declaration(definition: JobDefinition) -> Declaration:
    schedule = definition.schedule
    return asdict(definition.policies) | {
        "description": definition.description,
        "app": definition.app,
        "cron": schedule.expression,
        "timezone": schedule.timezone,
        "jitter": schedule.jitter,
        "zone_rules": zones.digest(schedule.timezone),
    }


def register(name: str, registry: Registry) -> Node:
    """Add this process as a node of its release."""
    declared = declarations(registry)
    digest = _digest(declared)
    with database.atomic():
        remember(digest, declared)
        if not Node.objects.alive().exclude(release=digest).exists():
            Release.objects.filter(digest=digest).update(since=Now())
        change.note_node(name)
        return Node.objects.create(
            name=name,
            declares=sorted(declared),
            release=digest,
            version=__version__,
            slots=scheduler_settings().max_concurrent_runs,
        )


def remember(digest: str, declared: Declarations) -> None:
    """Keep this release, and the rules of its time zones, unless they are known."""
    known = map(zones.offsets, {values["timezone"] for values in declared.values()})
    ZoneRules.objects.remember(each for each in known if each)
    rows = [Release(digest=digest, declares=declared)]
    Release.objects.bulk_create(rows, ignore_conflicts=True)


def living(node: Node, alive: Collection[int]) -> tuple[str, ...]:
    """Return the digests of the releases of the nodes that are alive, this one's own included; the
    one that decides comes first. One that is not kept any more is left out."""
    digests = set(Node.objects.filter(pk__in=alive).values_list("release", flat=True))
    digests.add(node.release)
    return tuple(Release.objects.filter(digest__in=digests).values_list("digest", flat=True))


@lru_cache(maxsize=4)
def deciding(digests: tuple[str, ...]) -> Declarations:
    """Return for each job the declaration of the first of these releases that has one."""
    found: dict[str, Declaration] = {}
    for digest in reversed(digests):
        found |= Release.objects.values_list("declares", flat=True).get(digest=digest)
    return found


@lru_cache(maxsize=4)
def wanted(digests: tuple[str, ...]) -> dict[str, tuple[Any, ...]]:
    """Return the values of FIELDS of each declaration that decides."""
    return values(deciding(digests))


def values(declared: Declarations) -> dict[str, tuple[Any, ...]]:
    """Return the values of FIELDS of each of these declarations."""
    return {name: tuple(map(each.get, FIELDS)) for name, each in declared.items()}


def offers(alive: Collection[int]) -> set[str]:
    """Return the added jobs that some of these nodes say they can run. A row that was changed by
    hand says nothing."""
    rows = Node.objects.filter(pk__in=alive).values_list("offers", flat=True)
    found = chain.from_iterable(names for names in rows if isinstance(names, list))
    return {name for name in found if isinstance(name, str)}


def in_other_zones(declared: Declarations) -> frozenset[str]:
    """Return the jobs whose declaration has rules of its time zone that this process does not
    have."""
    return frozenset(
        name
        for name, values in declared.items()
        if values["zone_rules"] != zones.digest(values["timezone"])
    )


def _digest(declared: Declarations) -> str:
    text = json.dumps(declared, sort_keys=True, default=str)
    return blake2b(text.encode(), digest_size=16).hexdigest()
