"""manage.py scheduler token, and what the command line shows to a server."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from pytest_django import Settings

from scheduler_app.models import AuditEntry, Job, Token
from scheduler_app.rpc.server import Server
from tests.rpc.conftest import serve

__all__ = ["serve"]

pytestmark = pytest.mark.django_db(transaction=True)
MakeJob = Callable[..., Job]


@pytest.fixture
def ada(db: None) -> User:
    user = User.objects.create_user("ada")
    names = ("view_job", "pause_job")
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    return user


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def _call(*command: str) -> str:
        call_command("scheduler", *command)
        return capsys.readouterr().out.strip()

    return _call


def test_token_is_made_listed_and_revoked(call: Any, ada: User) -> None:
    text = call("token", "create", "ada", "--scope", "control", "--name", "ci", "--expires", "90d")
    token = Token.objects.get()
    assert text.startswith(f"sched_{token.public_id}_")
    assert (token.name, token.user_id, token.scopes) == ("ci", str(ada.pk), ["control"])
    assert token.expires_at is not None
    assert (token.expires_at - token.created_at).days in (89, 90)
    listed = call("token", "list").splitlines()[1]
    assert listed.split()[:4] == [token.public_id, "ci", "ada", "control"]
    assert listed.endswith("valid")
    assert call("token", "revoke", token.public_id) == f"Token {token.public_id} is revoked."
    assert "revoked" in call("token", "list")
    actions = AuditEntry.objects.order_by("pk").values_list("action", "actor")
    assert [action for action, _ in actions] == ["new token", "no token"]


def test_json_has_a_token_a_line_and_no_secret(call: Any, ada: User) -> None:
    secret = call("token", "create", "ada", "--name", "ci")
    printed = call("token", "list", "--json")
    found = json.loads(printed)
    assert (found["name"], found["user"], found["scopes"], found["valid"]) == (
        "ci",
        "ada",
        ["view"],
        True,
    )
    assert (found["expire_time"], found["revoke_time"]) == (None, None)
    assert secret.rpartition("_")[2] not in printed


def test_what_is_not_there_is_named(call: Any, ada: User) -> None:
    with pytest.raises(CommandError, match="no active user 'eve'"):
        call("token", "create", "eve")
    with pytest.raises(CommandError, match="Token not found: abc"):
        call("token", "revoke", "abc")


def test_token_of_the_environment_is_shown_to_the_server(
    call: Any, ada: User, serve: Callable[..., Server], settings: Settings, make_job: MakeJob,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    settings.SCHEDULER = {}
    make_job("nightly")
    monkeypatch.setenv("SCHEDULER_ENDPOINT", serve().address)
    with pytest.raises(CommandError, match="only reading is permitted") as caught:
        call("pause", "nightly")
    assert caught.value.returncode == 4
    token = call("token", "create", "ada", "--scope", "control")
    monkeypatch.setenv("SCHEDULER_TOKEN", token)
    assert call("pause", "nightly") == "Job 'nightly' paused."
    assert AuditEntry.objects.latest("pk").actor == "ada"
    with pytest.raises(CommandError, match="lacks the scope run") as caught:
        call("run", "nightly")
    assert caught.value.returncode == 4


def test_socket_of_the_database_is_asked_first(
    call: Any, serve: Callable[..., Server], settings: Settings, make_job: MakeJob,
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any,
) -> None:  # fmt: skip
    make_job("nightly")
    monkeypatch.delenv("SCHEDULER_ENDPOINT")
    settings.SCHEDULER = {"socket": str(tmp_path / "s.sock")}
    serve(socket_path=str(tmp_path / "s.sock"))
    assert call("pause", "nightly") == "Job 'nightly' paused."
    assert AuditEntry.objects.get().surface == "cli"
