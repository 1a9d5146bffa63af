"""What the command line prints on a terminal, by rich: imported only where it is one."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.cells import cell_len
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
MOST_ROWS = 300
"""How many rows rich lays out without a wait that is felt."""
LAST_WIDTH = 10
"""How much of a line the last column needs, or the table is left to the terminal to wrap."""


class Terminal(Output):
    """Colours states, honouring NO_COLOR and TERM, has tables fit, and redraws a screen."""

    def __init__(
        self, out: Stream | None = None, err: Stream | None = None, *, in_colour: bool = True
    ) -> None:
        super().__init__(out, err)
        self._console = Console(
            force_terminal=True, no_color=None if in_colour else True, highlight=False
        )
        self._known: dict[str, tuple[str, str]] = {}
        self._live: Live | None = None
        self._screen: list[Text] | None = None

    def line(self, text: str = "") -> None:
        if self._screen is None:
            super().line(text)
        else:
            self._screen.append(Text(text))

    def marked(self, lines: Iterable[Line]) -> None:
        for line in lines:
            if self._screen is not None:
                text = Text(line.text)
                text.stylize(STYLES.get(line.state, ""), line.begin, line.end)
                self._screen.append(text)
                continue
            begin, end = self._codes(STYLES.get(line.state, ""))
            head, tail = line.text[: line.begin], line.text[line.end :]
            self.line(f"{head}{begin}{line.text[line.begin : line.end]}{end}{tail}")

    def table(self, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        rows = [[printable(cell) for cell in row] for row in rows]
        widths = [max(map(cell_len, column)) + 2 for column in zip(header, *rows, strict=True)]
        is_narrow = sum(widths) > self._console.width
        if is_narrow:
            widths = [
                MOMENT_WIDTH + 2 if name in MOMENT_COLUMNS else width
                for name, width in zip(header, widths, strict=True)
            ]
        if len(rows) > MOST_ROWS or sum(widths[:-1]) + LAST_WIDTH > self._console.width:
            super().table(header, rows)
            return
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for name in header:
            most = MOMENT_WIDTH if is_narrow and name in MOMENT_COLUMNS else None
            table.add_column(name, overflow="fold", max_width=most)
        for row in rows:
            table.add_row(*map(_cell, header, row))
        self._out.write(self._rendered(table))

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

    def _codes(self, style: str) -> tuple[str, str]:
        """Return what begins a style on this terminal, and what ends it."""
        if style not in self._known:
            begin, _, end = self._rendered(Text("|", style)).strip().partition("|")
            self._known[style] = begin, end
        return self._known[style]

    def _rendered(self, what: RenderableType) -> str:
        with self._console.capture() as captured:
            self._console.print(what)
        return captured.get()


def _cell(column: str, text: str) -> Text:
    cell = Text(text)
    if column in STATE_COLUMNS:
        state = text.partition(":")[0]
        cell.stylize(STYLES.get(state.lower(), ""), 0, len(state))
    return cell
