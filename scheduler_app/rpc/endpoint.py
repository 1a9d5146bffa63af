"""Where a server is, who asks it, and what may go wrong; without gRPC, which need not be
installed."""

import getpass
from importlib.util import find_spec
from urllib.parse import urlsplit

from scheduler_app.exceptions import SchedulerError
from scheduler_app.text import printable, shown

DEFAULT_ADDRESS = "127.0.0.1:50051"
DEFAULT_ENDPOINT = f"http://{DEFAULT_ADDRESS}"
DEFAULT_WORKERS = 10
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


class NoAnswer(CallError):
    """The server is not there, or does not answer in time."""


def has_grpc() -> bool:
    """Return whether all is installed that the server and its client need."""
    try:
        return all(find_spec(package) for package in PACKAGES)
    except ModuleNotFoundError:  # of the parent of google.protobuf
        return False


def target_of(endpoint: str) -> str:
    """Return the endpoint as gRPC's HOST:PORT. Raises CallError."""
    bad = CallError(
        f"Bad endpoint {shown(endpoint)}: write {DEFAULT_ENDPOINT}, or 127.0.0.1:50051."
    )
    try:
        parts = urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}")
        has_address = parts.hostname and parts.port
    except ValueError:
        raise bad from None
    if parts.scheme == "https":
        raise CallError(f"{endpoint}: the server has no encryption yet; write http:// instead.")
    if not has_address or parts.scheme != "http" or parts.path not in ("", "/") or parts.query:
        raise bad
    return parts.netloc


def user() -> str:
    """Return the name of the operating system's user, as call metadata takes it."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
    return printable(name).encode("ascii", "backslashreplace").decode()
