"""Which faults are injected when: all drawn from the seed, before anything starts."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from tests.soak.injections import Injection

PAUSE = (1.0, 6.0)
"""Between the beginnings of two faults, in seconds."""


@dataclass(frozen=True, slots=True)
class Step:
    wait: float
    injection: Injection
    seed: int


def steps(seed: int, deck: list[Injection]) -> Iterator[Step]:
    """Without end. Each fault comes once before any comes again."""
    draw = random.Random(seed)
    while True:
        for injection in draw.sample(deck, len(deck)):
            yield Step(draw.uniform(*PAUSE), injection, draw.getrandbits(32))
