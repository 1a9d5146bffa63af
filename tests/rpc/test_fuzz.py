"""Whatever a client sends, it gets an answer or a refusal that names what is wrong, and the server
serves on."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler_app.models import Job, JobRun, RunState
from scheduler_app.rpc.stubs import memory_pb2 as pb
from scheduler_app.rpc.stubs.memory_pb2_grpc import METHODS, Method
from tests.engine.conftest import T0

pytestmark = pytest.mark.django_db(transaction=True)
MakeJob = Callable[..., Job]
BROKEN = (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE)
QUICKLY = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

texts = st.one_of(
    st.sampled_from(["", "a", "nightly", "* * * * *", "@daily", "every 5m", "once", "UTC", "\0"]),
    st.sampled_from(["2026-03-02T12:00", "9999-12-31T23:59:59-23:59", "0001-01-01", "é" * 3000]),
    st.text(max_size=30).filter(
        lambda text: not any("\ud800" <= each <= "\udfff" for each in text)
    ),
)
numbers = {
    FieldDescriptor.TYPE_INT32: st.one_of(st.integers(-(2**31), 2**31 - 1), st.integers(-1, 3)),
    FieldDescriptor.TYPE_INT64: st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-1, 3)),
    FieldDescriptor.TYPE_ENUM: st.integers(-2, 12),
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_DOUBLE: st.floats(),
    FieldDescriptor.TYPE_STRING: texts,
}
moments = st.builds(
    lambda seconds, nanos: {"seconds": seconds, "nanos": nanos},
    st.one_of(
        st.integers(-(2**63), 2**63 - 1),
        st.integers(-62_135_596_800, 253_402_300_799),
        st.integers(1_772_000_000, 1_773_000_000),
    ),
    st.integers(-(2**31), 2**31 - 1),
)
arguments = st.dictionaries(texts, st.one_of(texts, st.floats(), st.none(), st.booleans()))

selections = st.fixed_dictionaries(
    {}, optional={"all": st.booleans(), "name_prefix": texts, "app": texts}
)


def values_of(field: Any) -> st.SearchStrategy[Any]:
    if field.message_type is None:
        one: st.SearchStrategy[Any] = numbers[field.type]
        return st.lists(one, max_size=3) if field.is_repeated else one
    if field.message_type.name == "JobSelection":
        return selections
    return {"Timestamp": moments, "Struct": arguments}[field.message_type.name]


@st.composite
def requests(draw: st.DrawFn, method: Method) -> Any:
    request = method.request()
    for field in request.DESCRIPTOR.fields:
        if not draw(st.booleans()):
            continue
        value = draw(values_of(field))
        if field.is_repeated:
            getattr(request, field.name).extend(value)
        elif field.message_type is None:
            setattr(request, field.name, value)
        elif field.message_type.name == "Struct":
            with suppress(ValueError):
                getattr(request, field.name).update(value)
        else:
            for part, number in value.items():
                setattr(getattr(request, field.name), part, number)
    return request


@pytest.fixture(autouse=True)
def rows(make_job: MakeJob) -> None:
    make_job("a")
    make_job("nightly", timezone="Europe/Berlin")
    JobRun.objects.create(
        pk=1, job_name="a", scheduled_for=T0, due_at=T0, state=RunState.FAILED,
        started_at=T0, finished_at=T0,
    )  # fmt: skip


def ask(channel: grpc.Channel, method: Method, data: bytes) -> None:
    """Send these bytes. Whatever comes back, it is neither a broken call nor a secret."""
    anything: Any = channel
    call = (anything.unary_stream if method.is_stream else anything.unary_unary)(method.path)
    refusal: Any = None
    try:
        answer = call(data, timeout=30)
        if method.is_stream:
            next(answer)
            answer.cancel()
    except grpc.RpcError as error:
        refusal = error
    if refusal:
        assert refusal.code() not in BROKEN, refusal.details()
        assert "Traceback" not in str(refusal.details())


def serves(stub: Any) -> bool:
    return bool(stub.GetSchedulerStatus(pb.GetSchedulerStatusRequest(), timeout=30).jobs)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_message_is_answered_or_refused(
    channel: grpc.Channel, stub: Any, method: Method
) -> None:
    @QUICKLY
    @given(request=requests(method))
    def check(request: Any) -> None:
        ask(channel, method, request.SerializeToString())

    check()
    assert serves(stub)


@QUICKLY
@given(number=st.integers(0, len(METHODS) - 1), data=st.binary(max_size=60))
def test_every_string_of_bytes_is_answered_or_refused(
    channel: grpc.Channel, stub: Any, number: int, data: bytes
) -> None:
    ask(channel, METHODS[number], data)


def test_message_that_is_too_long_is_refused(channel: grpc.Channel, stub: Any) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        stub.GetJob(pb.GetJobRequest(job_name="a" * 2_000_000))
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert serves(stub)
