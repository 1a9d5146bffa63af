"""Tokens of the API: made, found by their text, and ended."""

import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from hashlib import sha256
from hmac import compare_digest
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ObjectDoesNotExist, ValidationError

from scheduler_app.control.actor import Action, Actor, audit
from scheduler_app.exceptions import TokenNotFound
from scheduler_app.models import Scope, Token, database

PREFIX = "sched"
USED_EVERY = timedelta(minutes=1)
"""How exactly the last use of a token is kept."""
LONGEST = 200
"""Characters of what can be a token's text."""


def create(
    user: Any,
    scopes: Collection[Scope],
    *,
    by: Actor,
    name: str = "",
    expires_at: datetime | None = None,
) -> tuple[Token, str]:
    """Make a token for this user; return it, and its text, which is not kept."""
    public_id, secret = secrets.token_hex(6), secrets.token_hex(32)
    with database.atomic():
        token = Token.objects.create(
            public_id=public_id,
            digest=_digest(secret),
            name=name,
            user_id=str(user.pk),
            scopes=[str(scope) for scope in scopes],
            expires_at=expires_at,
        )
        words = f"Token {token} of {user.get_username()}: {', '.join(token.scopes)}"
        audit(Action.CREATE_TOKEN, by, [("", words, True)])
    return token, f"{PREFIX}_{public_id}_{secret}"


def revoke(public_id: str, *, by: Actor) -> bool:
    """End a token. False: it was revoked already. Raises TokenNotFound."""
    with database.atomic():
        token = Token.objects.select_for_update().filter(public_id=public_id).first()
        if token is None:
            raise TokenNotFound(public_id)
        changed = Token.objects.filter(pk=token.pk, revoked_at=None).update(
            revoked_at=database.now()
        )
        audit(Action.REVOKE_TOKEN, by, [("", f"Token {token}", bool(changed))])
    return bool(changed)


def find(text: str) -> Token | None:
    """Return the token of this text if it is neither revoked nor expired."""
    parts = text.split("_") if len(text) <= LONGEST and text.isascii() else []
    if len(parts) != 3 or parts[0] != PREFIX:
        return None
    now = database.now()
    token = Token.objects.valid(now).filter(public_id=parts[1]).first()
    if token is None or not compare_digest(token.digest, _digest(parts[2])):
        return None
    if token.used_at is None or now - token.used_at > USED_EVERY:
        Token.objects.filter(pk=token.pk).update(used_at=now)
    return token


def user_of(token: Token) -> Any | None:
    """Return the active user of a token; None if there is none."""
    users = get_user_model()._default_manager
    try:
        user = users.get(pk=token.user_id)
    except (ObjectDoesNotExist, ValidationError, ValueError):
        return None
    return user if user.is_active else None


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
