"""One started command."""

import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.harness.waiting import eventually

ROOT = Path(__file__).resolve().parent.parent.parent


class Daemon:
    """A started `manage.py` command, ready to serve."""

    def __init__(self, env: dict[str, str], *command: str, log: Path) -> None:
        self._log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", *command], cwd=ROOT, env=env, stdout=output,
                stderr=subprocess.STDOUT,
            )  # fmt: skip
        pattern = re.compile(r"gRPC at 127\.0\.0\.1:(\d+)")
        try:
            self.port = int(eventually(lambda: self._is_up() and pattern.search(self.output()))[1])
        except BaseException:
            self.kill()  # nobody else knows of it yet
            raise

    def _is_up(self) -> bool:
        assert self.process.poll() is None, self.output()
        return True

    def output(self) -> str:
        return self._log.read_text()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.terminate()
        return self.process.wait(timeout=40)

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def is_frozen(self) -> bool:
        stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "T"
