"""Process 1 of a container: reaps what has lost its parent, and passes signals on to the program.

What a job starts and leaves becomes a child of process 1. A scheduler cannot reap such children: it
does not know them from those whose exit code its own code waits for."""

import os
import signal
import sys
from typing import NoReturn

PASSED_ON = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)


def start_again_below() -> None:
    """If this is process 1, become a small process that does this duty, and start the same program
    below it."""
    if os.getpid() == 1:
        os.execv(sys.executable, [sys.executable, "-I", __file__, *sys.orig_argv[1:]])  # noqa: S606


def main() -> NoReturn:
    """Run the interpreter with these arguments, and end as it ends."""
    signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
    arguments = [sys.executable, *sys.argv[1:]]
    program = os.posix_spawn(
        sys.executable, arguments, os.environ, setpgroup=0, setsigmask=(), setsigdef=PASSED_ON
    )
    for number in PASSED_ON:
        signal.signal(number, lambda number, _: os.kill(program, number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
    while True:
        pid, status = os.wait()
        if pid == program:
            code = os.waitstatus_to_exitcode(status)
            sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
