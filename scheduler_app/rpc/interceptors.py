"""Exceptions become status codes here and nowhere else."""

from collections.abc import Callable
from typing import Any, NoReturn, TypeAlias

import grpc

from scheduler_app.exceptions import ActionRefused, Busy, JobNotFound, RunNotFound, SchedulerError
from scheduler_app.logs import SafeLogger
from scheduler_app.models.faults import Fault, fault_of

logger = SafeLogger(__name__)

CODES: tuple[tuple[type[Exception], grpc.StatusCode], ...] = (
    (JobNotFound, grpc.StatusCode.NOT_FOUND),
    (RunNotFound, grpc.StatusCode.NOT_FOUND),
    (Busy, grpc.StatusCode.ABORTED),
    (ActionRefused, grpc.StatusCode.FAILED_PRECONDITION),
    (SchedulerError, grpc.StatusCode.INVALID_ARGUMENT),
)
"""The text is the exception's own, which is written for people."""
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

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class ErrorInterceptor(grpc.ServerInterceptor):  # type: ignore[type-arg]  # generic in the stubs only
    """Answers an exception of a unary call with its code; the text of a surprise stays here."""

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], "Handler | None"],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        handler = continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler
        call = handler.unary_unary

        def guarded(request: Any, context: Any) -> Any:
            try:
                return call(request, context)
            except Exception as error:
                if context.code() is not None:
                    raise  # the call has been answered already, by context.abort()
                _abort(context, error)

        return grpc.unary_unary_rpc_method_handler(
            guarded, handler.request_deserializer, handler.response_serializer
        )


def _abort(context: grpc.ServicerContext, error: Exception) -> NoReturn:
    for kind, code in CODES:
        if isinstance(error, kind):
            context.abort(code, str(error))
    logger.error("a gRPC call failed", exc_info=error)
    fault = fault_of(error)
    if fault in FAULT_CODES:
        context.abort(FAULT_CODES[fault], fault.value)
    context.abort(grpc.StatusCode.INTERNAL, SURPRISE)


errors = ErrorInterceptor()
