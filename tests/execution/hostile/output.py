"""What a job may do to streams and logging."""

import contextlib
import io
import logging
import logging.config
import os
import subprocess
import sys
import threading
from typing import Any

from tests.execution.hostile.table import FAILED, OK, hostile

logger = logging.getLogger(__name__)


@hostile(FAILED, "TypeError")
def writes_bytes_to_a_text_stream() -> None:
    sys.stdout.write(b"x")  # type: ignore[arg-type]


@hostile(OK)
def writes_bytes_below_a_text_stream() -> None:
    sys.stdout.buffer.write(b"\xff\0 bytes\n")
    sys.stdout.buffer.flush()


@hostile(OK)
def closes_its_streams() -> None:
    sys.stdout.close()
    sys.stderr.close()
    sys.stdout.buffer.close()
    print("still here")


@hostile(OK)
def leaves_another_stream() -> None:
    sys.stdout = sys.stderr = io.StringIO()


@hostile(OK)
def leaves_a_closed_stream() -> None:
    sys.stdout = sys.stderr = io.StringIO()
    sys.stdout.close()


@hostile(OK)
def leaves_no_stream() -> None:
    setattr(sys, "stdout", None)  # noqa: B010
    setattr(sys, "stderr", None)  # noqa: B010


@hostile(OK)
def leaves_what_is_no_stream() -> None:
    class Odd:
        def __eq__(self, other: object) -> bool:
            raise KeyboardInterrupt

        __hash__ = None  # type: ignore[assignment]

    for name in ("stdin", "stdout", "stderr"):
        setattr(sys, name, Odd())


@hostile(OK)
def leaves_a_redirection() -> None:
    contextlib.redirect_stdout(io.StringIO()).__enter__()


@hostile(OK)
def logs_what_cannot_be_formatted() -> None:
    class Mute:
        def __str__(self) -> str:
            raise RuntimeError("mute")

    raising, logging.raiseExceptions = logging.raiseExceptions, False
    try:
        logger.warning("%d %s", "a", Mute())
    finally:
        logging.raiseExceptions = raising


class _Raises(logging.Handler):
    def handle(self, record: logging.LogRecord) -> Any:
        raise KeyboardInterrupt("the log service is away")


@hostile(FAILED, "ValueError: and fails")
def makes_the_scheduler_s_log_raise() -> None:
    scheduler_s = logging.getLogger("scheduler_app.execution")
    handler = _Raises()
    scheduler_s.addHandler(handler)
    threading.Timer(0.5, scheduler_s.removeHandler, [handler]).start()
    raise ValueError("and fails")


@hostile(OK)
def disables_logging() -> None:
    logging.disable(logging.CRITICAL)


@hostile(OK)
def raises_the_root_logger_s_level() -> None:
    logging.root.setLevel(logging.CRITICAL + 1)


@hostile(OK)
def configures_logging_anew() -> None:
    logging.config.dictConfig(
        {"version": 1, "disable_existing_loggers": False, "root": {"handlers": []}}
    )


@hostile(OK)
def disables_all_loggers() -> None:
    logging.config.dictConfig({"version": 1})


@hostile(OK)
def clears_the_root_logger_s_handlers() -> None:
    logging.root.handlers.clear()


@hostile(OK)
def shuts_logging_down() -> None:
    logging.shutdown()


@hostile(OK)
def logs_a_megabyte_with_nul() -> None:
    logger.warning("a\0\ud800" * 300_000)


@hostile(OK)
def starts_a_program_that_prints() -> None:
    subprocess.run(["echo", "from a program"], check=True)


@hostile(OK)
def writes_to_a_descriptor() -> None:
    os.write(2, b"from a descriptor \xff\n")


@hostile(OK)
def prints_from_a_thread() -> None:
    thread = threading.Thread(target=print, args=("from a thread",))
    thread.start()
    thread.join()


@hostile(OK)
def prints_what_no_terminal_shows() -> None:
    print("\ud800 \x1b[2J \0")
