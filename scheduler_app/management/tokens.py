"""`manage.py scheduler token`: makes, lists and revokes tokens of the API, in the database."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError, OutputWrapper

from scheduler_app.cli import times
from scheduler_app.cli.output import Output, at
from scheduler_app.cli.parser import text
from scheduler_app.cli.typos import suggest
from scheduler_app.control import Actor, tokens
from scheduler_app.models import Scope, Surface, Token, database
from scheduler_app.rpc.endpoint import user as owner
from scheduler_app.rpc.wire import Values


def add_command(commands: Any) -> None:
    """Add it to a command's subparsers, with `local` as the function that carries it out."""
    parser: ArgumentParser = commands.add_parser(
        "token", help="Make, list and revoke tokens of the API."
    )
    suggest(parser)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    create = actions.add_parser("create", help="Make a token for a user; its text is shown once.")
    create.add_argument("user", metavar="USER", type=text, help="Whose permissions it has.")
    create.add_argument(
        "--scope",
        dest="scopes",
        action="append",
        choices=Scope.values,
        help="What it is for, as far as the user may do it; repeatable (default: view).",
    )
    create.add_argument("--name", default="", type=text, help="What it is for, in your words.")
    create.add_argument(
        "--expires", type=times.span, metavar="TIME", help="After this time, such as 90d."
    )
    suggest(create)
    create.set_defaults(local=_create)
    listed = actions.add_parser("list", help="List the tokens.")
    listed.add_argument(
        "--json", dest="as_json", action="store_true", help="As JSON, an object a line."
    )
    listed.set_defaults(local=_list)
    revoke = actions.add_parser("revoke", help="End a token, within a second.")
    revoke.add_argument("public_id", metavar="ID", type=text, help="As in the list.")
    revoke.set_defaults(local=_revoke)


def _create(
    stdout: OutputWrapper,
    stderr: OutputWrapper,
    *,
    user: str,
    scopes: list[str] | None,
    name: str,
    expires: timedelta | None,
    **_: Any,
) -> None:
    users = get_user_model()
    found = users._default_manager.filter(**{users.USERNAME_FIELD: user}).first()
    if found is None or not found.is_active:
        raise CommandError(f"There is no active user {user!r}.")
    longest = Token._meta.get_field("name").max_length or 0
    if len(name) > longest:
        raise CommandError(f"The name of a token has at most {longest} characters.")
    token, secret = tokens.create(
        found,
        [Scope(scope) for scope in dict.fromkeys(scopes or [Scope.VIEW])],
        by=_by(),
        name=name,
        expires_at=database.now() + expires if expires else None,
    )
    stdout.write(secret)
    stderr.write(f"Token {token} of {user} is for: {', '.join(token.scopes)}. It is shown once.")


def _list(stdout: OutputWrapper, stderr: OutputWrapper, *, as_json: bool, **_: Any) -> None:
    out, found = Output(stdout, stderr), Token.objects.all()
    if as_json:
        out.objects(map(_values, found))
        return
    rows = [
        (
            token.public_id,
            token.name,
            _name(token),
            ", ".join(token.scopes),
            at(token.created_at),
            at(token.expires_at, "never"),
            at(token.used_at, "never"),
            _state(token),
        )
        for token in found
    ]
    header = ("ID", "NAME", "USER", "SCOPES", "CREATED", "EXPIRES", "LAST USED", "STATE")
    out.table(header, rows)


def _values(token: Token) -> Values:
    return {
        "id": token.public_id,
        "name": token.name,
        "user": _name(token),
        "scopes": token.scopes,
        "create_time": token.created_at,
        "expire_time": token.expires_at,
        "use_time": token.used_at,
        "revoke_time": token.revoked_at,
        "valid": _state(token) == "valid",
    }


def _name(token: Token) -> str:
    user = tokens.user_of(token)
    return user.get_username() if user else f"{token.user_id} (not active)"


def _state(token: Token) -> str:
    if token.revoked_at:
        return f"revoked {at(token.revoked_at)}"
    is_over = token.expires_at and token.expires_at <= database.now()
    return "expired" if is_over else "valid"


def _revoke(stdout: OutputWrapper, _: OutputWrapper, *, public_id: str, **__: Any) -> None:
    changed = tokens.revoke(public_id, by=_by())
    stdout.write(f"Token {public_id} {'is revoked' if changed else 'was revoked already'}.")


def _by() -> Actor:
    return Actor(owner(), Surface.CLI)
