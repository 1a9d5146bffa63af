"""The last results of a job as a row of bars: tall and red what failed, low and green what went
well, so that it can be read without colours, too."""

from collections import Counter
from collections.abc import Sequence

from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from scheduler_app.models import RunState
from scheduler_app.status.recent import NUMBER, RecentRun

STEP, WIDTH, HEIGHT = 4, 3, 16
TALL = {
    RunState.SUCCESS: 8,
    RunState.FAILED: 16,
    RunState.LOST: 16,
    RunState.CANCELLED: 12,
    RunState.SKIPPED: 5,
    RunState.MISSED: 5,
}


def strip(runs: Sequence[RecentRun]) -> str:
    """Return the strip of these runs, the oldest first, as SVG: one path a result, so that a page
    with a hundred of them stays small."""
    paths = dict[str, list[str]]()
    offset = NUMBER - len(runs)
    for number, run in enumerate(runs):
        height = TALL[run.state]
        x = (offset + number) * STEP
        bar = f"M{x} {HEIGHT - height}h{WIDTH}v{height}h-{WIDTH}z"
        paths.setdefault(str(run.state), []).append(bar)
    context = {
        "paths": {state: "".join(bars) for state, bars in paths.items()},
        "width": NUMBER * STEP,
        "height": HEIGHT,
        "words": words(runs),
    }
    return render_to_string("scheduler_app/admin/job_strip.html", context)


def words(runs: Sequence[RecentRun]) -> str:
    """Return what the strip shows, for those who do not see it."""
    if not runs:
        return _("No results yet")
    counts = Counter(RunState(run.state) for run in runs)
    told = ", ".join(f"{number} {state.label}" for state, number in counts.most_common())
    last = ngettext("Last result", "Last %(number)s results", len(runs)) % {"number": len(runs)}
    return f"{last}: {told}"
