"""A request that comes twice, because its client heard no answer, is carried out once."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from scheduler_app.control import Actor
from scheduler_app.exceptions import RequestError
from scheduler_app.models import Request, database
from scheduler_app.models.request import ID_LIMIT
from scheduler_app.rpc.stubs.memory_pb2_grpc import Method
from scheduler_app.text import is_storable, shown


def once(method: Method, request: Any, by: Actor, carry_out: Callable[[], Any]) -> Any:
    """Return the answer of `carry_out`, or the first answer to the same request of this caller, if
    it has an id. A request that was refused may be tried again. Raises RequestError if another
    request had the id."""
    request_id = getattr(request, "request_id", "")
    if not request_id:
        return carry_out()
    if len(request_id) > ID_LIMIT or not is_storable(request_id):
        text = f"Bad request_id {shown(request_id)}: use at most {ID_LIMIT} characters, and no NUL."
        raise RequestError("request_id", text)
    data: bytes = request.SerializeToString(deterministic=True)
    digest = sha256(f"{method.name}\0".encode() + data).hexdigest()
    key = {"caller": by.name, "request_id": request_id}
    with database.atomic():  # the same request waits here for the end of the first one
        row, is_new = Request.objects.get_or_create(**key, defaults={"digest": digest})
        if not is_new:
            return _first_answer(row, digest, method)
        answer = carry_out()
        Request.objects.filter(pk=row.pk).update(answer=answer.SerializeToString())
        return answer


def _first_answer(row: Request, digest: str, method: Method) -> Any:
    if row.digest != digest:
        text = f"Bad request_id {shown(row.request_id)}: another request of yours had it."
        raise RequestError("request_id", text)
    return method.response.FromString(bytes(row.answer))
