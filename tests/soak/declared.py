"""The jobs of the soak as data: the nodes declare them, the oracle computes from them."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    name: str
    cron: str
    work: str
    """The function in tests.soak.app.work that carries it out."""
    timezone: str = "UTC"
    policies: dict[str, Any] = field(default_factory=dict)

    @property
    def must_run(self) -> bool:
        """Whether each occurrence has to run, however late."""
        return self.policies.get("catch_up") == "all" and self.policies.get("overlap") == "allow"


SECOND = "* * * * * *"
PULSES = tuple(f"pulse-{number}" for number in range(4))
"""Quick jobs of every second: whether they begin is whether the scheduler fires at all."""
HOSTILE = {"thread": "hostile-thread", "isolated": "hostile-isolated", "async": "hostile-async"}
"""The jobs that obey the soak's orders, by the place where they run."""
WRITERS = ("writer", "async-writer")
"""Jobs of which each success has a row in soak_work."""


def _every(seconds: int) -> str:
    return f"*/{seconds} * * * * *"


def _all(name: str, cron: str, work: str, **others: Any) -> Declared:
    policies = {"catch_up": "all", "catch_up_limit": 5000, "overlap": "allow"} | others
    return Declared(name=name, cron=cron, work=work, policies=policies)


JOBS = (
    *(
        Declared(name=name, cron=SECOND, work="quick", policies={"overlap": "allow"})
        for name in PULSES
    ),
    _all("all-0", SECOND, "quick"),
    _all("all-1", _every(2), "quick"),
    _all("all-2", _every(5), "quick"),
    _all("all-slow", _every(5), "slow"),
    _all("all-in-turn", _every(3), "quick", overlap="skip"),
    _all("all-queued", _every(4), "slow", overlap="queue"),
    _all("all-minutely", "* * * * *", "quick"),
    Declared(name="skip", cron=SECOND, work="slow"),
    Declared(name="once-0", cron=_every(2), work="quick", policies={"catch_up": "once"}),
    Declared(name="once-1", cron=_every(5), work="slow", policies={"catch_up": "once"}),
    Declared(name="queue", cron=_every(2), work="slow", policies={"overlap": "queue"}),
    Declared(
        name="cancel-previous", cron=_every(5), work="long", policies={"overlap": "cancel_previous"}
    ),
    Declared(name="long", cron=_every(20), work="long", policies={"catch_up": "once"}),
    Declared(
        name="retried",
        cron=_every(4),
        work="fails_first",
        policies={"retries": 3, "retry_delay": 1.0, "overlap": "allow"},
    ),
    Declared(name="failing", cron=_every(5), work="fails"),
    Declared(name="jittered", cron=_every(5), work="quick", policies={"jitter": 3}),
    Declared(name="kathmandu", cron="*/7 * * * * *", work="quick", timezone="Asia/Kathmandu"),
    Declared(name="chatham", cron="* * * * *", work="quick", timezone="Pacific/Chatham"),
    Declared(name="writer", cron=_every(2), work="writes", policies={"overlap": "allow"}),
    Declared(name="async-writer", cron=_every(3), work="writes_async"),
    Declared(name="isolated", cron=_every(10), work="quick", policies={"isolated": True}),
    Declared(
        name="isolated-all",
        cron=_every(15),
        work="slow",
        policies={"isolated": True, "catch_up": "all", "overlap": "allow"},
    ),
    Declared(name="timed-out", cron=_every(20), work="hangs", policies={"timeout": 3.0}),
    Declared(name="hostile-thread", cron=_every(2), work="hostile"),
    Declared(name="hostile-async", cron=_every(4), work="hostile_async"),
    Declared(
        name="hostile-isolated",
        cron=_every(5),
        work="hostile",
        policies={"isolated": True, "timeout": 15.0},
    ),
)
BY_NAME = {declared.name: declared for declared in JOBS}
