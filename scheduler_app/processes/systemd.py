"""What systemd wants to hear of a service (sd_notify)."""

import os
import socket
from contextlib import suppress


def notify(state: str) -> None:
    """Tell systemd, such as "READY=1"; do nothing if it does not listen."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address[:1] not in ("/", "@"):
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.setblocking(False)
        end.sendto(state.encode(), address.replace("@", "\0", 1) if address[0] == "@" else address)
