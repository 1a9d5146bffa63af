"""memory.MemoryService: each call does what calls.py says, for those who may make it."""

from collections.abc import Iterator
from typing import Any

import grpc

from scheduler_app.exceptions import RequestError
from scheduler_app.models import Scope
from scheduler_app.rpc.access import Access
from scheduler_app.rpc.calls import CALLS, WATCH
from scheduler_app.rpc.framework import Service
from scheduler_app.rpc.live import StatusAnswer
from scheduler_app.rpc.messages import as_dict, fill
from scheduler_app.rpc.once import once
from scheduler_app.rpc.stubs import memory_pb2 as pb
from scheduler_app.rpc.stubs.memory_pb2_grpc import METHODS, Method
from scheduler_app.rpc.watch import Filter, Hub, watch

STATUS = "GetSchedulerStatus"
KINDS = (pb.EVENT_KIND_RUN, pb.EVENT_KIND_JOB, pb.EVENT_KIND_NODE)


class SchedulerService(Service):
    """The calls of the service, one method each. Of the seed's calls, an unknown job or run is an
    answer, not an error."""

    hub = Hub(StatusAnswer())
    access = Access()
    """Each server has a hub and an access of its own."""

    def WatchScheduler(  # noqa: N802
        self, request: Any, context: grpc.ServicerContext
    ) -> Iterator[Any]:
        self.access.actor(WATCH, context)
        for kind in request.kinds:
            if kind not in KINDS:
                raise RequestError("kinds", f"Bad kind {kind}: use those of EventKind.")
        wanted = Filter(frozenset(request.job_names), frozenset(request.kinds))
        return watch(
            self.hub,
            request.cursor,
            wanted,
            on_end=context.add_callback,
            check=lambda: self.access.actor(WATCH, context, is_counted=False),
        )


vars(SchedulerService.WatchScheduler)["is_watch"] = True  # the guard has threads for it


def _answering(method: Method) -> Any:
    call = CALLS[method.name]

    def answer(service: SchedulerService, request: Any, context: grpc.ServicerContext) -> Any:
        by = service.access.actor(call, context)
        status = service.hub.status
        if method.name == STATUS:
            return status.get()
        fields = as_dict(request)
        fields.pop("request_id", None)

        def carry_out() -> Any:
            return fill(method.response(), call.function(by, **fields))

        if call.scope == Scope.VIEW:
            return carry_out()
        try:
            return once(method, request, by, carry_out)
        finally:
            status.expire()

    return answer


for _method in METHODS:
    if not _method.is_stream:
        setattr(SchedulerService, _method.name, _answering(_method))
