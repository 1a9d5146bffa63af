"""Exceptions become status codes here and nowhere else, each with google.rpc details: an ErrorInfo
whose reason stays the same whatever the text says, a BadRequest that names the field, and a
RetryInfo that says when to try again."""

from collections.abc import Callable, Iterator
from math import ceil
from typing import Any, NoReturn, TypeAlias

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from scheduler_app.exceptions import (
    ActionRefused,
    ArgumentsError,
    Busy,
    CronError,
    CursorError,
    DeclarationError,
    EtagMismatch,
    JobNotFound,
    NotPermitted,
    NotSignedIn,
    RequestError,
    RunNotFound,
    SchedulerError,
    TooManyCalls,
    TooSlow,
)
from scheduler_app.logs import SafeLogger
from scheduler_app.models.faults import Fault, fault_of

logger = SafeLogger(__name__)

DOMAIN = "django-memory-scheduler"
CODES: tuple[tuple[type[Exception], grpc.StatusCode, str], ...] = (
    (JobNotFound, grpc.StatusCode.NOT_FOUND, "JOB_NOT_FOUND"),
    (RunNotFound, grpc.StatusCode.NOT_FOUND, "RUN_NOT_FOUND"),
    (NotSignedIn, grpc.StatusCode.UNAUTHENTICATED, "NOT_SIGNED_IN"),
    (NotPermitted, grpc.StatusCode.PERMISSION_DENIED, "NOT_PERMITTED"),
    (CursorError, grpc.StatusCode.OUT_OF_RANGE, "CURSOR_TOO_OLD"),
    (TooSlow, grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_SLOW"),
    (TooManyCalls, grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_CALLS"),
    (EtagMismatch, grpc.StatusCode.ABORTED, "ETAG_MISMATCH"),
    (Busy, grpc.StatusCode.ABORTED, "BUSY"),
    (ActionRefused, grpc.StatusCode.FAILED_PRECONDITION, "ACTION_REFUSED"),
    (ArgumentsError, grpc.StatusCode.INVALID_ARGUMENT, "ARGUMENTS_DO_NOT_FIT"),
    (DeclarationError, grpc.StatusCode.INVALID_ARGUMENT, "BAD_POLICY"),
    (CronError, grpc.StatusCode.INVALID_ARGUMENT, "BAD_SCHEDULE"),
    (SchedulerError, grpc.StatusCode.INVALID_ARGUMENT, "BAD_REQUEST"),
)
"""The text is the exception's own, which is written for people."""
FIELDS: tuple[tuple[type[Exception], str], ...] = (
    (ArgumentsError, "arguments"),
    (CronError, "schedule"),
)
"""The field of the request that is wrong, where the exception itself does not say."""
FAULT_CODES = {
    Fault.CONFLICT: grpc.StatusCode.ABORTED,
    Fault.LOCKED: grpc.StatusCode.ABORTED,
    Fault.SLOW: grpc.StatusCode.UNAVAILABLE,
    Fault.AWAY: grpc.StatusCode.UNAVAILABLE,
    Fault.UNMIGRATED: grpc.StatusCode.FAILED_PRECONDITION,
    Fault.REFUSED: grpc.StatusCode.UNAVAILABLE,
}
"""The text is the fault's: the database's own may name hosts, users and values."""
SURPRISE = "Internal error; the server's log tells more."
LONGEST = 1_000
"""Characters of a text: gRPC sends it in a header, which clients limit to some thousand bytes."""

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class ErrorInterceptor(grpc.ServerInterceptor):  # type: ignore[type-arg]  # generic in the stubs only
    """Answers an exception of a unary call, or of a watch, with its code; the text of a surprise
    stays here."""

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], "Handler | None"],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        handler = continuation(handler_call_details)
        if handler is None:
            return None
        if getattr(handler.unary_stream, "is_watch", False):
            return _streaming(handler)
        if handler.unary_unary is None:
            return handler
        call = handler.unary_unary

        def guarded(request: Any, context: Any) -> Any:
            try:
                return call(request, context)
            except Exception as error:
                if context.code() is not None:
                    raise  # the call has been answered already, by context.abort()
                abort(context, error)

        return grpc.unary_unary_rpc_method_handler(
            guarded, handler.request_deserializer, handler.response_serializer
        )


def _streaming(handler: "Handler") -> "Handler":
    behaviour: Any = handler.unary_stream

    def guarded(request: Any, context: Any) -> Iterator[Any]:
        try:
            yield from behaviour(request, context)
        except Exception as error:
            if context.code() is not None:
                raise  # the call has been answered already, by context.abort()
            abort(context, error)

    vars(guarded).update(vars(behaviour) if hasattr(behaviour, "__dict__") else {})
    return grpc.unary_stream_rpc_method_handler(
        guarded, handler.request_deserializer, handler.response_serializer
    )


def abort(context: grpc.ServicerContext, error: Exception) -> NoReturn:
    """End the call with what this exception means to a client."""
    for kind, code, reason in CODES:
        if isinstance(error, kind):
            wait = error.wait if isinstance(error, TooManyCalls) else None
            end(context, code, reason, str(error), field=_field(error), wait=wait)
    logger.error("a gRPC call failed", exc_info=error)
    fault = fault_of(error)
    if fault in FAULT_CODES:
        end(context, FAULT_CODES[fault], f"DATABASE_{fault.name}", fault.value)
    context.abort(grpc.StatusCode.INTERNAL, SURPRISE)


def end(
    context: grpc.ServicerContext,
    code: grpc.StatusCode,
    reason: str,
    text: str,
    *,
    field: str = "",
    wait: float | None = None,
) -> NoReturn:
    """End the call with this code and text. `field`: which of the request's is wrong. `wait`: after
    how many seconds it may be tried again."""
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
    details: list[Any] = [error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN)]
    if field:
        details.append(_bad_request(field, text))
    if wait is not None:
        delay = Duration()
        delay.FromNanoseconds(ceil(wait * 1_000_000_000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    status = status_pb2.Status(
        code=code_pb2.Code.Value(code.name), message=text, details=map(_packed, details)
    )
    context.abort_with_status(rpc_status.to_status(status))


def _field(error: Exception) -> str:
    if isinstance(error, RequestError):
        return error.field
    return next((field for kind, field in FIELDS if isinstance(error, kind)), "")


def _bad_request(field: str, text: str) -> Any:
    violation = error_details_pb2.BadRequest.FieldViolation(field=field, description=text)
    return error_details_pb2.BadRequest(field_violations=[violation])


def _packed(message: Any) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed


errors = ErrorInterceptor()
