"""What the jobs that are imported call."""

from scheduler_app import JobContext


def send(*_: object, **__: object) -> None: ...


def clean() -> None: ...


def tell(context: JobContext) -> None: ...


CONSTANT = 5
