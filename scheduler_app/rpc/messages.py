"""A message as the values of its fields."""

from typing import Any

from google.protobuf.message import Message


def as_dict(message: Message) -> dict[str, Any]:
    """Return the message field by field: enums by name, None for what is optional and not there.
    Protobuf's own JSON has whole numbers as text."""
    return {field.name: _value(message, field) for field in message.DESCRIPTOR.fields}


def _value(message: Message, field: Any) -> Any:
    value = getattr(message, field.name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return dict(value)
    if field.is_repeated:
        return [as_dict(each) if isinstance(each, Message) else each for each in value]
    if field.enum_type is not None:
        return field.enum_type.values_by_number[value].name
    return value if not field.has_presence or message.HasField(field.name) else None
