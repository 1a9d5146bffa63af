"""AddJob and DeleteJob over a real channel, and the commands that call them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from scheduler_app.models import AddedJob, AuditEntry, Job
from scheduler_app.registry import registry
from scheduler_app.rpc.server import Server
from scheduler_app.rpc.stubs import memory_pb2 as pb
from tests.rpc.test_requests import reason, refusal
from tests.test_added import PATH, send

pytestmark = pytest.mark.django_db(transaction=True)
MakeJob = Callable[..., Job]
Call = Callable[..., str]


@pytest.fixture(autouse=True)
def offered() -> Iterator[None]:
    """This process's code offers send()."""
    registry.offer(send)
    yield
    del registry.functions[PATH]


@pytest.fixture
def call(transactional_db: None, capsys: pytest.CaptureFixture[str]) -> Iterator[Call]:
    server = Server("127.0.0.1:0")
    server.start()

    def _call(*command: str) -> str:
        call_command("scheduler", "--endpoint", server.address, *command)
        return capsys.readouterr().out

    yield _call
    server.stop(1)


def request(**fields: Any) -> Any:
    values = {"job_name": "acme", "function": PATH, "schedule": "0 3 * * *", "timezone": "UTC"}
    return pb.AddJobRequest(**(values | fields))


def test_added_job_is_answered_as_it_is(stub: Any) -> None:
    asked = request(description="For acme", retries=2, timeout_seconds=60, reason="asked")
    asked.arguments.update({"customer": "acme", "limit": 7})
    answer = stub.AddJob(asked)
    assert (answer.job_name, answer.cron_expr, answer.retries, answer.timeout_ms) == (
        "acme",
        "0 3 * * *",
        2,
        60_000,
    )
    assert answer.next_run_ms > 0
    assert AddedJob.objects.get().arguments == '{"customer": "acme", "limit": 7}'
    assert AuditEntry.objects.get().action == "add"


def test_zone_is_by_default_the_servers(stub: Any, settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    assert stub.AddJob(request(timezone="")).timezone == "Asia/Tokyo"


@pytest.mark.parametrize(
    ("fields", "code", "why", "field"),
    [
        ({"function": "os.system"}, "INVALID_ARGUMENT", "BAD_POLICY", None),
        ({"schedule": "* *"}, "INVALID_ARGUMENT", "BAD_SCHEDULE", "schedule"),
        ({"schedule": ""}, "INVALID_ARGUMENT", "BAD_SCHEDULE", "schedule"),
        ({"function": ""}, "INVALID_ARGUMENT", "BAD_REQUEST", "function"),
        ({"words": ["x"]}, "INVALID_ARGUMENT", "BAD_REQUEST", "words"),
        ({"job_name": "taken"}, "FAILED_PRECONDITION", "ACTION_REFUSED", None),
        ({"job_name": "No Name"}, "INVALID_ARGUMENT", "BAD_POLICY", None),
    ],
)
def test_what_cannot_be_added_is_refused(
    stub: Any, make_job: MakeJob, fields: dict[str, Any], code: str, why: str, field: str | None
) -> None:
    make_job("taken")
    found, _, details = refusal(stub.AddJob, request(**fields))
    assert (found, details[0]) == (code, reason(why))
    assert [each["fieldViolations"][0]["field"] for each in details[1:]] == [field] * bool(field)
    assert not AddedJob.objects.exists()


def test_job_is_deleted_once_and_by_the_etag_that_is_known(stub: Any) -> None:
    etag = stub.AddJob(request()).etag
    code, _, _ = refusal(stub.DeleteJob, pb.DeleteJobRequest(job_name="acme", etag="old"))
    assert code == "ABORTED"
    asked = pb.DeleteJobRequest(job_name="acme", etag=etag, request_id="one")
    stub.DeleteJob(asked)
    stub.DeleteJob(asked)
    assert not Job.objects.exists()
    assert AuditEntry.objects.filter(action="delete").count() == 1
    code, _, _ = refusal(stub.DeleteJob, pb.DeleteJobRequest(job_name="acme"))
    assert code == "NOT_FOUND"


def test_commands_add_and_delete(call: Call, settings: Any) -> None:
    settings.SCHEDULER = settings.SCHEDULER | {"addable_commands": ["check"]}
    told = call(
        *("add", "acme", "--function", PATH, "--schedule", "0 3 * * *", "--tz", "UTC"),
        *("--arg", "customer=acme", "--retries", "2", "--reason", "asked"),
    )
    assert told.startswith("Job 'acme' added: At 03:00 every day (UTC), next run ")
    call("add", "tidy", "--command", "check", "--word=--tag", "--word=urls", "--schedule", "@daily")
    rows = AddedJob.objects.values_list("name", "command", "arguments")
    assert list(rows) == [
        ("acme", "", '{"customer": "acme"}'),
        ("tidy", "check", '["--tag", "urls"]'),
    ]
    assert call("delete", "tidy") == "Job 'tidy' deleted.\n"
    with pytest.raises(CommandError, match=r"not found: acne\. Did you mean acme\?"):
        call("delete", "acne")
    with pytest.raises(CommandError, match="one of the arguments --function --command is required"):
        call("add", "other")
