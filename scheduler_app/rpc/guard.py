"""No client can hold what the others need.

A call's worker waits only briefly for its message. Streams have workers of their own, and so have
health checks. A message that cannot be read is the client's error, not the server's."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import DecodeError

from scheduler_app.logs import SafeLogger
from scheduler_app.rpc.interceptors import end

logger = SafeLogger(__name__)

LOOK = 0.25
"""Seconds between two looks at the calls that wait for a message."""
MESSAGE_LOOKS = 4
"""How many looks a call may wait for its first message; clients send it with the call."""
IDLE_LOOKS = 40
"""How many looks a stream may wait for its next message."""
STREAMS, WATCHES = 4, 100
"""How many streams the server carries at a time; how many of those that hold no worker."""
HEALTH_WORKERS = 32
"""A health check reads from memory and holds no connection, so many cost little."""
HEALTH_PREFIX = "/grpc.health."

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Messages: TypeAlias = Iterator[Any]


class Pool(ThreadPoolExecutor):
    """One that takes a call although no thread can be started for it: the call waits for a thread
    that is there, or that the next call starts. An error here would end the one thread that serves
    all calls, for good."""

    def _adjust_thread_count(self) -> None:
        try:
            super()._adjust_thread_count()
        except (RuntimeError, MemoryError) as error:
            logger.warning("cannot start a thread for a gRPC call, which waits: %s", error)


class Malformed:
    """A message that could not be read."""


MALFORMED = Malformed()


def tolerant(deserialize: Callable[[bytes], Any] | None) -> Callable[[bytes], Any] | None:
    """Return a deserializer that gives MALFORMED for what this one cannot read."""
    if deserialize is None:
        return None

    def read(data: bytes) -> Any:
        try:
            return deserialize(data)
        except (DecodeError, ValueError):
            return MALFORMED

    return read


class Patience:
    """Cancels calls that wait too long for a message of their client. The wait is counted in looks,
    so that no call suffers for a time in which this whole process stood still."""

    def __init__(self) -> None:
        self._waiting: dict[object, tuple[int, Any]] = {}
        self._looks = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="scheduler-grpc-guard", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def next(self, messages: Messages, context: Any, looks: int) -> Any:
        """Return the call's next message; None if the client has sent its last."""
        token = object()
        self._waiting[token] = (self._looks + looks, context)
        try:
            return next(messages, None)
        finally:
            del self._waiting[token]

    def _loop(self) -> None:
        while not self._stopped.wait(LOOK):
            self._looks += 1
            for last_look, context in list(self._waiting.values()):
                if self._looks > last_look:
                    context.cancel()


class Slots:
    """How many calls of one kind may be under way."""

    def __init__(self, limit: int) -> None:
        self._free = threading.BoundedSemaphore(limit)

    def take(self) -> bool:
        return self._free.acquire(blocking=False)

    def hold(self, context: Any) -> None:
        """Give the slot back when this call ends."""
        if not context.add_callback(self.give_back):
            self.give_back()

    def give_back(self) -> None:
        self._free.release()


class GuardInterceptor(grpc.ServerInterceptor):  # type: ignore[type-arg]  # generic in the stubs only
    """Wraps every handler of the server. It must be the first of the interceptors: it turns calls
    of one message into calls of several, which look alike to clients, because only those are
    cancellable while their message is missing."""

    def __init__(self) -> None:
        self.patience = Patience()
        self._health_pool = Pool(HEALTH_WORKERS, "scheduler-grpc-health")
        self._stream_pool = Pool(STREAMS, "scheduler-grpc-stream")
        self._watch_pool = Pool(WATCHES, "scheduler-grpc-watch")
        self._streams, self._watches = Slots(STREAMS), Slots(WATCHES)

    def shutdown(self) -> None:
        self.patience.stop()
        self._health_pool.shutdown(wait=False, cancel_futures=True)
        self._stream_pool.shutdown(wait=False, cancel_futures=True)
        self._watch_pool.shutdown(wait=False, cancel_futures=True)

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], "Handler | None"],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        handler = continuation(handler_call_details)
        if handler is None:
            return None
        is_health = handler_call_details.method.startswith(HEALTH_PREFIX)
        if handler.request_streaming or handler.response_streaming:
            return self._stream(handler, is_health)
        return self._unary(handler, is_health)

    def _unary(self, handler: "Handler", is_health: bool) -> "Handler":
        behaviour: Any = handler.unary_unary

        def call(messages: Messages, context: Any) -> Any:
            return behaviour(self._first(messages, context), context)

        if is_health:
            _set(call, experimental_thread_pool=self._health_pool)
        return grpc.stream_unary_rpc_method_handler(
            call, tolerant(handler.request_deserializer), handler.response_serializer
        )

    def _stream(self, handler: "Handler", is_health: bool) -> "Handler":
        behaviour: Any = handler.unary_stream or handler.stream_stream or handler.stream_unary
        holds_no_worker = getattr(behaviour, "experimental_non_blocking", False)
        is_watch = getattr(behaviour, "is_watch", False)
        slots = self._watches if holds_no_worker or is_watch else self._streams
        if not slots.take():
            return _refused()
        if holds_no_worker:
            call: Any = self._watch(behaviour, slots)
        elif handler.response_streaming:
            call = self._answers(behaviour, slots, handler.request_streaming)
        else:
            call = self._answer(behaviour, slots)
        pool = self._watch_pool if is_watch else self._stream_pool
        pool = self._health_pool if is_health else pool
        _set(call, experimental_thread_pool=pool, experimental_non_blocking=holds_no_worker)
        make = (
            grpc.stream_stream_rpc_method_handler
            if handler.response_streaming
            else grpc.stream_unary_rpc_method_handler
        )
        return make(call, tolerant(handler.request_deserializer), handler.response_serializer)

    def _watch(self, behaviour: Any, slots: Slots) -> Any:
        def call(messages: Messages, context: Any, send: Callable[[Any], None]) -> Any:
            slots.hold(context)
            return behaviour(self._first(messages, context), context, send)

        return call

    def _answers(self, behaviour: Any, slots: Slots, is_many: bool) -> Any:
        def call(messages: Messages, context: Any) -> Iterator[Any]:
            slots.hold(context)
            read = self._each if is_many else self._first
            yield from behaviour(read(messages, context), context)

        return call

    def _answer(self, behaviour: Any, slots: Slots) -> Any:
        def call(messages: Messages, context: Any) -> Any:
            slots.hold(context)
            return behaviour(self._each(messages, context), context)

        return call

    def _first(self, messages: Messages, context: Any) -> Any:
        message = self.patience.next(messages, context, MESSAGE_LOOKS)
        if message is None:
            text = "The call has no message."
            end(context, grpc.StatusCode.INVALID_ARGUMENT, "BAD_MESSAGE", text)
        return _checked(message, context)

    def _each(self, messages: Messages, context: Any) -> Iterator[Any]:
        while (message := self.patience.next(messages, context, IDLE_LOOKS)) is not None:
            yield _checked(message, context)


def _checked(message: Any, context: Any) -> Any:
    if message is MALFORMED:
        text = "The message is not what this call takes: it cannot be read."
        end(context, grpc.StatusCode.INVALID_ARGUMENT, "BAD_MESSAGE", text)
    return message


def _refused() -> "Handler":
    def refuse(_: Messages, context: Any) -> None:
        text = "Too many streams are open on this server; try again later."
        end(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS", text)

    return grpc.stream_unary_rpc_method_handler(refuse)


def _set(function: Any, **attributes: Any) -> None:
    """Set what gRPC reads from a behaviour: its pool, and whether it holds a worker."""
    vars(function).update(attributes)
