"""What the command line prints on a terminal, by rich: imported only where it is one."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from scheduler_app.cli.output import Line, Output, Stream
from scheduler_app.text import printable

GOOD, BUSY, ODD, BAD = "green", "cyan", "yellow", "bold red"
STYLES = {
    "header": "bold",
    **dict.fromkeys(("success", "well"), GOOD),
    **dict.fromkeys(("running", "queued"), BUSY),
    **dict.fromkeys(("paused", "skipped", "missed", "cancelled", "orphaned", "stopped"), ODD),
    **dict.fromkeys(("failed", "lost", "broken", "overdue", "interrupted"), BAD),
    **dict.fromkeys(("sick", "dead"), BAD),
}
STATE_COLUMNS = ("STATE", "STATUS", "RESULT", "LAST OUTCOME")
MOMENT_WIDTH = len("2026-11-27")
"""How narrow a column of moments may become: the time goes below the day."""
MOMENT_COLUMNS = (
    *("SCHEDULED FOR", "STARTED", "NEXT RUN", "LAST HEARTBEAT", "TIME", "DUE"),
    *("CREATED", "EXPIRES", "LAST USED"),
)
MOST_ROWS = 1_000
"""How many rows rich lays out without a wait that is felt."""


class Terminal(Output):
    """Colours states, honouring NO_COLOR and TERM, has tables fit, and redraws a screen."""

    def __init__(
        self, out: Stream | None = None, err: Stream | None = None, *, in_colour: bool = True
    ) -> None:
        super().__init__(out, err)
        self._console = Console(
            force_terminal=True, no_color=None if in_colour else True, highlight=False
        )
        self._live: Live | None = None
        self._screen: list[Text] | None = None

    def line(self, text: str = "") -> None:
        if self._screen is None:
            super().line(text)
        else:
            self._screen.append(Text(text))

    def marked(self, lines: Iterable[Line]) -> None:
        for line in lines:
            style = STYLES.get(line.state)
            if style is None:
                self.line(line.text)
                continue
            text = Text(line.text)
            text.stylize(style, line.begin, line.end)
            self._add(text)

    def table(self, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        rows = [[printable(cell) for cell in row] for row in rows]
        if len(rows) > MOST_ROWS:
            super().table(header, rows)
            return
        natural = sum(
            max(len(cell) for cell in column) + 2 for column in zip(header, *rows, strict=True)
        )
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for name in header:
            is_narrow = natural > self._console.width and name in MOMENT_COLUMNS
            table.add_column(name, overflow="fold", max_width=MOMENT_WIDTH if is_narrow else None)
        for row in rows:
            table.add_row(*map(_cell, header, row))
        self._show(table)

    @contextmanager
    def screens(self) -> Iterator[None]:
        with Live(console=self._console, screen=True, auto_refresh=False) as self._live:
            yield

    @contextmanager
    def screen(self) -> Iterator[None]:
        self._screen = []
        yield
        lines, height = self._screen, self._console.height
        self._screen = None
        if len(lines) > height:
            left = Text(f"... and {len(lines) - height + 1:,} more lines", style="dim")
            lines = [*lines[: height - 1], left]
        for line in lines:
            line.no_wrap, line.overflow = True, "ellipsis"
        if self._live:
            self._live.update(Group(*lines), refresh=True)

    def _add(self, text: Text) -> None:
        if self._screen is None:
            self._show(text)
        else:
            self._screen.append(text)

    def _show(self, what: RenderableType) -> None:
        with self._console.capture() as captured:
            self._console.print(what, soft_wrap=isinstance(what, Text))
        self._out.write(captured.get())


def _cell(column: str, text: str) -> Text:
    cell = Text(text)
    if column in STATE_COLUMNS:
        state = text.partition(":")[0]
        cell.stylize(STYLES.get(state.lower(), ""), 0, len(state))
    return cell
