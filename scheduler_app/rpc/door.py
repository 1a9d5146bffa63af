"""The command line's way to the scheduler: a server or, if none answers, the database itself."""

import ipaddress
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from scheduler_app.control import Actor
from scheduler_app.models import Surface, database
from scheduler_app.rpc import calls
from scheduler_app.rpc.client import Client, NoAnswer, user
from scheduler_app.rpc.stubs import memory_pb2 as pb

T = TypeVar("T")


class Direct:
    """Does what a server does, in this process."""

    def __init__(self) -> None:
        self._by = Actor(user(), Surface.CLI)

    def status(self) -> pb.GetSchedulerStatusResponse:
        return calls.get_status()

    def pause(self, name: str) -> pb.PauseJobResponse:
        return calls.pause(name, self._by)

    def resume(self, name: str) -> pb.ResumeJobResponse:
        return calls.resume(name, self._by)

    def cancel(self, run_id: int, reason: str) -> pb.CancelRunResponse:
        return calls.cancel(run_id, self._by, reason)


class Door:
    """Asks the server and, if it does not answer, the database. A server on another machine may
    have another database, so its silence is an error: CallError."""

    def __init__(self, endpoint: str) -> None:
        self._client, self._direct = Client(endpoint), Direct()
        self._is_near = _is_on_this_machine(endpoint)
        self.note = ""
        """What to tell people if the last answer is not a server's."""

    def __enter__(self) -> "Door":
        self._client.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.__exit__()

    def status(self) -> pb.GetSchedulerStatusResponse:
        return self._ask(lambda way: way.status())

    def pause(self, name: str) -> pb.PauseJobResponse:
        return self._ask(lambda way: way.pause(name))

    def resume(self, name: str) -> pb.ResumeJobResponse:
        return self._ask(lambda way: way.resume(name))

    def cancel(self, run_id: int, reason: str) -> pb.CancelRunResponse:
        return self._ask(lambda way: way.cancel(run_id, reason))

    def _ask(self, call: Callable[[Client | Direct], T]) -> T:
        self.note = ""
        try:
            return call(self._client)
        except NoAnswer as error:
            if not self._is_near:
                raise
            self.note = f"{error} This is from {_database()} itself."
            return call(self._direct)


def _is_on_this_machine(endpoint: str) -> bool:
    host = urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}").hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _database() -> str:
    values = database.connection().settings_dict
    host = f" at {values['HOST']}" if values.get("HOST") else ""
    return f"the database {values['NAME']}{host}"
