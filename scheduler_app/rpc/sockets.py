"""The Unix socket of a scheduler: where it is, and who listens at it."""

import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path

from scheduler_app.conf import scheduler_settings
from scheduler_app.models import database
from scheduler_app.rpc.endpoint import AddressError

FOLDER = "django-memory-scheduler"
LONGEST = 100
"""Bytes of a path; Linux takes 107."""


def path() -> str:
    """Return the path of the socket for the scheduler's database; empty for none."""
    chosen = scheduler_settings().socket
    if chosen is not None:
        return chosen
    values = database.connection().settings_dict
    where = [str(values.get(key, "")) for key in ("ENGINE", "HOST", "PORT", "NAME")]
    if "sqlite" in where[0]:
        where[3] = os.path.realpath(where[3])
    digest = blake2b("\0".join(where).encode(), digest_size=8).hexdigest()
    return str(_folder() / f"{digest}.sock")


def _folder() -> Path:
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and os.path.isdir(runtime):
        return Path(runtime) / FOLDER
    return Path(tempfile.gettempdir()) / f"{FOLDER}-{os.getuid()}"


def is_ours(where: str) -> bool:
    """Return whether a socket is there that only this user, or root, can have put there."""
    try:
        found, folder = os.lstat(where), os.lstat(os.path.dirname(where))
    except OSError:
        return False
    return stat.S_ISSOCK(found.st_mode) and {found.st_uid, folder.st_uid} <= {0, os.getuid()}


class UnixSocket:
    """A path at which one process listens at a time. A lock beside it decides which: gRPC would
    take the path from the process that has it. What a killed process left there is no obstacle."""

    def __init__(self, where: str) -> None:
        self.where = where
        self._descriptor: int | None = None

    @property
    def target(self) -> str:
        """Return the path as gRPC takes it."""
        return f"unix:{self.where}"

    def take(self) -> bool:
        """Return whether this process may listen there now. Raises AddressError if none can."""
        if len(os.fsencode(self.where)) > LONGEST:
            raise AddressError(
                f"The path of the Unix socket, {self.where}, is longer than {LONGEST} bytes: set "
                'SCHEDULER["socket"] to a shorter one.'
            )
        try:
            self._make_folder()
            self._descriptor = os.open(
                f"{self.where}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
            )
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._remove_stale()
        except BlockingIOError:
            self.release()
            return False
        except OSError as error:
            self.release()
            raise AddressError(
                f"Cannot listen at the Unix socket {self.where}: {error}. Set "
                'SCHEDULER["socket"] to another path, or to "" for none.'
            ) from error
        return True

    def close(self) -> None:
        """Let others listen there."""
        with suppress(OSError):
            os.unlink(self.where)
        self.release()

    def release(self) -> None:
        """Give up the lock, and leave the path as it is."""
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = None

    def _remove_stale(self) -> None:
        with suppress(FileNotFoundError):
            if not stat.S_ISSOCK(os.lstat(self.where).st_mode):
                raise FileExistsError("there is a file that is no socket")
            os.unlink(self.where)

    def _make_folder(self) -> None:
        folder = _folder()
        if os.path.dirname(self.where) != str(folder):
            return  # it is the project's
        os.makedirs(folder, mode=0o700, exist_ok=True)
        found = os.lstat(folder)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise PermissionError(f"{folder} is not a folder of this user's alone")


@contextmanager
def only_for_owner() -> Iterator[None]:
    """Have what the block creates be its owner's alone."""
    before = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(before)
