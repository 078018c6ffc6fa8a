"""The one progress bar: a bar on a terminal, otherwise a line now and then."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bertsmith._process import speaks

__all__ = ["Progress", "progress"]

_BAR_AFTER_SECONDS, _BAR_EVERY_SECONDS, _LINE_EVERY_SECONDS = 2.0, 0.1, 10.0
_active = False


class Progress:
    """How far a piece of work has got; see `progress`.

    The bar shows up (and the first line is written) at the first call after its time has come.
    """

    def __init__(self, description: str, total: float | None, unit: str, done: float) -> None:
        self._description, self._total, self._unit = description, total or None, unit
        self._done = self._done_before = done
        self._fields: dict[str, str] = {}
        self._start = time.monotonic()
        self._bar: Any = None
        self._on_terminal = sys.stderr.isatty()
        first = _BAR_AFTER_SECONDS if self._on_terminal else _LINE_EVERY_SECONDS
        self._next = self._start + first

    def advance(self, amount: float = 1) -> None:
        """Says that `amount` more units are done."""
        self._done += amount
        self._show()

    def reach(self, done: float) -> None:
        """Says that so many units are done in all, those before this piece of work among them."""
        self._done = done
        self._show()

    def update(self, **fields: object) -> None:
        """Shows values beside the bar, such as `loss=3.21`; floats get four digits."""
        for name, value in fields.items():
            self._fields[name] = f"{value:.4g}" if isinstance(value, float) else str(value)
        self._show()

    def _show(self) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        if self._on_terminal:
            self._next = now + _BAR_EVERY_SECONDS
            self._bar = self._bar or _start_bar(self._description, self._total)
            self._draw()
        else:
            self._next = now + _LINE_EVERY_SECONDS
            sys.stderr.write(self._line() + "\n")
            sys.stderr.flush()

    def _draw(self) -> None:
        self._bar.update(0, completed=self._done, rate=self._shown_rate(), fields=self._shown())

    def _rate(self) -> float:
        return (self._done - self._done_before) / max(time.monotonic() - self._start, 1e-9)

    def _shown_rate(self) -> str:
        # Where the clock itself is counted, seconds per second would say nothing.
        return "" if self._unit == "s" else f"{_amount(self._rate(), self._unit)}/s"

    def _shown(self) -> str:
        return " · ".join(f"{name} {value}" for name, value in self._fields.items())

    def _line(self) -> str:
        done = _amount(self._done, self._unit)
        if self._total:  # 1 of 6 steps; but 1.0 MB of 6.0 MB
            done = done if self._unit == "bytes" else _amount(self._done, "")
            done += f" of {_amount(self._total, self._unit)}"
        parts = [f"{self._description}: {done}"]
        if self._total and (rate := self._rate()):
            seconds = int(max(self._total - self._done, 0) / rate)
            parts.append(f"{seconds // 60}:{seconds % 60:02d} left")
        return " · ".join(filter(None, [*parts, self._shown_rate(), self._shown()]))

    def _stop(self) -> None:
        if self._bar is not None:
            self._draw()
            self._bar.stop()


class _Silent(Progress):
    """Inside another one, or in a process that doesn't speak: there is room for one bar."""

    def _show(self) -> None: ...


@contextmanager
def progress(
    description: str, total: float | None = None, unit: str = "", *, done: float = 0
) -> Iterator[Progress]:
    """Shows how work goes on, with its rate and the time left, if it takes over two seconds.

    On a terminal that is a bar, elsewhere a line every ten seconds. It goes to standard error, so
    that what a command prints for machines stays whole. Inside another `progress`, and on all
    ranks but the first, it is silent.

    Args:
        description: what is being done, such as "reading".
        total: how many units there are, or None where nobody knows.
        unit: what is counted: "bytes" (shown as MB), "steps", "tokens", ...
        done: how many of them were done before, as when a run goes on; they don't count as speed.

    Example:
        >>> with progress("counting", total=3, unit="sheep") as bar:
        ...     bar.advance(3)
        ...     bar.update(dreams=0.5)
    """
    global _active
    kind, outermost = (Progress if speaks() and not _active else _Silent), not _active
    shown = kind(description, total, unit, done)
    _active = True
    try:
        yield shown
    finally:
        _active = not outermost
        shown._stop()


def _start_bar(description: str, total: float | None) -> Any:
    from rich import progress as rich
    from rich.console import Console, RenderableType
    from rich.text import Text

    class Bar(rich.Progress):
        def get_renderables(self) -> Iterator[RenderableType]:
            """The bar, and below it, wrapped, the values beside it, so that it is never cut."""
            yield self.make_tasks_table(self.tasks)
            if fields := self.tasks[0].fields["fields"] if self.tasks else "":
                yield Text(f"  {fields}", style="dim")

    bar = Bar(
        rich.TextColumn("{task.description}", markup=False),
        rich.BarColumn(),
        rich.TextColumn("{task.percentage:>3.0f}%" if total else ""),
        rich.TextColumn("{task.fields[rate]}", markup=False),
        rich.TimeElapsedColumn(),
        rich.TextColumn("left"),
        rich.TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    bar.add_task(description, total=total, rate="", fields="")
    bar.start()
    return bar


def _amount(number: float, unit: str) -> str:
    if unit == "bytes":
        return f"{number / 1e6:,.1f} MB"
    return f"{number:,.{0 if number >= 100 or number == int(number) else 1}f} {unit}".rstrip()
