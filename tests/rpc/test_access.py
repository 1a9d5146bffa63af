"""Who may call what, through each kind of address, by default and by setting."""

import os
import socket
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import grpc
import pytest
import trustme
from django.contrib.auth.models import Permission, User
from django.utils import timezone
from pytest_django import Settings

from scheduler_app.control import Actor, tokens
from scheduler_app.exceptions import NotPermitted
from scheduler_app.models import AuditEntry, Job, JobRun, RunState, Scope, Surface, Token
from scheduler_app.rpc import access, sockets
from scheduler_app.rpc.calls import CALLS
from scheduler_app.rpc.client import Client
from scheduler_app.rpc.endpoint import AddressError, CallError, Proof
from scheduler_app.rpc.server import Server
from scheduler_app.rpc.stubs import memory_pb2 as pb
from scheduler_app.rpc.stubs.memory_pb2_grpc import METHODS, MemoryServiceStub
from tests.harness.needs import missing

pytestmark = pytest.mark.django_db(transaction=True)
MakeJob = Callable[..., Job]
ADA = Actor("ada", Surface.CODE)
REQUESTS: dict[str, Any] = {
    "GetSchedulerStatus": pb.GetSchedulerStatusRequest(),
    "PauseJob": pb.PauseJobRequest(job_name="nightly"),
    "ResumeJob": pb.ResumeJobRequest(job_name="nightly"),
    "PauseJobs": pb.PauseJobsRequest(jobs={"job_names": ["nightly"]}),
    "ResumeJobs": pb.ResumeJobsRequest(jobs={"job_names": ["nightly"]}),
    "CancelRun": pb.CancelRunRequest(run_id=1),
    "GetJob": pb.GetJobRequest(job_name="nightly"),
    "ListJobs": pb.ListJobsRequest(),
    "UpdateJobSchedule": pb.UpdateJobScheduleRequest(job_name="nightly", retries=2),
    "AddJob": pb.AddJobRequest(
        job_name="added", schedule="@daily", function="scheduler_app.jobs.compact_database"
    ),
    "DeleteJob": pb.DeleteJobRequest(job_name="old"),
    "BackfillJob": pb.BackfillJobRequest(
        job_name="nightly", since={"seconds": 0}, until={"seconds": 1}
    ),
    "RunJob": pb.RunJobRequest(job_name="nightly"),
    "RetryRun": pb.RetryRunRequest(run_id=1),
    "GetRun": pb.GetRunRequest(run_id=1),
    "ListRuns": pb.ListRunsRequest(),
    "ExplainRun": pb.ExplainRunRequest(job_name="nightly", time="2026-11-24T01:00"),
    "PreviewSchedule": pb.PreviewScheduleRequest(schedule="@daily"),
    "ListNodes": pb.ListNodesRequest(),
    "ListAuditEvents": pb.ListAuditEventsRequest(),
}
READING = [name for name, call in CALLS.items() if call.scope == Scope.VIEW]
ACTING = [name for name, call in CALLS.items() if call.scope != Scope.VIEW]


@pytest.fixture(autouse=True)
def defaults(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.SCHEDULER = {}
    monkeypatch.setattr(access, "REMEMBERED", 0.0)


@pytest.fixture
def nightly(make_job: MakeJob) -> Job:
    """A job, and run 1 of it, which has failed; and one that no code declares any more."""
    at = timezone.now()
    make_job("old", orphaned_at=at)
    JobRun.objects.create(
        pk=1, job_name="nightly", scheduled_for=at, due_at=at, state=RunState.FAILED,
        started_at=at, finished_at=at,
    )  # fmt: skip
    return make_job("nightly")


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user("ada")


def grant(user: User, *names: str) -> None:
    for name in names:
        user.user_permissions.add(Permission.objects.get(codename=name.rpartition(".")[2]))


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)


def token_of(user: User, *scopes: Scope, **fields: Any) -> str:
    return tokens.create(user, scopes or tuple(Scope), by=ADA, **fields)[1]


def answer(stub: Any, name: str, token: str = "") -> tuple[str, str]:
    """Return the status code, and the text of an error."""
    try:
        getattr(stub, name)(REQUESTS[name], metadata=bearer(token) if token else ())
    except grpc.RpcError as error:
        return error.code().name, str(error.details())
    return "OK", ""


def test_every_call_is_tried() -> None:
    names = [method.name for method in METHODS if not method.is_stream]
    assert sorted(names) == sorted(CALLS) == sorted(REQUESTS)


@pytest.mark.parametrize("name", READING)
def test_loopback_without_a_token_may_read(stub: Any, nightly: Job, name: str) -> None:
    assert answer(stub, name) == ("OK", "")


@pytest.mark.parametrize("name", ACTING)
def test_loopback_without_a_token_may_not_act(stub: Any, nightly: Job, name: str) -> None:
    code, text = answer(stub, name)
    assert code == "PERMISSION_DENIED"
    assert "manage.py scheduler token create" in text
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("name", ACTING)
def test_loopback_may_act_by_setting(
    stub: Any, nightly: Job, name: str, settings: Settings
) -> None:
    settings.SCHEDULER = {"loopback_control": True}
    assert answer(stub, name) == ("OK", "")
    assert AuditEntry.objects.get().actor.startswith("ipv4:127.0.0.1")


@pytest.mark.parametrize(
    "peer", ["ipv4:127.0.0.1:5", "ipv4:192.0.2.2:5", "ipv6:[::1]:5", "ipv6:[::ffff:10.0.0.1]:5"]
)
def test_address_of_the_caller_proves_nothing(peer: str) -> None:
    """A process of the machine calls from any address of the machine."""
    context = mock.Mock(**{"peer.return_value": peer, "auth_context.return_value": {}})
    with pytest.raises(NotPermitted):
        access.Access().caller(context, {}).check(CALLS["PauseJob"])
    access.Access(is_open=True).caller(context, {}).check(CALLS["PauseJob"])


def test_call_from_another_address_of_the_machine_may_not_act(
    serve: Callable[..., Server], nightly: Job
) -> None:
    with relay(serve().address) as address, grpc.insecure_channel(address) as channel:
        stub = MemoryServiceStub(channel)
        assert answer(stub, "ListJobs") == ("OK", "")
        assert answer(stub, "PauseJob")[0] == "PERMISSION_DENIED"


@contextmanager
def relay(address: str) -> Iterator[str]:
    """An address that is passed on to that one, from this machine's own address in its network."""
    host, _, port = address.partition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent
        except OSError:
            missing("this machine has no network")
        own = probe.getsockname()[0]

    def pump(one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)

    def accept() -> None:
        with suppress(OSError), listener.accept()[0] as caller, socket.socket() as server:
            server.bind((own, 0))
            server.connect((host, int(port)))
            threading.Thread(target=pump, args=(server, caller), daemon=True).start()
            pump(caller, server)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("name", CALLS)
def test_user_without_the_permission_is_refused(
    stub: Any, nightly: Job, ada: User, name: str
) -> None:
    others = {each for call in CALLS.values() for each in call.permissions}
    grant(ada, *others - set(CALLS[name].permissions))
    code, text = answer(stub, name, token_of(ada))
    assert code == "PERMISSION_DENIED"
    assert text == f"ada lacks the permission {', '.join(CALLS[name].permissions)}."


@pytest.mark.parametrize("name", CALLS)
def test_user_with_the_permission_alone_may(stub: Any, nightly: Job, ada: User, name: str) -> None:
    grant(ada, *CALLS[name].permissions)
    assert answer(stub, name, token_of(ada, CALLS[name].scope)) == ("OK", "")
    actors = AuditEntry.objects.exclude(action="new token").values_list("actor", flat=True)
    assert set(actors) == ({"ada"} if name in ACTING else set())


@pytest.mark.parametrize("name", CALLS)
def test_token_without_the_scope_is_refused(stub: Any, nightly: Job, ada: User, name: str) -> None:
    ada.is_superuser = True
    ada.save()
    others = set(Scope) - {CALLS[name].scope}
    code, text = answer(stub, name, token_of(ada, *others))
    assert code == "PERMISSION_DENIED"
    assert text == f"The token of ada lacks the scope {CALLS[name].scope}."


def expire(token: Token) -> None:
    Token.objects.update(expires_at=timezone.now())


def revoke(token: Token) -> None:
    assert tokens.revoke(token.public_id, by=ADA)
    assert not tokens.revoke(token.public_id, by=ADA)


def deactivate(token: Token) -> None:
    User.objects.update(is_active=False)


def delete_user(token: Token) -> None:
    User.objects.all().delete()


@pytest.mark.parametrize("end", [expire, revoke, deactivate, delete_user])
def test_token_that_is_over_is_refused(
    stub: Any, nightly: Job, ada: User, end: Callable[[Token], None]
) -> None:
    grant(ada, "view_job")
    text = token_of(ada, expires_at=timezone.now() + timedelta(hours=1))
    assert answer(stub, "ListJobs", text) == ("OK", "")
    end(Token.objects.get())
    code, told = answer(stub, "ListJobs", text)
    assert code == "UNAUTHENTICATED"
    assert "unknown, expired or revoked" in told


def test_token_is_remembered_for_less_than_a_second(
    stub: Any, nightly: Job, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant(ada, "view_job")
    text = token_of(ada)
    looked_up = list[str]()
    find = tokens.find

    def note(text: str) -> Token | None:
        looked_up.append(text)
        return find(text)

    monkeypatch.setattr(tokens, "find", note)
    monkeypatch.setattr(access, "REMEMBERED", 60.0)
    for _ in range(3):
        assert answer(stub, "ListJobs", text) == ("OK", "")
    assert len(looked_up) == 1
    monkeypatch.undo()
    assert access.REMEMBERED < 1


@pytest.mark.parametrize(
    "text",
    ["", "x", "sched_", "sched__", "sched_a_b", "sched_a_b_c", "Sched_a_b", "s" * 5000],
)
def test_what_is_no_token_is_refused(stub: Any, nightly: Job, text: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        stub.ListJobs(pb.ListJobsRequest(), metadata=bearer(text))
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_secret_of_another_token_is_refused(stub: Any, nightly: Job, ada: User) -> None:
    one, other = (token_of(ada).split("_") for _ in range(2))
    mixed = "_".join([one[0], one[1], other[2]])
    assert answer(stub, "ListJobs", mixed)[0] == "UNAUTHENTICATED"


def test_secret_is_not_kept(ada: User) -> None:
    text = token_of(ada)
    kept = " ".join(map(str, Token.objects.values_list().get()))
    assert text.split("_")[2] not in kept
    assert text.split("_")[2] not in AuditEntry.objects.get().reason


def test_last_use_is_kept(stub: Any, nightly: Job, ada: User) -> None:
    grant(ada, "view_job")
    text = token_of(ada)
    assert Token.objects.get().used_at is None
    answer(stub, "ListJobs", text)
    assert Token.objects.get().used_at is not None


class TestSocket:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "s.sock"

    @pytest.fixture
    def server(self, serve: Callable[..., Server], path: Path) -> Server:
        return serve(socket_path=str(path))

    @pytest.mark.parametrize("name", CALLS)
    def test_its_owner_may_do_everything(
        self, server: Server, path: Path, nightly: Job, name: str
    ) -> None:
        with grpc.insecure_channel(f"unix:{path}") as channel:
            assert answer(MemoryServiceStub(channel), name) == ("OK", "")
        if name in ACTING:
            assert AuditEntry.objects.get().actor == access._owner()

    def test_nobody_else_may_open_it(self, server: Server, path: Path) -> None:
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert stat.S_IMODE(os.stat(f"{path}.lock").st_mode) == 0o600

    def test_second_server_leaves_it_to_the_first(
        self, server: Server, serve: Callable[..., Server], path: Path, nightly: Job
    ) -> None:
        second = serve(socket_path=str(path))
        assert "unix:" not in second.words
        assert f"unix:{path}" in server.words
        second.stop(1)
        with grpc.insecure_channel(f"unix:{path}") as channel:
            assert answer(MemoryServiceStub(channel), "ListJobs") == ("OK", "")

    def test_stale_socket_is_no_obstacle(
        self, serve: Callable[..., Server], path: Path, nightly: Job
    ) -> None:
        with socket.socket(socket.AF_UNIX) as killed:
            killed.bind(str(path))
        serve(socket_path=str(path))
        with grpc.insecure_channel(f"unix:{path}") as channel:
            assert answer(MemoryServiceStub(channel), "ListJobs") == ("OK", "")

    def test_path_that_cannot_be_is_named(
        self, serve: Callable[..., Server], settings: Settings
    ) -> None:
        settings.SCHEDULER = {"socket": "chosen"}
        with pytest.raises(AddressError, match="longer than"):
            serve(socket_path="/tmp/" + "x" * 200)
        with pytest.raises(AddressError, match="No such file or directory"):
            serve(socket_path="/no/such/folder/s.sock")

    def test_file_of_the_user_is_not_deleted(
        self, serve: Callable[..., Server], path: Path, settings: Settings
    ) -> None:
        settings.SCHEDULER = {"socket": str(path)}
        path.write_text("mine")
        with pytest.raises(AddressError, match="a file that is no socket"):
            serve(socket_path=str(path))
        assert path.read_text() == "mine"

    @pytest.fixture
    def short_path(self) -> Iterator[Path]:
        """The path of a socket must not be long."""
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)

    @pytest.mark.parametrize("mode", [0o755, None])
    def test_lack_of_a_place_for_it_is_no_reason_not_to_start(
        self, serve: Callable[..., Server], short_path: Path, monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture, mode: int | None,
    ) -> None:  # fmt: skip
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_path))
        folder = short_path / sockets.FOLDER
        if mode is None:
            folder.write_text("in the way")
        else:
            folder.mkdir()
            folder.chmod(mode)
        server = serve(socket_path=sockets.path())
        assert "unix:" not in server.words
        assert "Cannot listen at the Unix socket" in caplog.text


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


class TestEncryption:
    @pytest.fixture
    def files(self, authority: trustme.CA, tmp_path: Path) -> dict[str, str]:
        """Certificates of a server, and of the clients ada and eve."""
        found = {"ca": str(tmp_path / "ca.pem")}
        authority.cert_pem.write_to_path(found["ca"])
        for name in ("localhost", "ada", "eve"):
            issued = authority.issue_cert(name, common_name=name)
            found[name], found[f"{name}_key"] = (
                str(tmp_path / f"{name}{end}") for end in (".pem", ".key")
            )
            issued.cert_chain_pems[0].write_to_path(found[name])
            issued.private_key_pem.write_to_path(found[f"{name}_key"])
        return found

    @pytest.fixture
    def encrypted(self, settings: Settings, files: dict[str, str]) -> None:
        settings.SCHEDULER = {
            "tls_certificate": files["localhost"],
            "tls_key": files["localhost_key"],
        }

    @pytest.fixture
    def mutual(self, settings: Settings, encrypted: None, files: dict[str, str]) -> None:
        settings.SCHEDULER = settings.SCHEDULER | {"tls_client_ca": files["ca"]}

    @pytest.fixture
    def client(self, serve: Callable[..., Server], files: dict[str, str]) -> Iterator[Any]:
        clients = []

        def make(**proof: str) -> Client:
            port = serve("localhost:0").address.rpartition(":")[2]
            clients.append(Client(f"https://localhost:{port}", Proof(ca=files["ca"], **proof)))
            return clients[-1]

        yield make
        for client in clients:
            client.close()

    def code(self, client: Client, name: str = "ListJobs", **fields: Any) -> str:
        try:
            client.call(name, **fields)
        except CallError as error:
            return error.code
        return "OK"

    def test_token_is_needed_to_read(self, encrypted: None, client: Any, nightly: Job) -> None:
        assert self.code(client()) == "UNAUTHENTICATED"

    def test_token_opens_it(self, encrypted: None, client: Any, nightly: Job, ada: User) -> None:
        grant(ada, "view_job", "pause_job")
        caller = client(token=token_of(ada, Scope.VIEW, Scope.CONTROL))
        assert self.code(caller) == "OK"
        assert self.code(caller, "PauseJob", job_name="nightly") == "OK"
        assert self.code(caller, "RunJob", job_name="nightly") == "PERMISSION_DENIED"
        assert AuditEntry.objects.latest("pk").actor == "ada"

    def test_certificate_stands_for_its_user(
        self, mutual: None, client: Any, nightly: Job, ada: User, files: dict[str, str]
    ) -> None:
        grant(ada, "view_job", "pause_job")
        caller = client(certificate=files["ada"], key=files["ada_key"])
        assert self.code(caller) == "OK"
        assert self.code(caller, "PauseJob", job_name="nightly") == "OK"
        assert self.code(caller, "RunJob", job_name="nightly") == "PERMISSION_DENIED"
        assert AuditEntry.objects.latest("pk").actor == "ada"

    def test_certificate_of_no_user_is_refused(
        self, mutual: None, client: Any, nightly: Job, files: dict[str, str]
    ) -> None:
        caller = client(certificate=files["eve"], key=files["eve_key"])
        assert self.code(caller) == "UNAUTHENTICATED"

    def test_client_without_a_certificate_is_not_let_in(
        self, mutual: None, client: Any, nightly: Job, ada: User
    ) -> None:
        assert self.code(client(token=token_of(ada))) in ("", "UNAVAILABLE")

    def test_client_verifies_the_server(
        self, encrypted: None, serve: Callable[..., Server], nightly: Job
    ) -> None:
        port = serve("localhost:0").address.rpartition(":")[2]
        caller = Client(f"https://localhost:{port}")
        assert self.code(caller) in ("", "UNAVAILABLE")
        caller.close()

    def test_other_address_is_served_with_it(
        self, encrypted: None, serve: Callable[..., Server]
    ) -> None:
        assert serve("0.0.0.0:0").words.endswith(" (TLS)")

    def test_other_address_is_refused_without_it(self, serve: Callable[..., Server]) -> None:
        with pytest.raises(AddressError, match=r'SCHEDULER\["tls_certificate"\]'):
            serve("0.0.0.0:0")

    def test_insecure_server_says_what_it_opens(
        self, serve: Callable[..., Server], caplog: pytest.LogCaptureFixture
    ) -> None:
        serve("0.0.0.0:0", insecure=True)
        assert "everybody who reaches it may pause, run and cancel jobs" in caplog.text

    def test_certificate_that_cannot_be_read_is_named(
        self, settings: Settings, serve: Callable[..., Server]
    ) -> None:
        settings.SCHEDULER = {"tls_certificate": "/no/such.pem", "tls_key": "/no/such.key"}
        with pytest.raises(AddressError, match=r"/no/such\.key"):
            serve("localhost:0")
