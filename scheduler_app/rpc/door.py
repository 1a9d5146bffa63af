"""The command line's way to the scheduler: a server or, if none answers, the database itself."""

import ipaddress
from collections.abc import Callable
from typing import Protocol
from urllib.parse import urlsplit

from scheduler_app.control import Actor
from scheduler_app.models import Surface, database
from scheduler_app.rpc import calls
from scheduler_app.rpc.endpoint import NO_GRPC, NoAnswer, has_grpc, target_of, user
from scheduler_app.rpc.values import Values


class Way(Protocol):
    """Carries out the calls; the answers are those of `calls`. Raises CallError."""

    def status(self) -> Values: ...

    def pause(self, name: str) -> Values: ...

    def resume(self, name: str) -> Values: ...

    def cancel(self, run_id: int, reason: str) -> Values: ...

    def close(self) -> None: ...


class Direct:
    """Does what a server does, in this process."""

    def __init__(self) -> None:
        self._by = Actor(user(), Surface.CLI)

    def status(self) -> Values:
        return calls.get_status()

    def pause(self, name: str) -> Values:
        return calls.pause(name, self._by)

    def resume(self, name: str) -> Values:
        return calls.resume(name, self._by)

    def cancel(self, run_id: int, reason: str) -> Values:
        return calls.cancel(run_id, self._by, reason)

    def close(self) -> None:
        """Django closes the connection."""


class NoClient:
    """In the place of Client where gRPC is not installed."""

    def _answer(self, *_: object) -> Values:
        raise NoAnswer(f"{NO_GRPC}.")

    status = pause = resume = cancel = _answer

    def close(self) -> None:
        """Nothing is open."""


class Door:
    """Asks the server and, if it does not answer, the database. A server on another machine may
    have another database, so its silence is an error: CallError."""

    def __init__(self, endpoint: str) -> None:
        target_of(endpoint)  # raises CallError, gRPC or not
        self._client, self._direct = _client(endpoint), Direct()
        self._is_near = _is_on_this_machine(endpoint)
        self.note = ""
        """What to tell people if the last answer is not a server's."""

    def __enter__(self) -> "Door":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def status(self) -> Values:
        return self._ask(lambda way: way.status())

    def pause(self, name: str) -> Values:
        return self._ask(lambda way: way.pause(name))

    def resume(self, name: str) -> Values:
        return self._ask(lambda way: way.resume(name))

    def cancel(self, run_id: int, reason: str) -> Values:
        return self._ask(lambda way: way.cancel(run_id, reason))

    def _ask(self, call: Callable[[Way], Values]) -> Values:
        self.note = ""
        try:
            return call(self._client)
        except NoAnswer as error:
            if not self._is_near:
                raise
            self.note = f"{error} This is from {_database()} itself."
            return call(self._direct)


def _client(endpoint: str) -> Way:
    if not has_grpc():
        return NoClient()
    from scheduler_app.rpc.client import Client

    return Client(endpoint)


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
