"""A message as the values of its fields, and the other way round.

Enums are names, moments datetimes in UTC, lengths of time timedeltas, structs dictionaries; None is
for what is optional, or a message, and not there."""

from collections.abc import Callable, Mapping
from datetime import UTC
from functools import cache, partial
from typing import Any, TypeVar

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from scheduler_app.exceptions import RequestError

M = TypeVar("M", bound=Message)
Read = Callable[[Any], Any]
TIMESTAMP, DURATION, STRUCT = (
    f"google.protobuf.{name}" for name in ("Timestamp", "Duration", "Struct")
)


def as_dict(message: Message) -> dict[str, Any]:
    """Return the message field by field. Protobuf's own JSON has whole numbers as text. Raises
    RequestError for a moment that no calendar has."""
    values = {}
    for name, read in _fields(message.DESCRIPTOR):
        value = getattr(message, name)
        values[name] = read(value) if read else value
    for name in _optional(message.DESCRIPTOR):
        if not message.HasField(name):
            values[name] = None
    return values


def fill(message: M, values: Mapping[str, Any]) -> M:
    """Set these fields of the message, and return it."""
    for name, value in values.items():
        if value is None:
            continue
        field = message.DESCRIPTOR.fields_by_name[name]
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            _set(message, field, value)
        elif _is_repeated(field):
            rows = getattr(message, name)
            for each in value:
                if field.message_type.full_name == TIMESTAMP:
                    rows.add().FromDatetime(each)
                elif _is_plain(field.message_type):
                    rows.add(**each)  # by far the quickest
                else:
                    fill(rows.add(), each)
        elif field.message_type.full_name == TIMESTAMP:
            getattr(message, name).FromDatetime(value)
        elif field.message_type.full_name == DURATION:
            getattr(message, name).FromTimedelta(value)
        elif field.message_type.full_name == STRUCT:
            getattr(message, name).update(value)
        else:
            fill(getattr(message, name), value)
    return message


@cache
def _is_plain(descriptor: Descriptor) -> bool:
    """Return whether the constructor of the message takes all its values as they are."""
    inner = [field.message_type for field in descriptor.fields if field.message_type is not None]
    return all(
        not each.full_name.startswith("google.protobuf.")
        and (each is descriptor or _is_plain(each))
        for each in inner
    )


def _set(message: Message, field: Any, value: Any) -> None:
    if isinstance(value, Mapping):
        getattr(message, field.name).update(value)
    elif _is_repeated(field):
        numbers = [_number(field, each) for each in value]
        getattr(message, field.name).extend(numbers)
    else:
        setattr(message, field.name, _number(field, value))


def _number(field: FieldDescriptor, value: Any) -> Any:
    """Return the number of an enum's value, and any other value as it is."""
    if field.enum_type is None or not isinstance(value, str):
        return value
    return field.enum_type.values_by_name[value].number


@cache
def _fields(descriptor: Descriptor) -> list[tuple[str, Read | None]]:
    """Return the fields, each with what makes its value one of Python's own, if it is none."""
    return [(field.name, _reader(field)) for field in descriptor.fields]


@cache
def _optional(descriptor: Descriptor) -> list[str]:
    return [field.name for field in descriptor.fields if field.has_presence]


def _reader(field: FieldDescriptor) -> Read | None:
    read = _reader_of_one(field)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return dict
    if not _is_repeated(field):
        return read
    return list if read is None else partial(_each, read)


def _each(read: Read, values: Any) -> list[Any]:
    return [read(value) for value in values]


def _reader_of_one(field: FieldDescriptor) -> Read | None:
    if field.message_type is not None:
        known: dict[str, Read] = {
            TIMESTAMP: _moment(field.name),
            DURATION: _length,
            STRUCT: partial(_struct, field.name),
        }
        found: Read = known.get(field.message_type.full_name, as_dict)
        return found
    enum = field.enum_type
    if enum is None:
        return None
    names = {number: value.name for number, value in enum.values_by_number.items()}
    return lambda number: names.get(number, str(number))  # a later release may know more


def _moment(name: str) -> Read:
    def read(value: Any) -> Any:
        try:
            return value.ToDatetime(UTC)
        except (ValueError, OverflowError) as error:
            text = f"Bad {name}: it is no moment of the years 1 to 9999."
            raise RequestError(name, text) from error

    return read


def _length(value: Any) -> Any:
    return value.ToTimedelta()


def _struct(name: str, value: Any) -> dict[str, Any]:
    """Return a struct, in which all numbers are floats, with whole numbers as integers."""
    try:
        found: dict[str, Any] = _whole(json_format.MessageToDict(value))
    except (json_format.Error, ValueError) as error:
        raise RequestError(name, f"Bad {name}: JSON has neither infinity nor NaN.") from error
    return found


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_whole(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _is_repeated(field: Any) -> bool:
    """Protobuf has `is_repeated` since 6.31, and wants no more of its predecessor."""
    if hasattr(field, "is_repeated"):
        return bool(field.is_repeated)
    return bool(field.label == field.LABEL_REPEATED)
