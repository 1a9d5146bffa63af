"""From where a watcher resumes, as the text that it is given."""

import base64
import json
from datetime import datetime
from typing import NamedTuple

from scheduler_app.exceptions import CursorError
from scheduler_app.models import Change
from scheduler_app.models.change import Changes

LONGEST = 10_000
"""Characters: a snapshot names all transactions that are open."""


class Cursor(NamedTuple):
    """A position in the feed, with a row of the feed that was there: in another database, or in
    one that was restored from an older dump, it is not."""

    position: str
    row: int
    at: str
    """When that row was written."""

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(json.dumps(self).encode()).decode()


def cursor_at(position: str, last: Changes | None = None) -> Cursor:
    """Return the cursor of a position; `last` is a row before it, if one is known."""
    if last is not None:
        return Cursor(position, last.id, last.at.isoformat())
    newest = Change.objects.order_by("-pk").values_list("pk", "at").first()
    return Cursor(position, newest[0], newest[1].isoformat()) if newest else Cursor(position, 0, "")


def read_cursor(text: str) -> Cursor:
    """Return the cursor of this text. Raises CursorError if its database is another one, or has
    pruned what follows it."""
    try:
        position, row, at = json.loads(base64.b64decode(text, altchars="-_", validate=True))
        cursor = Cursor(position, row, at)
        if (
            len(text) > LONGEST
            or not isinstance(position, str)
            or not Change.objects.is_position(position)
        ):
            raise ValueError
        known = Change.objects.filter(pk=row).values_list("at", flat=True).first()
        is_known = known == datetime.fromisoformat(at) if at else not row
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise CursorError(
            "Bad cursor: use one of an answer of WatchScheduler, as it is."
        ) from error
    if not is_known:
        raise CursorError(
            "The cursor is too old, or of another database: begin anew, without a cursor."
        )
    return cursor
