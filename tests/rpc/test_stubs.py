"""The committed stubs, and the seed's contract."""

import re
from collections.abc import Iterable
from pathlib import Path

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import ServiceDescriptor
from grpc_tools import protoc

from protos import memory_pb2, memory_pb2_grpc

ROOT = Path(__file__).resolve().parent.parent.parent


def compiled(folder: Path, proto: str, root: Path) -> descriptor_pb2.FileDescriptorProto:
    target = folder / "descriptors.pb"
    assert protoc.main(["protoc", f"-I{root}", f"--descriptor_set_out={target}", proto]) == 0
    (file,) = descriptor_pb2.FileDescriptorSet.FromString(target.read_bytes()).file
    return file


def without_json_names(messages: Iterable[descriptor_pb2.DescriptorProto]) -> None:
    """Protoc writes them, the stubs leave them to be derived."""
    for message in messages:
        for field in message.field:
            field.ClearField("json_name")
        without_json_names(message.nested_type)


def test_stubs_are_current(tmp_path: Path) -> None:
    committed = descriptor_pb2.FileDescriptorProto()
    memory_pb2.DESCRIPTOR.CopyToProto(committed)
    wanted = compiled(tmp_path, "protos/memory.proto", ROOT)
    without_json_names(committed.message_type)
    without_json_names(wanted.message_type)
    assert committed == wanted


def test_service_stub_has_every_call() -> None:
    service = memory_pb2.DESCRIPTOR.services_by_name["MemoryService"]
    assert isinstance(service, ServiceDescriptor)
    for method in service.methods:
        assert hasattr(memory_pb2_grpc.MemoryServiceServicer, method.name)


def test_stubs_are_made_with_the_oldest_tools_that_are_supported() -> None:
    pinned = re.search(r"grpcio-tools==([\d.]+)", (ROOT / "requirements-proto.txt").read_text())
    assert pinned is not None
    assert f"GRPC_GENERATED_VERSION = '{pinned[1]}'" in Path(memory_pb2_grpc.__file__).read_text()


def test_everything_of_the_seed_is_there_under_its_number(tmp_path: Path) -> None:
    seed = compiled(tmp_path, "seed.proto", Path(__file__).parent)
    ours = compiled(tmp_path, "protos/memory.proto", ROOT)
    assert seed.package == ours.package
    (service,) = ours.service
    for method in seed.service[0].method:
        assert method in service.method
    assert list(seed.enum_type) == list(ours.enum_type)
    messages = {message.name: message for message in ours.message_type}
    for message in seed.message_type:
        fields = {field.name: field for field in messages[message.name].field}
        for field in message.field:
            assert fields[field.name] == field
