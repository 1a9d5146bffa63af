"""The process between a scheduler and its worker processes: starts, guards, kills and reaps them.

It has imported Django and the jobs, so that a worker is there in milliseconds, and runs no code of
theirs besides, so that nothing can keep it from its duty. A worker is killed when its time is up,
when the scheduler asks for it, and when the scheduler is gone: with all that descends from it, also
what has left its process group and session, as daemons do. What is left after a worker has ended is
killed too: what a job starts ends with its run.

Each worker adopts the orphans among its descendants, and the supervisor those of workers that have
ended. So a child of the supervisor that is no worker is always a remainder of an ended one, and no
run's processes are taken for another's.

One thing escapes: when the supervisor itself is killed, what has left its worker's process group
(Linux kills the workers themselves). Elsewhere than on Linux, whatever leaves that group."""

import os
import selectors
import signal
import socket
import sys
import time
import traceback
from contextlib import suppress
from pkgutil import resolve_name

from scheduler_app.processes import linux, protocol, spawn
from scheduler_app.processes.child import Child
from scheduler_app.processes.protocol import Channel, Order

WATCH = 1.0
"""How often, in seconds, the supervisor looks whether its scheduler is still its parent. A closed
socket tells at once, unless a process that was forked from the scheduler holds a copy of it."""
HURRY = 0.02
"""How often, in seconds, it looks whether a killed group is gone."""


def main(prepare: str, serve: str, requests: int, scheduler: int) -> None:
    for number in (*spawn.SHIELDED, signal.SIGCHLD):
        signal.signal(number, spawn.ignore)
    end = socket.socket(fileno=requests)
    try:
        resolve_name(prepare)()
        resolve_name(serve)
    except BaseException as error:
        traceback.print_exc()
        protocol.refuse_orders(end, "".join(traceback.format_exception_only(error)).strip())
        sys.exit(1)
    linux.adopt_orphans()
    Supervisor(prepare, serve, end, scheduler).run()


class Supervisor:
    """Serves until the socket that requests come from is closed; then kills what is left."""

    def __init__(self, prepare: str, serve: str, requests: socket.socket, scheduler: int) -> None:
        self._prepare = prepare
        self._serve = serve
        self._requests = requests
        self._scheduler = scheduler
        self._may_fork = spawn.may_fork()
        self._helpers = linux.children(os.getpid())
        """Processes that importing the jobs has started."""
        self._next_beat = 0.0
        self._children: dict[int, Child] = {}
        self._serving = True
        self._wake_up, self._woken = socket.socketpair()
        for end in (self._wake_up, self._woken):
            end.setblocking(False)
        signal.set_wakeup_fd(self._wake_up.fileno())
        self._selector = selectors.PollSelector()
        self._selector.register(self._woken, selectors.EVENT_READ, self._wake)
        self._selector.register(requests, selectors.EVENT_READ, self._accept)

    def run(self) -> None:
        while self._serving or self._children:
            for key, _ in self._selector.select(self._patience()):
                key.data(key.fileobj)
            if self._serving and os.getppid() != self._scheduler:
                self._stop()
            self._reap()
            self._guard()
            self._beat()

    def _patience(self) -> float:
        moments = [child.next_look(HURRY) for child in self._children.values()]
        return max(0.0, min([WATCH, *(moment - time.monotonic() for moment in moments)]))

    def _beat(self) -> None:
        now = time.monotonic()
        if self._serving and now >= self._next_beat:
            protocol.beat(self._requests)
            self._next_beat = now + WATCH / 2

    def _wake(self, _: object) -> None:
        with suppress(BlockingIOError):
            self._woken.recv(4096)

    def _accept(self, _: object) -> None:
        order = protocol.receive_order(self._requests)
        if order is None:
            self._stop()
        else:
            self._start(order)

    def _start(self, order: Order) -> None:
        control = order.control
        try:
            if protocol.is_given_up(control):
                control.close()
                return
            pid = self._start_process(order)
        except OSError as error:
            protocol.refuse_order(control, str(error))
            return
        finally:
            order.data.close()
            os.close(order.output)
        deadline = time.monotonic() + order.timeout
        child = self._children[pid] = Child(pid, Channel(control), deadline)
        child.control.send({"pid": pid})
        self._selector.register(control, selectors.EVENT_READ, lambda _: self._hung_up(child))

    def _start_process(self, order: Order) -> int:
        if self._may_fork:
            foreign = [order.control, *self._own_sockets()]
            return spawn.fork(resolve_name(self._serve), order.data, order.output, foreign)
        return spawn.spawn(self._prepare, self._serve, order.data, order.output)

    def _own_sockets(self) -> list[socket.socket]:
        controls = [child.control.socket for child in self._children.values()]
        return [self._requests, self._wake_up, self._woken, *controls]

    def _hung_up(self, child: Child) -> None:
        self._selector.unregister(child.control.socket)
        child.kill()

    def _stop(self) -> None:
        self._serving = False
        self._selector.unregister(self._requests)
        self._requests.close()
        for child in self._children.values():
            child.kill()

    def _reap(self) -> None:
        """Take note of the workers that have ended, and of the orphans they have left."""
        with suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                if child := self._children.get(found[0]):
                    child.ended(os.waitstatus_to_exitcode(found[1]))

    def _guard(self) -> None:
        has_strays = self._kill_strays()
        for child in list(self._children.values()):
            child.guard(has_strays)
            if child.is_gone:
                self._forget(child)

    def _kill_strays(self) -> bool:
        """Kill what workers that have ended have left; return whether there was anything."""
        if not any(child.has_ended for child in self._children.values()):
            return False
        strays = linux.children(os.getpid()) - self._children.keys() - self._helpers
        for pid in strays:
            linux.kill_tree(pid)
        return bool(strays)

    def _forget(self, child: Child) -> None:
        del self._children[child.pid]
        with suppress(KeyError):
            self._selector.unregister(child.control.socket)
        child.report()
