"""What clients rely on stays: contract.txt has every name, number and type of memory.proto, and
nothing in it may change or go. Add what is new: python -m tests.rpc.test_contract"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from scheduler_app.rpc.stubs.memory_pb2 import DESCRIPTOR
from scheduler_app.rpc.stubs.memory_pb2_grpc import METHODS

CONTRACT = Path(__file__).with_name("contract.txt")
TYPES = {
    number: name.removeprefix("TYPE_").lower()
    for name, number in vars(FieldDescriptor).items()
    if name.startswith("TYPE_")
}


def lines() -> Iterator[str]:
    for method in METHODS:
        stream = "stream " if method.is_stream else ""
        request, response = method.request.DESCRIPTOR.name, method.response.DESCRIPTOR.name
        yield f"call {method.name}: {request} -> {stream}{response}"
    for message in DESCRIPTOR.message_types_by_name.values():
        for field in message.fields:
            yield f"{message.name}.{field.name} = {field.number}: {_type(field)}"
    for enum in DESCRIPTOR.enum_types_by_name.values():
        for value in enum.values:
            yield f"{enum.name}.{value.name} = {value.number}"


def _type(field: Any) -> str:
    kind = field.message_type or field.enum_type
    name = kind.full_name if kind else TYPES[field.type]
    presence = "optional " if field.has_presence and field.message_type is None else ""
    return f"{'repeated ' if field.is_repeated else presence}{name}"


def test_nothing_that_clients_rely_on_has_changed() -> None:
    kept, now = CONTRACT.read_text().splitlines(), list(lines())
    gone = [line for line in kept if line not in now]
    assert gone == [], "clients of an older memory.proto would break"
    new = [line for line in now if line not in kept]
    assert new == [], "add it: python -m tests.rpc.test_contract"


if __name__ == "__main__":
    kept = CONTRACT.read_text().splitlines() if CONTRACT.exists() else []
    added = [line for line in lines() if line not in kept]
    CONTRACT.write_text("".join(f"{line}\n" for line in sorted([*kept, *added])))
