"""What the commands ask, and what else they need of an answer."""

from collections.abc import Iterator
from typing import Any, Protocol

from scheduler_app.exceptions import JobNotFound, SchedulerError
from scheduler_app.rpc.endpoint import CallError
from scheduler_app.rpc.wire import Values
from scheduler_app.text import nearest

LARGEST_PAGE = 1_000


class Api(Protocol):
    """A server, or the database in its place. Raises CallError or another SchedulerError."""

    @property
    def note(self) -> str:
        """What to tell people of where the last answer is from; empty if it is the server's."""

    def call(self, name: str, **fields: Any) -> Values:
        """Return the fields of the answer to the call of this name, given those of its request."""

    def watch(self, **fields: Any) -> Iterator[Values]:
        """Yield the fields of each answer of WatchScheduler, until it ends."""


class Refused(SchedulerError):
    """What was asked for was not done; the text says why."""


class UnknownJob(Refused):
    """There is no job of that name."""


def every(
    api: Api, name: str, field: str, *, limit: int | None = None, **filters: Any
) -> Iterator[Values]:
    """Yield the rows of a list, `limit` of them at most, asking for one page after the other."""
    token, left = "", limit
    while True:
        size = LARGEST_PAGE if left is None else min(left, LARGEST_PAGE)
        answer = api.call(name, page_size=size, page_token=token, **filters)
        yield from answer[field]
        token = answer["next_page_token"]
        left = None if left is None else left - len(answer[field])
        if not token or left == 0:
            return


def is_unknown_job(error: SchedulerError) -> bool:
    is_answer = isinstance(error, UnknownJob | JobNotFound)
    is_not_found = isinstance(error, CallError) and error.code == "NOT_FOUND"
    return is_answer or (is_not_found and str(error).startswith("Job not"))


def suggestion(api: Api, name: str) -> str:
    """Return the jobs that may be meant; empty if none has a name like this."""
    try:
        names = [job["job_name"] for job in every(api, "ListJobs", "jobs")]
    except SchedulerError:  # the first error is to be told
        return ""
    return nearest(name, names)
