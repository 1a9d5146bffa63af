"""Who calls, and whether they may.

Through the Unix socket comes who may open it: the user of the operating system who runs the server.
A token proves its user, a client's certificate the user that it names. Without either, a server
that listens without encryption lets its callers read, and control if
SCHEDULER["loopback_control"] says so; one that --insecure has opened lets them do everything.

Calls are counted for the caller whom they prove; what has still to be looked up in the database is
counted for the address it comes from, so that guesses of tokens cost little.

What decides is how the server listens, never from which address a call seems to come: a process of
the machine can call a loopback address from any address of the machine."""

import getpass
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from threading import Lock
from typing import Any
from urllib.parse import unquote

import grpc

from scheduler_app.conf import scheduler_settings
from scheduler_app.control import Actor, tokens
from scheduler_app.exceptions import NotPermitted, NotSignedIn
from scheduler_app.models import Scope, Surface, Token
from scheduler_app.rpc.calls import Call
from scheduler_app.rpc.endpoint import SURFACE_KEY
from scheduler_app.rpc.limits import Limits, network

AUTHORIZATION = "authorization"
BEARER = "Bearer "
REMEMBERED = 0.5
"""Seconds for which a token that was found is not looked up again."""
MOST_REMEMBERED = 1_000
GUESS = 5
"""As how many calls an unknown token counts: it takes a query."""
HOW = (
    "Make one with `manage.py scheduler token create`, and send it as the metadata "
    "`authorization: Bearer <token>`"
)


class Caller:
    """Who calls. `check` raises NotPermitted."""

    def __init__(self, name: str) -> None:
        self.name = name

    def check(self, call: Call) -> None:
        """By default everything is permitted."""


class Unproved(Caller):
    """Who calls a loopback address without a token."""

    def check(self, call: Call) -> None:
        if call.scope != Scope.VIEW and not scheduler_settings().loopback_control:
            raise NotPermitted(
                f"At this address only reading is permitted without a token. {HOW}; or use the "
                'Unix socket of the scheduler, or set SCHEDULER["loopback_control"] = True.'
            )


class UserCaller(Caller):
    """A user of the project."""

    def __init__(self, user: Any, scopes: frozenset[str] | None = None) -> None:
        super().__init__(user.get_username())
        self._user = user
        self._scopes = scopes

    def check(self, call: Call) -> None:
        if self._scopes is not None and call.scope not in self._scopes:
            raise NotPermitted(f"The token of {self.name} lacks the scope {call.scope}.")
        lacking = [name for name in call.permissions if not self._permissions[name]]
        if lacking:
            raise NotPermitted(f"{self.name} lacks the permission {', '.join(lacking)}.")

    @cached_property
    def _permissions(self) -> "_Permissions":
        return _Permissions(self._user)


class TokenCaller(UserCaller):
    """A user of the project, by a token."""

    def __init__(self, user: Any, token: Token) -> None:
        super().__init__(user, frozenset(token.scopes))
        self.limited_as = f"the token {token.public_id} of {self.name}"


class _Permissions(dict[str, bool]):
    """Remembers what the user's backends say."""

    def __init__(self, user: Any) -> None:
        super().__init__()
        self._user = user

    def __missing__(self, name: str) -> bool:
        self[name] = found = bool(self._user.has_perm(name))
        return found


def _uncounted(_: str) -> None:
    """Count nothing."""


class Access:
    """Finds out who calls one server. Remembers tokens for a moment: each takes several queries."""

    def __init__(self, *, is_open: bool = False, limits: Limits | None = None) -> None:
        """`is_open`: all who reach the server may do everything."""
        self._is_open = is_open
        self._limits = limits or Limits()
        self._lock = Lock()
        self._known: dict[str, tuple[float, TokenCaller]] = {}
        """Tokens that were good when they were last looked up, and when that was. They are looked
        up again on their own account, so that no guesses from the same address stop them."""

    def actor(self, call: Call, context: grpc.ServicerContext, *, is_counted: bool = True) -> Actor:
        """Return who makes this call, for the audit. Raises TooManyCalls, NotSignedIn and
        NotPermitted. `is_counted`: it counts as a call of theirs."""
        said = dict(context.invocation_metadata())
        caller = self.caller(context, said, self._limits.count if is_counted else _uncounted)
        caller.check(call)
        surface = Surface.CLI if said.get(SURFACE_KEY) == Surface.CLI else Surface.GRPC
        return Actor(caller.name, surface)

    def caller(
        self,
        context: grpc.ServicerContext,
        said: Mapping[str, Any],
        count: Callable[[str], None] = _uncounted,
    ) -> Caller:
        """Return who calls, and have this call counted as theirs. Raises TooManyCalls and
        NotSignedIn."""
        text = said.get(AUTHORIZATION)
        peer = unquote(context.peer())
        host = peer.rpartition(":")[0]  # the port is another one at each connection
        is_owner = peer.startswith("unix:")
        if text is not None:
            caller = self._by_token(str(text), "" if is_owner else network(host))
            count(caller.limited_as)
            return caller
        proof: Any = context.auth_context() or {}
        if proof.get("transport_security_type") == [b"ssl"]:
            names = proof.get("x509_common_name")
            if not names:
                raise NotSignedIn(f"This address needs a token. {HOW}.")
            name = names[0].decode("utf-8", "replace")
            count(f"the certificate of {name!r}")
            return _by_certificate(name)
        if is_owner:
            return Caller(_owner())
        count(f"all callers from {network(host)} without a token")
        return Caller(host) if self._is_open else Unproved(host)

    def _by_token(self, authorization: str, where: str) -> "TokenCaller":
        """Return whose token this is. `where` it comes from; empty for the Unix socket."""
        text = authorization.removeprefix(BEARER)
        now = time.monotonic()
        with self._lock:
            known = self._known.get(text)
        if known and now - known[0] < REMEMBERED:
            return known[1]
        if where and not known:
            self._limits.count(f"all callers from {where} with an unknown token", GUESS)
        token = tokens.find(text) if text != authorization else None
        user = tokens.user_of(token) if token else None
        if token is None or user is None:
            with self._lock:
                self._known.pop(text, None)
            raise NotSignedIn(
                f"The token is unknown, expired or revoked, or its user is not active. {HOW}."
            )
        caller = TokenCaller(user, token)
        with self._lock:
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            self._known[text] = now, caller
        return caller


def _by_certificate(name: str) -> Caller:
    """Return the user whom the certificate of a client names."""
    from django.contrib.auth import get_user_model

    users = get_user_model()
    key = {users.USERNAME_FIELD: name}
    user = users._default_manager.filter(**key).first() if "\0" not in name else None
    if user is None or not user.is_active:
        raise NotSignedIn(f"The certificate's name, {name!r}, is not that of an active user.")
    return UserCaller(user)


def _owner() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
