"""Exceptions become status codes here and nowhere else."""

import logging
from collections.abc import Callable
from typing import Any, NoReturn, TypeAlias

import grpc
from django.db import InterfaceError, OperationalError

from scheduler_app.exceptions import ActionRefused, JobNotFound, SchedulerError

logger = logging.getLogger(__name__)

CODES: tuple[tuple[type[Exception], grpc.StatusCode, str | None], ...] = (
    (JobNotFound, grpc.StatusCode.NOT_FOUND, None),
    (ActionRefused, grpc.StatusCode.FAILED_PRECONDITION, None),
    (SchedulerError, grpc.StatusCode.INVALID_ARGUMENT, None),
    (OperationalError, grpc.StatusCode.UNAVAILABLE, "The database does not answer."),
    (InterfaceError, grpc.StatusCode.UNAVAILABLE, "The database does not answer."),
    (Exception, grpc.StatusCode.INTERNAL, "Internal error; the server's log tells more."),
)
"""Exception, code, text (none: the exception's own, which is written for people)."""

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
    code, text = next((code, text) for kind, code, text in CODES if isinstance(error, kind))
    if text:
        logger.error("a gRPC call failed", exc_info=error)
    context.abort(code, text or str(error))


errors = ErrorInterceptor()
