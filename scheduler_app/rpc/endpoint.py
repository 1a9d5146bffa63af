"""Where a server is, who asks it, and what may go wrong; without gRPC, which need not be
installed."""

import getpass
from importlib.util import find_spec
from typing import NamedTuple
from urllib.parse import urlsplit

from scheduler_app.exceptions import SchedulerError
from scheduler_app.text import printable, shown

DEFAULT_ADDRESS = "127.0.0.1:50051"
DEFAULT_ENDPOINT = f"http://{DEFAULT_ADDRESS}"
DEFAULT_WORKERS = 10
SURFACE_KEY = "x-scheduler-surface"
"""The key of a call's metadata by which the command line says that it is."""
UNIX = "unix:"
NO_GRPC = "gRPC is not installed (pip install 'django-memory-scheduler[grpc]')"
PACKAGES = (
    "grpc",
    "google.protobuf",
    "grpc_health",
    "grpc_reflection",
    "grpc_status",
    "django_grpc_framework",
)


class AddressError(SchedulerError):
    """An address that the server cannot or should not listen on."""


class CallError(SchedulerError):
    """The server could not be reached, or refused; the text is for people."""

    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(text)
        self.code = code
        """The name of the status code, such as NOT_FOUND; empty if the server did not answer."""


class BadConnection(CallError):
    """The endpoint, or a certificate, is none."""


class NoAnswer(CallError):
    """The server is not there, or does not answer in time."""


def has_grpc() -> bool:
    """Return whether all is installed that the server and its client need."""
    try:
        return all(find_spec(package) for package in PACKAGES)
    except ModuleNotFoundError:  # of the parent of google.protobuf
        return False


class Proof(NamedTuple):
    """What a client shows of who it is."""

    token: str = ""
    ca: str = ""
    """The path of the certificates (PEM) by which the server's is verified; empty: the system's."""
    certificate: str = ""
    """The path of the client's own certificate (PEM)."""
    key: str = ""
    """The path of its key (PEM)."""


NO_PROOF = Proof()


def is_encrypted(endpoint: str) -> bool:
    return endpoint.startswith("https://")


def target_of(endpoint: str) -> str:
    """Return the endpoint as gRPC's HOST:PORT, or unix:/PATH. Raises BadConnection."""
    bad = BadConnection(
        f"Bad endpoint {shown(endpoint)}: write {DEFAULT_ENDPOINT}, 127.0.0.1:50051, "
        "https://HOST:PORT or unix:/PATH."
    )
    if endpoint.startswith(UNIX):
        path = endpoint.removeprefix(UNIX)
        path = path[2:] if path.startswith("///") else path
        if not path.startswith("/") or "\0" in path:
            raise bad
        return f"{UNIX}{path}"
    try:
        parts = urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}")
        has_address = parts.hostname and parts.port
    except ValueError:
        raise bad from None
    if (
        not has_address
        or parts.scheme not in ("http", "https")
        or parts.path not in ("", "/")
        or parts.query
    ):
        raise bad
    return parts.netloc


def user() -> str:
    """Return the name of the operating system's user, as call metadata takes it."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
    return printable(name).encode("ascii", "backslashreplace").decode()
