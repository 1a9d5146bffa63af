import math

from benchmarks.report import percentile, table


def test_percentile_is_a_value_that_so_many_percent_do_not_exceed() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert [percentile(values, percent) for percent in (1, 50, 99, 100)] == [1, 50, 99, 100]
    assert percentile([3.0, 1.0, 2.0], 99) == 3.0


def test_percentile_of_nothing_is_endless() -> None:
    assert math.isinf(percentile([], 50))


def test_table_is_markdown() -> None:
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
