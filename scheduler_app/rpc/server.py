"""The gRPC server: address, services, start and stop."""

import ipaddress
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
from django.conf import settings
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from scheduler_app.conf import scheduler_settings
from scheduler_app.logs import SafeLogger
from scheduler_app.rpc.access import Access
from scheduler_app.rpc.endpoint import DEFAULT_ADDRESS, DEFAULT_WORKERS, AddressError
from scheduler_app.rpc.framework import grpc_settings
from scheduler_app.rpc.guard import GuardInterceptor, Pool
from scheduler_app.rpc.health import HealthReporter
from scheduler_app.rpc.interceptors import errors
from scheduler_app.rpc.live import StatusAnswer
from scheduler_app.rpc.servicer import SchedulerService
from scheduler_app.rpc.sockets import UnixSocket, only_for_owner
from scheduler_app.rpc.stubs import memory_pb2, memory_pb2_grpc
from scheduler_app.rpc.watch import Hub
from scheduler_app.status import scheduler_running

logger = SafeLogger(__name__)

MARGIN = 1.0
"""How many seconds later than it should the server may stop."""
MINUTE = 60_000
LONGEST_MESSAGE = 1024 * 1024
"""Bytes of a request: none of ours needs more."""
OPTIONS = (
    # Without it two servers share one port, and each gets some of the calls.
    ("grpc.so_reuseport", 0),
    ("grpc.max_concurrent_streams", 100),
    ("grpc.max_receive_message_length", LONGEST_MESSAGE),
    # A client that is gone without a word (its machine lost power) holds nothing for long.
    ("grpc.keepalive_time_ms", MINUTE // 2),
    ("grpc.keepalive_timeout_ms", MINUTE // 6),
    ("grpc.max_connection_idle_ms", 5 * MINUTE),
    ("grpc.max_connection_age_ms", 10 * MINUTE),
    ("grpc.max_connection_age_grace_ms", MINUTE // 2),
)
SERVICE: str = memory_pb2_grpc.SERVICE.full_name
HEALTH: str = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name


_ports: set[int] = set()
"""The ports on which servers of this process listen."""
_sockets: set[UnixSocket] = set()


def _close_in_child() -> None:
    """Close the servers' sockets in a process that a job has forked. If it outlived the scheduler,
    the next start would find the port taken, and clients would wait for an answer for ever."""
    for held in _sockets:
        held.release()
    if not _ports:
        return
    with suppress(OSError):  # no /proc
        for name in os.listdir("/proc/self/fd"):
            with suppress(OSError):  # it is no socket
                _close_if_ours(socket.socket(fileno=int(name)))


def _close_if_ours(found: socket.socket) -> None:
    try:
        name = found.getsockname()
        is_ours = found.family in (socket.AF_INET, socket.AF_INET6) and name[1] in _ports
        is_ours |= found.family == socket.AF_UNIX and name in {held.where for held in _sockets}
    except OSError:
        is_ours = False
    if is_ours:
        found.close()
    else:
        found.detach()


os.register_at_fork(after_in_child=_close_in_child)


def add_services(server: grpc.Server, *, is_open: bool = False) -> None:
    """Add our service. A project's own GRPC_FRAMEWORK["ROOT_HANDLERS_HOOK"] adds others. `is_open`:
    all who reach the server may do everything."""
    servicer = SchedulerService.as_servicer(hub=Hub(StatusAnswer()), access=Access(is_open=is_open))
    memory_pb2_grpc.add_MemoryServiceServicer_to_server(servicer, server)


class Server:
    """Bound to its port when it is made; raises AddressError if that cannot be. Serves from
    start() to stop()."""

    def __init__(
        self,
        address: str,
        *,
        insecure: bool = False,
        max_workers: int = DEFAULT_WORKERS,
        look: Callable[[], bool] = scheduler_running,
        socket_path: str = "",
    ) -> None:
        """`look` tells whether the scheduler, for which the server answers health checks, works:
        by default, whether any does. `socket_path`: a Unix socket at which to listen besides,
        unless another process does."""
        host, _ = split_address(address)
        self._credentials = _credentials()
        self._is_open = insecure and not is_loopback(host)
        if not (insecure or is_loopback(host) or self._credentials):
            raise AddressError(
                f'{address} can be reached from other machines: set SCHEDULER["tls_certificate"] '
                'and SCHEDULER["tls_key"], use a loopback address, or say --insecure, by which '
                "everybody who reaches it may do everything."
            )
        self.threads: list[threading.Thread] = []
        """Those of gRPC without which no call is answered, once it has been started."""
        self._guard = GuardInterceptor()
        self._pool = Pool(max_workers, thread_name_prefix="scheduler-grpc")
        self._server = grpc.server(
            self._pool,
            interceptors=[self._guard, *_interceptors()],
            options=OPTIONS,
        )
        add_services(self._server, is_open=self._is_open)
        if (hook := _hook()) is not add_services:
            hook(self._server)
        self._health = HealthReporter(("", SERVICE), look)
        health_pb2_grpc.add_HealthServicer_to_server(self._health.servicer, self._server)
        names = (SERVICE, HEALTH, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server, _pool())
        self._port = self._bind(address, insecure)
        self.address = f"{host}:{self._port}"
        self._socket = self._bind_socket(socket_path) if socket_path else None

    @property
    def words(self) -> str:
        socket = f" and {self._socket.target}" if self._socket else ""
        tls = " (TLS)" if self._credentials else ""
        return f"gRPC at {self.address}{tls}{socket}"

    def start(self) -> None:
        if self._is_open:
            logger.warning(
                "gRPC at %s is open: everybody who reaches it may pause, run and cancel jobs",
                self.address,
            )
        self._guard.patience.start()
        before = set(threading.enumerate())
        self._server.start()
        new = set(threading.enumerate()) - before
        self.threads = [thread for thread in new if "_serve" in thread.name]
        self._health.start()

    def stop(self, grace: float) -> None:
        """Take no new calls, and let those under way end within `grace` seconds."""
        self._health.stop()
        self._server.stop(grace).wait(grace + MARGIN)  # for ever, if its start has failed midway
        self._pool.shutdown(wait=False, cancel_futures=True)  # a call may hang for ever
        self._guard.shutdown()
        if self._socket:
            _sockets.discard(self._socket)
            self._socket.close()
        _ports.discard(self._port)

    def _bind(self, address: str, insecure: bool) -> int:
        try:
            port: int = (
                self._server.add_secure_port(address, self._credentials)
                if self._credentials and not insecure
                else self._server.add_insecure_port(address)
            )
        except RuntimeError as error:
            self._server.stop(None)
            raise AddressError(
                f"Cannot listen on {address}: the port is taken, or the address is not this "
                "machine's. Give another one, as HOST:PORT."
            ) from error
        _ports.add(port)
        return port

    def _bind_socket(self, path: str) -> "UnixSocket | None":
        """Listen at the path, unless another process does. Where the project has not chosen the
        path, it is no reason not to start: there may be no place for it."""
        found = UnixSocket(path)
        try:
            if not found.take():
                return None
        except AddressError as error:
            if scheduler_settings().socket is not None:
                raise
            logger.warning(
                "%s Until then the command line needs a token, or asks the database.", error
            )
            return None
        try:
            with only_for_owner():
                self._server.add_insecure_port(found.target)
        except RuntimeError as error:
            found.close()
            raise AddressError(f"Cannot listen at the Unix socket {path}.") from error
        _sockets.add(found)
        return found


def _credentials() -> grpc.ServerCredentials | None:
    """Return what encrypts, and verifies clients; None if no certificate is set. Raises
    AddressError."""
    settings = scheduler_settings()
    if not settings.tls_certificate:
        return None
    try:
        key, chain = (
            Path(path).read_bytes() for path in (settings.tls_key, settings.tls_certificate)
        )
        roots = Path(settings.tls_client_ca).read_bytes() if settings.tls_client_ca else None
    except OSError as error:
        raise AddressError(f"Cannot read the certificates for gRPC: {error}") from error
    return grpc.ssl_server_credentials([(key, chain)], roots, require_client_auth=roots is not None)


def _hook() -> Callable[[grpc.Server], None]:
    """The project's own; without one the library would look for a function in its urls."""
    if not getattr(settings, "GRPC_FRAMEWORK", {}).get("ROOT_HANDLERS_HOOK"):
        return add_services
    hook: Callable[[grpc.Server], None] = grpc_settings.ROOT_HANDLERS_HOOK
    return hook


def _interceptors() -> list[Any]:
    """The project's own, or ours."""
    configured = grpc_settings.SERVER_INTERCEPTORS
    return [errors] if configured is None else list(configured)


def _pool() -> DescriptorPool:
    """All that reflection tells of; our messages are not in the default pool."""
    pool, known = DescriptorPool(), set[str]()

    def add(file: FileDescriptor) -> None:
        if file.name not in known:
            known.add(file.name)
            for needed in file.dependencies:
                add(needed)
            pool.AddSerializedFile(file.serialized_pb)

    for module in (memory_pb2, health_pb2, reflection_pb2):
        add(module.DESCRIPTOR)
    return pool


def split_address(address: str) -> tuple[str, int]:
    """Return host (an IPv6 one in brackets) and port. Raises AddressError."""
    host, colon, port = address.rpartition(":")
    valid = colon and host and port.isdecimal() and int(port) <= 65535
    if not valid or (":" in host and not (host.startswith("[") and host.endswith("]"))):
        raise AddressError(f"Bad address {address!r}: write HOST:PORT, such as {DEFAULT_ADDRESS}.")
    return host, int(port)


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
