"""What counts as a cron expression, and what is said about one that does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_app.cron.expression import ALIASES, explain, normalise
from scheduler_app.exceptions import CronError
from tests.cron.samples import expressions, quick


def complaint(expression: str) -> str:
    with pytest.raises(CronError) as caught:
        normalise(expression)
    return str(caught.value)


def test_whitespace_is_collapsed() -> None:
    assert normalise(" 0\t1  * *\n* ") == "0 1 * * *"


def test_names_are_written_in_capitals() -> None:
    assert normalise("0 0 * jan-mar Mon") == "0 0 * JAN-MAR MON"


def test_six_fields_stay_six() -> None:
    assert normalise("0 0 1 * * *") == "0 0 1 * * *"


@pytest.mark.parametrize(
    ("alias", "fields"),
    [
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        (" @DAILY ", "0 0 * * *"),
    ],
)
def test_alias_stands_for_five_fields(alias: str, fields: str) -> None:
    assert normalise(alias) == fields


@pytest.mark.parametrize("alias", ["@reboot", "@every 5m", "@", "@daily 5"])
def test_unknown_alias_is_refused_with_the_known_ones(alias: str) -> None:
    text = complaint(alias)
    assert text.startswith(f"Unknown cron alias {alias!r}: ")
    assert all(known in text for known in ALIASES)


@pytest.mark.parametrize("expression", ["", "  ", "\n"])
def test_empty_expression_is_refused(expression: str) -> None:
    assert complaint(expression).startswith("Empty cron expression: use five fields")


@pytest.mark.parametrize("count", [1, 4, 7])
def test_wrong_number_of_fields_is_refused_with_the_right_ones(count: int) -> None:
    text = complaint(" ".join("*" * count))
    assert f"of {count} field(s): use five fields (minute hour" in text


@pytest.mark.parametrize(
    ("expression", "field", "value", "advice"),
    [
        ("0 0 * * 8", "day-of-week", "8", "use 0-7 (0 and 7 are Sunday) or SUN-SAT"),
        ("60 0 * * *", "minute", "60", "use 0-59"),
        ("0 25 * * *", "hour", "25", "use 0-23"),
        ("0 0 0 * *", "day-of-month", "0", "use 1-31, L (the last day) or LW (the last weekday)"),
        ("0 0 * JUNE *", "month", "JUNE", "use 1-12 or JAN-DEC"),
        ("60 0 0 * * *", "second", "60", "use 0-59"),
        ("0 0 25 * * *", "hour", "25", "use 0-23"),
        ("-1 0 * * *", "minute", "-1", "use 0-59"),
        ("1,,2 0 * * *", "minute", "1,,2", "use 0-59"),
        ("0 0 * * MON#6", "day-of-week", "MON#6", "use 0-7 (0 and 7 are Sunday) or SUN-SAT"),
        ("*/0 * * * *", "minute", "*/0", "write a whole number of 1 or more after the /"),
        ("* */h * * *", "hour", "*/H", "write a whole number of 1 or more after the /"),
        ("0 0 ? * MON", "day-of-month", "?", "use * instead of ?, or 1-31, L"),
        ("0 0 * * fri-mon", "day-of-week", "FRI-MON", "write FRI-SAT,SUN-MON"),
        ("0 0 * * SAT-SUN", "day-of-week", "SAT-SUN", "write SAT,SUN"),
        ("0 0 * * 5-1", "day-of-week", "5-1", "write 5-6,0-1"),
        ("0 22-2 * * *", "hour", "22-2", "write 22-23,0-2"),
        ("0 0 * 3,nov-feb *", "month", "3,NOV-FEB", "write NOV-DEC,JAN-FEB"),
    ],
)
def test_error_names_field_value_and_remedy(
    expression: str, field: str, value: str, advice: str
) -> None:
    text = complaint(expression)
    assert text.startswith(f"Bad {field} field {value!r} in {expression!r}: ")
    assert advice in text


def test_remedy_for_a_range_past_the_end_is_accepted() -> None:
    assert normalise("0 22-23,0-2 * NOV-DEC,JAN-FEB FRI-SAT,SUN-MON")


def test_number_too_long_for_python_is_a_bad_field() -> None:
    assert complaint(f"{'9' * 5000} * * * *").startswith("Bad minute field '999")


@pytest.mark.parametrize(
    "expression", ["0 0 30 2 *", "0 0 31 4,6 *", "0 0 0 31 2 *", "0 0 */31 * 1#5"]
)
def test_expression_that_never_fires_is_refused(expression: str) -> None:
    assert complaint(expression).startswith(f"Cron expression {expression!r} never fires")


@pytest.mark.parametrize(
    ("expression", "field", "only", "cycle", "size"),
    [
        ("*/90 * * * *", "minute", "0", "hour", 60),
        ("5/70 * * * *", "minute", "5", "hour", 60),
        ("10-20/61 * * * *", "minute", "10", "hour", 60),
        ("1,*/90 * * * *", "minute", "0", "hour", 60),
        ("0-59/90 * * * *", "minute", "0", "hour", 60),
        ("*/00090 * * * *", "minute", "0", "hour", 60),
        ("0 */25 * * *", "hour", "0", "day", 24),
        ("0 0 */40 * *", "day-of-month", "1", "month", 31),
        ("0 0 5/32 * *", "day-of-month", "5", "month", 31),
        ("0 0 1 */13 *", "month", "1", "year", 12),
        ("0 0 1 feb/18 *", "month", "FEB", "year", 12),
        ("0 0 * * */8", "day-of-week", "0", "week", 7),
        ("0 0 * * mon-fri/14", "day-of-week", "MON", "week", 7),
        ("*/90 * * * * *", "second", "0", "minute", 60),
        (f"*/{'9' * 4000} * * * *", "minute", "0", "hour", 60),
    ],
)
def test_step_past_the_whole_field_is_refused(
    expression: str, field: str, only: str, cycle: str, size: int
) -> None:
    text = complaint(expression)
    assert text.startswith(f"Bad {field} field ")
    assert f"steps start again every {cycle}" in text
    assert f"fires at {only} alone: write {only} if that is meant" in text
    assert f"a step of at most {size}" in text


@pytest.mark.parametrize(
    "expression",
    [
        "*/60 * * * *",
        "0 */24 * * *",
        "0 0 */31 * *",
        "0 0 1 */12 *",
        "0 0 * * */7",
        "*/60 * * * * *",
    ],
)
def test_step_as_long_as_the_field_is_accepted(expression: str) -> None:
    assert normalise(expression) == expression


@pytest.mark.parametrize(
    "expression", ["0 0 29 2 *", "0 0 29 2 */7", "0 0 30 2 MON", "0 0 * 2 1#5"]
)
def test_expression_that_fires_rarely_is_accepted(expression: str) -> None:
    assert normalise(expression) == expression


@quick
@given(expressions)
def test_normal_form_is_its_own_normal_form(expression: str) -> None:
    assert normalise(normalise(expression)) == normalise(expression)


@quick
@given(st.lists(st.text("0123456789*/-,#?LWSUNMON@ ²٣", max_size=6), max_size=7).map(" ".join))
def test_any_text_is_either_explained_or_refused(text: str) -> None:
    try:
        normal = normalise(text)
    except CronError:
        return
    assert explain(normal)
