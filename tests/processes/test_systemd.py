"""What systemd is told."""

import socket
from pathlib import Path

import pytest

from scheduler_app.processes.systemd import notify


@pytest.mark.parametrize("abstract", [False, True])
def test_state_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool) -> None:
    name = f"@scheduler-{tmp_path.name}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(name.replace("@", "\0", 1))
        end.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        notify("READY=1")
        assert end.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", ["", "/no/such/socket", "nonsense"])
def test_nothing_happens_without_systemd(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify("READY=1")
