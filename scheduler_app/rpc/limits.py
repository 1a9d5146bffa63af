"""How many calls a second one caller may make."""

import ipaddress
import time
from collections.abc import Callable
from functools import lru_cache
from threading import Lock

from scheduler_app.conf import scheduler_settings
from scheduler_app.exceptions import TooManyCalls

BURST = 2.0
"""How many seconds' calls a caller may make at once, after a rest."""
MOST_CALLERS = 10_000
"""So many are remembered. More callers than that share one limit, until others rest."""
SWEPT_EVERY = 1.0
"""Seconds between two looks for callers that rest, where there is no room for another."""
ROUNDING = 1e-6
"""Seconds that say nothing: sums of fractions are not exact."""
OTHERS = "others"
IPV6_NETWORK = 64
"""Bits of an IPv6 address that tell networks apart: one machine may have all addresses of one."""


class Limits:
    """Counts the calls of each caller of one server.

    Of a caller one moment is remembered: when its calls would have been made had it made them at
    the rate that is permitted. Once that has passed, the caller is like a new one and can be
    forgotten; until then it cannot, so that no flood of other callers gives it new calls."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = Lock()
        self._busy_until: dict[str, float] = {}
        self._swept_at = float("-inf")

    def count(self, caller: str, weight: int = 1) -> None:
        """Count a call of this caller, by its name for people, as so many. Raises TooManyCalls,
        and does not count it, if the caller makes too many; after a rest it always may make one."""
        rate = scheduler_settings().calls_per_second
        with self._lock:
            now = self._monotonic()
            known = caller if caller in self._busy_until or self._has_room(now) else OTHERS
            since = max(now, self._busy_until.get(known, now))
            wait = since + weight / rate - now - BURST
            if wait <= ROUNDING or since == now:
                self._busy_until[known] = since + weight / rate
                return
        raise TooManyCalls(caller, max(1, rate // weight), wait)

    def __len__(self) -> int:
        """Return how many callers are remembered."""
        return len(self._busy_until)

    def _has_room(self, now: float) -> bool:
        if len(self._busy_until) >= MOST_CALLERS and now - self._swept_at >= SWEPT_EVERY:
            self._swept_at = now
            going = {name: until for name, until in self._busy_until.items() if until > now}
            self._busy_until = going
        return len(self._busy_until) < MOST_CALLERS


@lru_cache(maxsize=1_000)
def network(host: str) -> str:
    """Return what the limit takes an address for, given as gRPC writes a peer without its port. All
    loopback addresses are one, and so are all IPv6 addresses of one network: who has one of them
    has the others."""
    text = host.partition(":")[2].strip("[]").partition("%")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if address.is_loopback:
        return "loopback addresses"
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.IPv6Network((address, IPV6_NETWORK), strict=False))
