"""Pages of a list: how long one may be, and how the next continues it."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any, TypeVar

from scheduler_app.exceptions import RequestError
from scheduler_app.rpc.wire import Values
from scheduler_app.text import is_storable

T = TypeVar("T")
DEFAULT_SIZE, LARGEST_SIZE = 50, 1_000


def page(
    field: str,
    fetch: Callable[[int, Any], Sequence[T]],
    *,
    key: Callable[[T], int | str],
    values: Callable[[T], Values],
    page_size: int,
    page_token: str,
    filters: Values,
) -> Values:
    """Return the fields of a response: the rows, as `field`, and the token of the next page.
    `fetch` returns rows by their number and the `key` of the row before the first, or None.
    Raises RequestError."""
    if page_size < 0:
        raise RequestError("page_size", f"Bad page_size {page_size}: use 0 to {LARGEST_SIZE:,}.")
    size = min(page_size or DEFAULT_SIZE, LARGEST_SIZE)
    digest = _digest(field, filters)
    rows = fetch(size + 1, _read(page_token, digest))
    token = _write(key(rows[size - 1]), digest) if len(rows) > size else ""
    return {field: [values(row) for row in rows[:size]], "next_page_token": token}


def _is_key(key: object) -> bool:
    """Return whether a row can have this key: a token may come from anybody."""
    if isinstance(key, int):
        return 0 < key < 2**63
    return isinstance(key, str) and is_storable(key)


def _digest(field: str, filters: Values) -> str:
    text = json.dumps([field, filters], sort_keys=True, default=str)
    return blake2b(text.encode(), digest_size=8).hexdigest()


def _write(key: int | str, digest: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([digest, key]).encode()).decode().rstrip("=")


def _read(token: str, digest: str) -> int | str | None:
    if not token:
        return None
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars="-_", validate=True)
        of, found = json.loads(text)
    except (ValueError, TypeError, binascii.Error, RecursionError) as error:
        usage = "use the next_page_token of the page before, as it is"
        raise RequestError("page_token", f"Bad page_token: {usage}.") from error
    if of != digest or not _is_key(found):
        raise RequestError(
            "page_token", "Bad page_token: it is of another list. Ask with the same filter."
        )
    key: int | str = found
    return key
