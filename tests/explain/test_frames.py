"""Which parts of a traceback are of the project's own code."""

import json
import traceback

import pytest

from scheduler_app.explain.frames import parts

OWN = '  File "/srv/shop/jobs.py", line 7, in nightly\n    send(order)\n    ~~~~^^^^^^^\n'
DJANGO = (
    '  File "/venv/lib/python3.11/site-packages/django/db/models/query.py", line 9, in get\n'
    "    raise self.model.DoesNotExist(\n"
)
RUNNER = '  File "/venv/site-packages/scheduler_app/execution/runner.py", line 3, in run\n'
FROZEN = '  File "<frozen importlib._bootstrap>", line 1204, in _gcd_import\n'
HEAD, ERROR = "Traceback (most recent call last):\n", "shop.Order.DoesNotExist: none\n"


def shape(text: str) -> list[tuple[bool, int]]:
    found = parts(text)
    assert "".join(part.text for part in found) == text
    return [(part.is_own, part.frames) for part in found]


def test_frames_of_others_are_apart() -> None:
    text = HEAD + RUNNER + OWN + DJANGO + DJANGO + ERROR
    assert shape(text) == [(True, 0), (False, 1), (True, 1), (False, 2), (True, 0)]
    assert [part.text for part in parts(text)] == [HEAD, RUNNER, OWN, DJANGO + DJANGO, ERROR]


def test_traceback_without_own_frames_is_shown_whole() -> None:
    assert all(is_own for is_own, _ in shape(HEAD + RUNNER + DJANGO + ERROR))


def test_cause_is_apart_from_what_it_caused() -> None:
    between = "\nThe above exception was the direct cause of the following exception:\n\n"
    text = HEAD + FROZEN + ERROR + between + HEAD + OWN + ERROR
    assert shape(text) == [(True, 0), (False, 1), (True, 0), (True, 1), (True, 0)]


def test_group_keeps_its_errors_visible() -> None:
    def fail() -> None:
        json.loads("{")

    try:
        try:
            fail()
        except ValueError as error:
            raise ExceptionGroup("several", [error, KeyError("second")]) from None
    except ExceptionGroup as error:
        text = "".join(traceback.format_exception(error))
    found = parts(text)
    hidden = "".join(part.text for part in found if not part.is_own)
    assert "json/decoder.py" in hidden
    assert "JSONDecodeError" not in hidden
    assert "second" not in hidden
    assert "test_frames.py" not in hidden


@pytest.mark.parametrize(
    "text", ["", "boom", "\n\n", 'File "', '  File "x", line 1', "\N{FIRE}\n|+-"]
)
def test_any_text_is_kept(text: str) -> None:
    shape(text)


def test_repeated_frame_stays_with_its_note() -> None:
    note = "  [Previous line repeated 995 more times]\n"
    text = HEAD + OWN + DJANGO + note + ERROR
    assert [part.text for part in parts(text)] == [HEAD, OWN, DJANGO + note, ERROR]
