"""The messages, in a descriptor pool of their own: a host may have a `memory.proto`, or a package
`memory`, itself, and the default pool takes no name twice.

Type checkers read memory_pb2.pyi, which protoc writes. Works with protobuf 5, 6 and 7: nothing here
was generated for one of them."""

from pathlib import Path

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

_SET = descriptor_pb2.FileDescriptorSet.FromString(
    Path(__file__).with_name("memory.binpb").read_bytes()
)
POOL = descriptor_pool.DescriptorPool()
for _file in _SET.file:
    POOL.Add(_file)
DESCRIPTOR = POOL.FindFileByName("memory.proto")

for _name, _enum in DESCRIPTOR.enum_types_by_name.items():
    globals()[_name] = EnumTypeWrapper(_enum)
    globals().update((value.name, value.number) for value in _enum.values)
for _name, _message in DESCRIPTOR.message_types_by_name.items():
    globals()[_name] = message_factory.GetMessageClass(_message)
