"""The committed stubs, and the seed's contract."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import grpc_tools
import pytest
from google.protobuf import descriptor_pb2
from grpc_tools import protoc

from scheduler_app.rpc import messages
from scheduler_app.rpc.stubs import memory_pb2, memory_pb2_grpc

PROTOS = Path(__file__).resolve().parent.parent.parent / "protos"


def compiled(folder: Path, proto: str, root: Path) -> descriptor_pb2.FileDescriptorProto:
    target = folder / "descriptors.pb"
    known = Path(grpc_tools.__file__).parent / "_proto"
    command = ["protoc", f"-I{root}", f"-I{known}", f"--descriptor_set_out={target}", proto]
    assert protoc.main(command) == 0
    (file,) = descriptor_pb2.FileDescriptorSet.FromString(target.read_bytes()).file
    return file


def test_stubs_are_current(tmp_path: Path) -> None:
    committed = descriptor_pb2.FileDescriptorProto()
    memory_pb2.DESCRIPTOR.CopyToProto(committed)
    wanted = compiled(tmp_path, "memory.proto", PROTOS)
    assert committed == wanted


def test_every_call_has_a_type() -> None:
    calls = [method.name for method in memory_pb2_grpc.SERVICE.methods]
    assert list(memory_pb2_grpc.MemoryServiceStub.__annotations__) == calls


HOST = """
from google.protobuf import descriptor_pb2, descriptor_pool
theirs = descriptor_pb2.FileDescriptorProto(name="memory.proto", package="memory")
theirs.message_type.add(name="PauseJobRequest").field.add(name="theirs", number=1, label=1, type=5)
descriptor_pool.Default().Add(theirs)
from scheduler_app.rpc.stubs import memory_pb2
print(memory_pb2.PauseJobRequest(job_name="a"))
"""


def test_stubs_stand_beside_a_package_of_the_same_name() -> None:
    """A host has a memory.proto, too, with a message of the same name."""
    command = [sys.executable, "-c", HOST]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == (
        'job_name: "a"\n\n'
    )


def test_everything_of_the_seed_is_there_under_its_number(tmp_path: Path) -> None:
    seed = compiled(tmp_path, "seed.proto", Path(__file__).parent)
    ours = compiled(tmp_path, "memory.proto", PROTOS)
    assert seed.package == ours.package
    (service,) = ours.service
    for method in seed.service[0].method:
        assert method in service.method
    for enum in seed.enum_type:
        assert enum in ours.enum_type
    messages = {message.name: message for message in ours.message_type}
    for message in seed.message_type:
        fields = {field.name: field for field in messages[message.name].field}
        for field in message.field:
            assert fields[field.name] == field


@pytest.mark.parametrize("label", [1, 3])
def test_field_of_an_older_protobuf_says_by_its_label_whether_it_is_repeated(label: int) -> None:
    field = SimpleNamespace(label=label, LABEL_REPEATED=3)
    assert messages._is_repeated(field) == (label == 3)
