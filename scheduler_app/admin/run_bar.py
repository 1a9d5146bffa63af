"""A run as a bar: how long it waited and how long it took, beside what is usual."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from scheduler_app.admin import formats
from scheduler_app.models import JobRun

WIDTH, LEAST = 1000, 4
"""Of the drawing, and of what is too short to be seen; in its own units."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the bar. Its numbers are text, which is written alike in every language."""

    css: str
    x: str
    width: str
    words: str


@dataclass(frozen=True, slots=True)
class Step:
    """A moment in the life of the run."""

    name: str
    at: str
    after: str
    """How long after the step before; empty if there is none."""


@dataclass(frozen=True, slots=True)
class Bar:
    segments: list[Segment]
    marks: list[Segment]
    steps: list[Step]


@dataclass(frozen=True, slots=True)
class Usual:
    """How long the runs of a job take."""

    half: timedelta
    """Half of them take at most so long."""
    most: timedelta
    """19 of 20 take at most so long."""


def run_bar(run: JobRun, css: str, usual: Usual | None, now: datetime) -> Bar:
    """Return the bar of a run, which has no segments if the run did not start."""
    ended = run.finished_at or now
    begin = min(run.due_at, run.started_at or ended)
    started = run.started_at or ended
    waited, ran = started - begin, ended - started
    scale = max(waited + ran, waited + usual.most if usual else ran, timedelta(milliseconds=1))

    def place(span: timedelta) -> float:
        return WIDTH * (span / scale)

    segments = []
    if waited and (run.started_at or not run.finished_at):
        words = _("waited %(length)s") % {"length": formats.length(waited)}
        segments.append(_segment("waited", 0, place(waited), words))
    if run.started_at:
        words = _("ran %(length)s") % {"length": formats.length(ran)}
        segments.append(_segment(css, place(waited), place(ran), words))
    marks = []
    if usual and segments:
        half, most = formats.length(usual.half), formats.length(usual.most)
        words = _("usually %(length)s") % {"length": half}
        marks.append(_segment("usual", place(waited + usual.half), 2, words))
        words = _("19 of 20 runs took at most %(length)s") % {"length": most}
        marks.append(_segment("most", place(waited + usual.most), 2, words))
    return Bar(segments, marks, _steps(run))


def _segment(css: str, x: float, width: float, words: str) -> Segment:
    width = min(max(width, LEAST if css not in ("usual", "most") else width), WIDTH)
    return Segment(css, f"{max(min(x, WIDTH - width), 0):.1f}", f"{width:.1f}", words)


def _steps(run: JobRun) -> list[Step]:
    """Return its moments in their order, each with how long after the one before."""
    moments = [
        (_("due"), run.due_at),
        (_("queued"), run.created_at),
        (_("started"), run.started_at),
        (_("asked to end"), run.cancel_requested_at),
        (_("finished"), run.finished_at),
    ]
    known = [(name, at) for name, at in moments if at is not None]
    if run.created_at == run.due_at:  # on request
        del known[0]
    steps = []
    before = None
    for name, at in known:
        after = f"+{formats.length(at - before)}" if before is not None and at >= before else ""
        steps.append(Step(name, formats.exact(at), after))
        before = at
    return steps
