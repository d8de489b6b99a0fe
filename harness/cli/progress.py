"""Progress of a run on stderr: one line a finished cell, and in a terminal a bar below them."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from heapq import heapify, heappop, heappush
from itertools import islice
from typing import Any

from harness.core.text import say, visible
from harness.pipeline.cells import Cell, Event
from harness.pipeline.cost import UNKNOWN_SECONDS, Forecast, clock

TELL_EVERY = 30.0
"""Seconds between two lines in a log about a cell that is not done."""
SHOWN_AT_ONCE = 16
"""Cells that the bar names."""
TRUSTED = 0.05
"""The fraction of a forecast that counts as confirmed before anything is done."""


class SecondsLeft:
    """What is left of the forecasts of cells, those that are timed apart; each step looks at one cell alone."""

    def __init__(self, forecast: Forecast) -> None:
        self._cells, self._timed = forecast.cells, forecast.timed
        self._fractions: dict[str, float] = {}
        self._left = dict(forecast.cells)
        self._unfinished = {True: 0, False: 0}
        self._sums = {True: 0.0, False: 0.0}
        for key, seconds in forecast.cells.items():
            self._unfinished[key in self._timed] += seconds > 0
            self._sums[key in self._timed] += seconds
        self.beside_at_first, self._total = self._sums[False], sum(self._sums.values())
        self._longest = [(-seconds, key) for key, seconds in forecast.cells.items() if key not in self._timed]
        heapify(self._longest)

    def reach(self, key: str, fraction: float) -> None:
        """So much of a cell is done."""
        self._fractions[key] = fraction
        if key not in self._cells:
            return
        timed, before = key in self._timed, self._left[key]
        self._left[key] = left = self._cells[key] * (1 - fraction)
        self._sums[timed] += left - before
        self._unfinished[timed] += (left > 0) - (before > 0)
        if not timed:
            heappush(self._longest, (-left, key))

    @property
    def alone(self) -> float:
        """Seconds of those that are timed."""
        return self._sums[True] if self._unfinished[True] else 0.0

    @property
    def beside(self) -> float:
        """Seconds of all others."""
        return self._sums[False] if self._unfinished[False] else 0.0

    @property
    def longest(self) -> float:
        """Seconds of the longest of these."""
        while self._longest and -self._longest[0][0] != self._left[self._longest[0][1]]:
            heappop(self._longest)
        return -self._longest[0][0] if self._longest else 0.0

    @property
    def is_begun(self) -> bool:
        return bool(self._fractions)

    def has_begun(self, key: str) -> bool:
        """Whether a cell has said how far it is."""
        return key in self._fractions

    def fraction(self, key: str) -> float:
        """Of a cell that is done."""
        return self._fractions.get(key, 0.0)

    @property
    def done_fraction(self) -> float:
        """Of all that is to be done."""
        return 1 - (self.alone + self.beside) / self._total if self._total else 1.0


class Progress(AbstractContextManager["Progress"]):
    """Listens to a pool's events. Quiet: says nothing but failures."""

    def __init__(self, cells: Sequence[Cell], quiet: bool = False, forecast: Forecast | None = None) -> None:
        self._forecast = forecast or Forecast({cell.key: UNKNOWN_SECONDS for cell in cells}, frozenset(), 0.0, 1)
        self._left = SecondsLeft(self._forecast)
        self._begun: dict[str, float] = {}
        self._took = 0.0
        self._finished = 0
        self._quiet = quiet
        self._started = time.monotonic()
        self._live: Any = None
        self._running: dict[str, str] = {}
        self._reported: dict[str, float] = {}

    def __enter__(self) -> Progress:
        if sys.stderr.isatty() and not self._quiet:
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(stderr=True), transient=True, refresh_per_second=4)
            self._live.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        if self._live is not None:
            self._live.__exit__(None, None, None)
            self._live = None

    def __call__(self, event: Event) -> None:
        key = event.cell.key
        if event.kind == "started":
            self._running[key] = event.cell.label
            self._begun[key] = time.monotonic()
        elif event.kind == "progress":
            self._left.reach(key, event.fraction)
            if event.detail:
                self._running[key] = f"{event.cell.label}, {event.detail},"
            self._tell_at_times(event)
        else:
            self._running.pop(key, None)
            self._left.reach(key, 1.0)
            now = time.monotonic()
            began = self._begun.pop(key, now)
            if key not in self._forecast.timed:
                self._took += now - began
            self._finished += 1
            if not self._quiet or event.kind in ("failed", "skipped"):
                self._print(self._line(event))
        self._refresh()

    def _tell_at_times(self, event: Event) -> None:
        """In a log, where there is no bar, a cell that takes long says so now and then."""
        now = time.monotonic()
        if (
            self._live is None
            and not self._quiet
            and now - self._reported.get(event.cell.key, self._started) >= TELL_EVERY
        ):
            self._reported[event.cell.key] = now
            detail = f", {event.detail}" if event.detail else ""
            self._print(f"      {event.cell.label}: {100 * event.fraction:.0f} %{detail} (eta {self._eta() or '?'})")

    def _line(self, event: Event) -> str:
        count = f"[{self._finished:>{len(str(len(self._forecast.cells)))}}/{len(self._forecast.cells)}]"
        if event.kind == "failed":
            return f"{count} {event.cell.label}: FAILED: {event.cause}"
        if event.kind == "skipped":
            return f"{count} {event.cell.label}: skipped, {event.cause}"
        remark = " (another run computed it)" if event.kind == "cached" else ""
        scores = "".join(f" {name} {value:.3f}" for name, value in event.summary.get("scores", {}).items())
        scores += f" {verdict}" if (verdict := event.summary.get("verdict")) else ""
        eta = f" (eta {self._eta()})" if self._eta() else ""
        return f"{count} {event.cell.label}:{scores} {event.summary.get('seconds', 0):.1f} s{remark}{eta}"

    def _eta(self) -> str:
        """By the forecast, corrected by what the cells so far took against it; then of those that are timed alone."""
        ahead, left = self._forecast, self._left
        if not left.alone and not left.beside:
            return ""
        correction = self._correction()
        start = ahead.overhead / ahead.at_once if not left.is_begun else 0.0
        return clock(max(correction * left.beside / ahead.at_once, correction * left.longest) + start + left.alone)

    def _correction(self) -> float:
        """How many times as long as expected cells take here, imports and neighbours included; near 1 until some part
        of the whole is done.
        """
        ahead, left, now = self._forecast, self._left, time.monotonic()
        running = [began for key, began in self._begun.items() if key not in ahead.timed and left.has_begun(key)]
        took = self._took + sum(now - began for began in running)
        done = left.beside_at_first - left.beside
        trust = TRUSTED * left.beside_at_first
        due = done + min(took, ahead.overhead) + trust
        return (took + trust) / due if due else 1.0

    def _print(self, line: str) -> None:
        if self._live is not None:
            self._live.console.print(visible(line), markup=False, highlight=False, soft_wrap=True)
        else:
            say(line)

    def _refresh(self) -> None:
        if self._live is None:
            return
        from rich.text import Text

        done = round(30 * self._left.done_fraction)
        bar = "━" * done + "─" * (30 - done)
        running = ", ".join(
            f"{label} {100 * self._left.fraction(key):.0f} %"
            for key, label in islice(self._running.items(), SHOWN_AT_ONCE)
        )
        self._live.update(
            Text(
                f"{bar} {self._finished}/{len(self._forecast.cells)} eta {self._eta() or '?'}  {running}",
                overflow="ellipsis",
                no_wrap=True,
            )
        )
