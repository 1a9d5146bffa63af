"""How values look."""

from datetime import timedelta

import pytest

from scheduler_app.admin import formats


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"),
        (0.0124, "12 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.0 s"),
        (1.24, "1.2 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 0 s"),
        (185, "3 min 5 s"),
        (3599.6, "1 h 0 min"),
        (7384, "2 h 3 min"),
        (187200, "2 d 4 h"),
        (-1.5, "-1.5 s"),
    ],
)
def test_length_in_its_largest_units(seconds: float, text: str) -> None:
    assert formats.length(timedelta(seconds=seconds)).replace("\xa0", " ") == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.5, "500 ms"), (2, "2 s"), (2.5, "2.5 s"), (60, "1 min"), (90, "1 min 30 s"),
     (7200, "2 h"), (86400, "1 d"), (600, "10 min"), (20, "20 s")],
)  # fmt: skip
def test_round_length_has_no_zeros(seconds: float, text: str) -> None:
    assert formats.round_length(timedelta(seconds=seconds)).replace("\xa0", " ") == text


def test_unknown_moment_and_length() -> None:
    assert (formats.moment(None), formats.length(None)) == ("-", "-")


@pytest.mark.parametrize(
    ("text", "line"),
    [("", ""), ("\n \nboom\nmore", "boom"), ("  x  ", "x"), ("x" * 200, "x" * 117 + "...")],
)
def test_first_line(text: str, line: str) -> None:
    assert formats.first_line(text) == line
