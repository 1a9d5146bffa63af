"""A run's log is bounded: its head and its tail are kept."""

import sys
import threading

from scheduler_app.execution.bounded_log import RunLog


def written(limit: int, *texts: str) -> str:
    log = RunLog(limit)
    for text in texts:
        log.write(text)
    return log.text()


def test_text_up_to_the_limit_is_kept_as_it_is() -> None:
    assert written(200, "a" * 100, "b" * 100) == "a" * 100 + "b" * 100
    assert written(200, *"x" * 200) == "x" * 200
    assert written(200) == ""


def test_of_a_longer_text_head_and_tail_are_kept() -> None:
    text = written(200, "head", "x" * 997, "tail")
    head, note, tail = text.split("\n")
    assert len(text) <= 200
    assert head == "head" + "x" * 66
    assert tail == "x" * 66 + "tail"
    assert note == f"[... {1005 - len(head) - len(tail)} characters left out ...]"


def test_one_character_too_many_is_told() -> None:
    text = written(200, "x" * 201)
    assert len(text) <= 200
    assert "characters left out" in text


def test_note_counts_what_was_written_in_pieces() -> None:
    pieces = [f"{number}\n" for number in range(50_000)]
    text = written(1_000, *pieces)
    start, _, rest = text.partition("\n[... ")
    count, _, end = rest.partition(" characters left out ...]\n")
    assert len(start) + int(count.replace(",", "")) + len(end) == sum(map(len, pieces))
    assert end.endswith("49998\n49999\n")


def test_text_can_be_asked_for_while_it_grows() -> None:
    log = RunLog(200)
    for number in range(1_000):
        log.write(f"{number}\n")
        assert log.text().endswith(f"\n{number}\n" if number else "0\n")


def test_tiny_limit_is_kept() -> None:
    assert len(written(10, "x" * 100)) <= 10


def test_memory_does_not_grow() -> None:
    log = RunLog(1_000)
    for _ in range(100_000):
        log.write("x" * 100)
    kept = [*log._head, *log._tail]
    assert sum(map(sys.getsizeof, kept)) < 200_000


def test_threads_may_write_at_once() -> None:
    log = RunLog(1_000_000)

    def write() -> None:
        for _ in range(1_000):
            log.write("line\n")

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.text() == "line\n" * 4_000
