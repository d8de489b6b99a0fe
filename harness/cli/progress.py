"""Progress of a run on stderr: one line a finished cell, and in a terminal a bar below them."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from harness.core.text import say, visible
from harness.pipeline.cells import Cell, Event
from harness.pipeline.cost import UNKNOWN_SECONDS, Forecast, clock

TELL_EVERY = 30.0
"""Seconds between two lines in a log about a cell that is not done."""
TRUSTED = 0.05
"""The fraction of a forecast that counts as confirmed before anything is done."""


class Progress(AbstractContextManager["Progress"]):
    """Listens to a pool's events. Quiet: says nothing but failures."""

    def __init__(self, cells: Sequence[Cell], quiet: bool = False, forecast: Forecast | None = None) -> None:
        self._forecast = forecast or Forecast({cell.key: UNKNOWN_SECONDS for cell in cells}, frozenset(), 0.0, 1)
        self._begun: dict[str, float] = {}
        self._took: dict[str, float] = {}
        self._fractions: dict[str, float] = {}
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
            self._fractions[key] = event.fraction
            if event.detail:
                self._running[key] = f"{event.cell.label}, {event.detail},"
            self._tell_at_times(event)
        else:
            self._running.pop(key, None)
            self._fractions[key] = 1.0
            self._took[key] = time.monotonic() - self._begun.pop(key, time.monotonic())
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
        ahead = self._forecast
        left = {key: seconds * (1 - self._fractions.get(key, 0.0)) for key, seconds in ahead.cells.items()}
        alone = sum(left[key] for key in ahead.timed)
        beside = {key: left[key] * self._correction() for key in ahead.side_by_side}
        if not alone and not sum(beside.values()):
            return ""
        start = ahead.overhead / ahead.at_once if not self._fractions else 0.0
        return clock(max(sum(beside.values()) / ahead.at_once, max(beside.values(), default=0.0)) + start + alone)

    def _correction(self) -> float:
        """How many times as long as expected cells take here, imports and neighbours included; near 1 until some part
        of the whole is done.
        """
        ahead, now = self._forecast, time.monotonic()
        running = {key: fraction for key, fraction in self._fractions.items() if key in ahead.side_by_side}
        took = sum(self._took.get(key, now - self._begun.get(key, now)) for key in running)
        done = sum(ahead.cells[key] * fraction for key, fraction in running.items())
        trust = TRUSTED * sum(ahead.side_by_side.values())
        due = done + min(took, ahead.overhead) + trust
        return (took + trust) / due if due else 1.0

    def _done_fraction(self) -> float:
        """Of all that is to be done."""
        total = sum(self._forecast.cells.values())
        return (
            sum(self._forecast.cells.get(key, 0.0) * part for key, part in self._fractions.items()) / total
            if total
            else 1.0
        )

    def _print(self, line: str) -> None:
        if self._live is not None:
            self._live.console.print(visible(line), markup=False, highlight=False, soft_wrap=True)
        else:
            say(line)

    def _refresh(self) -> None:
        if self._live is None:
            return
        from rich.text import Text

        done = round(30 * self._done_fraction())
        bar = "━" * done + "─" * (30 - done)
        running = ", ".join(
            f"{label} {100 * self._fractions.get(key, 0):.0f} %" for key, label in self._running.items()
        )
        self._live.update(
            Text(
                f"{bar} {self._finished}/{len(self._forecast.cells)} eta {self._eta() or '?'}  {running}",
                overflow="ellipsis",
                no_wrap=True,
            )
        )
