"""A message as the values of its fields."""

from collections.abc import Callable
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

Read = Callable[[Any], Any]


def as_dict(message: Message) -> dict[str, Any]:
    """Return the message field by field: enums by name, None for what is optional and not there.
    Protobuf's own JSON has whole numbers as text."""
    values = {}
    for name, read in _fields(message.DESCRIPTOR):
        value = getattr(message, name)
        values[name] = read(value) if read else value
    for name in _optional(message.DESCRIPTOR):
        if not message.HasField(name):
            values[name] = None
    return values


@cache
def _fields(descriptor: Descriptor) -> list[tuple[str, Read | None]]:
    """Return the fields, each with what makes its value one for JSON, if it is none."""
    return [(field.name, _reader(field)) for field in descriptor.fields]


@cache
def _optional(descriptor: Descriptor) -> list[str]:
    return [field.name for field in descriptor.fields if field.has_presence]


def _reader(field: FieldDescriptor) -> Read | None:
    if field.message_type is not None:
        is_map = field.message_type.GetOptions().map_entry
        return dict if is_map else _each_as_dict if _is_repeated(field) else as_dict
    if _is_repeated(field):
        return list
    enum = field.enum_type
    return None if enum is None else lambda number: enum.values_by_number[number].name


def _is_repeated(field: Any) -> bool:
    """Protobuf has `is_repeated` since 6.31, and wants no more of its predecessor."""
    if hasattr(field, "is_repeated"):
        return bool(field.is_repeated)
    return bool(field.label == field.LABEL_REPEATED)


def _each_as_dict(messages: Any) -> list[dict[str, Any]]:
    return [as_dict(message) for message in messages]
