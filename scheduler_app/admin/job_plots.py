"""How long the last runs of a job took, and how late they started: SVG from a template."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from scheduler_app.admin import formats, relative
from scheduler_app.admin.links import Links
from scheduler_app.status.recent import RecentRun

WIDTH, HEIGHT = 480, 110
BAR_WIDTH = 110


@dataclass(frozen=True, slots=True)
class Dot:
    x: str
    y: str
    height: str
    state: str
    url: str
    words: str


def duration_bar(took: timedelta | None, usual: timedelta | None, long: timedelta | None,
                 longest: timedelta, state: str) -> str:  # fmt: skip
    """Return a bar as long as the run took, with marks at what is usual and at what 19 of 20 take
    at most."""
    if took is None or not longest:
        return ""
    scale = BAR_WIDTH / longest.total_seconds()

    def at(span: timedelta | None) -> str:
        return f"{min(span.total_seconds() * scale, BAR_WIDTH):.1f}" if span is not None else ""

    words = formats.length(took)
    if usual is not None and long is not None:
        words = _("%(took)s; usually %(usual)s, 19 of 20 at most %(long)s") % {
            "took": words,
            "usual": formats.length(usual),
            "long": formats.length(long),
        }
    context = {
        "width": BAR_WIDTH,
        "length": at(max(took, longest / BAR_WIDTH)),
        "usual": at(usual),
        "long": at(long),
        "state": state,
        "words": words,
    }
    return render_to_string("scheduler_app/admin/job_bar.html", context)


def duration_plot(
    runs: Sequence[RecentRun],
    usual: timedelta | None,
    long: timedelta | None,
    now: datetime,
    zone: tzinfo,
    links: Links,
) -> str:
    spans = [(run, run.duration) for run in runs if run.duration is not None]
    return _plot(_("Duration"), spans, now, zone, links, usual, long)


def lateness_plot(
    runs: Sequence[RecentRun],
    late: timedelta | None,
    now: datetime,
    zone: tzinfo,
    links: Links,
) -> str:
    none = timedelta()
    spans = [(run, max(run.lateness, none)) for run in runs if run.lateness is not None]
    return _plot(_("Lateness"), spans, now, zone, links, None, late)


def _plot(
    title: str,
    spans: Sequence[tuple[RecentRun, timedelta]],
    now: datetime,
    zone: tzinfo,
    links: Links,
    usual: timedelta | None,
    long: timedelta | None,
) -> str:
    """Return a bar a run, in their order, with lines at what is usual and at 19 of 20."""
    if len(spans) < 2:
        return ""
    highest = max(max(span for _run, span in spans), long or timedelta(), timedelta(milliseconds=1))
    step = WIDTH / len(spans)

    def y(span: timedelta) -> float:
        return HEIGHT * (1 - span / highest)

    dots = [
        Dot(
            x=f"{number * step:.1f}",
            y=f"{min(y(span), HEIGHT - 1.5):.1f}",
            height=f"{max(HEIGHT - y(span), 1.5):.1f}",
            state=str(run.state),
            url=links.run(run.id),
            words=f"{relative.absolute(run.scheduled_for, zone)}: "
            f"{run.state.label}, {formats.length(span)}",
        )
        for number, (run, span) in enumerate(spans)
    ]
    context = {
        "title": title,
        "dots": dots,
        "bar": f"{min(max(step - 1, 1), 24):.1f}",
        "width": WIDTH,
        "height": HEIGHT,
        "highest": formats.length(highest),
        "usual": f"{y(usual):.1f}" if usual is not None else "",
        "usual_words": formats.length(usual) if usual is not None else "",
        "long": f"{y(long):.1f}" if long is not None else "",
        "long_words": formats.length(long) if long is not None else "",
        "first": relative.plain_clock(spans[0][0].scheduled_for, now, zone),
        "last": relative.plain_clock(spans[-1][0].scheduled_for, now, zone),
    }
    return render_to_string("scheduler_app/admin/job_plot.html", context)
