"""The command line's way to the scheduler: a server or, if none answers, the database itself."""

import ipaddress
from collections.abc import Iterator
from typing import Any, Protocol
from urllib.parse import urlsplit

from scheduler_app.control import Actor
from scheduler_app.models import Surface, database
from scheduler_app.rpc import sockets
from scheduler_app.rpc.calls import CALLS
from scheduler_app.rpc.endpoint import (
    DEFAULT_ENDPOINT,
    NO_GRPC,
    NO_PROOF,
    UNIX,
    NoAnswer,
    Proof,
    has_grpc,
    target_of,
    user,
)
from scheduler_app.rpc.wire import Values


class Way(Protocol):
    """Carries out the calls of the service, by their names in memory.proto; the answers are the
    fields of the responses."""

    def call(self, name: str, **fields: Any) -> Values: ...

    def watch(self, **fields: Any) -> Iterator[Values]: ...

    def close(self) -> None: ...


class Direct:
    """Does what a server does, in this process, but for watching."""

    def __init__(self) -> None:
        self._by = Actor(user(), Surface.CLI)

    def call(self, name: str, **fields: Any) -> Values:
        return CALLS[name].function(self._by, **fields)

    def close(self) -> None:
        """Django closes the connection."""


class NoClient:
    """In the place of Client where gRPC is not installed."""

    def call(self, name: str, **_: Any) -> Values:
        raise NoAnswer(f"{NO_GRPC}.")

    def watch(self, **_: Any) -> Iterator[Values]:
        raise NoAnswer(f"{NO_GRPC}.")

    def close(self) -> None:
        """Nothing is open."""


class Door:
    """Asks the server and, if it does not answer, the database. Without an endpoint the server is
    that at the Unix socket of this database or, if none is there, at DEFAULT_ENDPOINT. A server on
    another machine may have another database, so its silence is an error: CallError."""

    def __init__(
        self, endpoint: str | None = None, proof: Proof = NO_PROOF, deadline: float | None = None
    ) -> None:
        endpoints = [endpoint] if endpoint else [*_sockets(), DEFAULT_ENDPOINT]
        for each in endpoints:
            target_of(each)  # raises CallError, gRPC or not
        self._clients: list[Way] = [_client(each, proof, deadline) for each in endpoints]
        self._direct = Direct()
        self._is_near = _is_on_this_machine(endpoints[-1])
        self.note = ""
        """What to tell people if the last answer is not a server's."""

    def __enter__(self) -> "Door":
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            client.close()

    def call(self, name: str, **fields: Any) -> Values:
        """Return the fields of the answer to the call of this name, given those of its request."""
        self.note = ""
        for client in self._clients:
            try:
                return client.call(name, **fields)
            except NoAnswer as error:
                silence = error
                if error.code:  # it is there, and hangs
                    break
        if not self._is_near:
            raise silence
        self.note = f"{silence} This is from {_database()} itself."
        return self._direct.call(name, **fields)

    def watch(self, **fields: Any) -> Iterator[Values]:
        """Yield the fields of each answer of WatchScheduler. Only a server has it: CallError."""
        for client in self._clients[:-1]:
            try:
                yield from client.watch(**fields)
            except NoAnswer:
                continue
        yield from self._clients[-1].watch(**fields)


def _sockets() -> list[str]:
    path = sockets.path()
    return [f"{UNIX}{path}"] if path and sockets.is_ours(path) else []


def _client(endpoint: str, proof: Proof, deadline: float | None) -> Way:
    if not has_grpc():
        return NoClient()
    from scheduler_app.rpc.client import Client

    return Client(endpoint, proof, deadline)


def _is_on_this_machine(endpoint: str) -> bool:
    if endpoint.startswith(UNIX):
        return True
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
