"""Compression and calibration, as their reports found them, for the page."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import geometric_mean

from harness.report.page.model import Card, Grid, Titled
from harness.report.page.text import counted, megabytes
from harness.report.tables import calibration, compression
from harness.report.tables.formats import NONE, interval, plainly_signed, scaled, spread, without_fingerprint
from harness.stats.aggregate import Estimate


def compression_cards(groups: Sequence[compression.Cards]) -> tuple[Titled, ...]:
    return tuple(Titled(without_fingerprint(group.title), tuple(map(_card, group.cards))) for group in groups)


def _card(card: compression.Card) -> Card:
    def bar(name: str, both: tuple[int, int], text: str) -> tuple[str, float, str]:
        return name, min(1.0, both[1] / max(1, both[0])), text

    before, after = card.bytes
    counts = (("parameters", card.parameters), ("not zero", card.nonzero))
    bars = (
        bar("disk", card.bytes, f"{megabytes(after)} of {megabytes(before)} MB"),
        *(bar(name, both, _of(both)) for name, both in counts if both is not None),
    )
    lines = [("examples", f"{card.n:,}, {counted(card.seeds, 'seed')}")]
    if card.agreement is not None:
        lines.append(("equal predictions", f"{100 * card.agreement:.1f} %"))
    if card.flips is not None:
        lines.append(("right before, wrong after", f"{card.flips.lost:,} of {card.flips.n:,}"))
        lines.append(("wrong before, right after", f"{card.flips.won:,} of {card.flips.n:,}"))
    if card.calibration is not None:
        text = f"{scaled(card.calibration.before)} to {scaled(card.calibration.after)}"
        lines.append(("calibration error ×100", f"{text}, {plainly_signed(card.calibration.change)}"))
    for cost in card.costs:
        if cost.speed is not None:
            text = f"{cost.speed.value:.2f}× [{cost.speed.low:.2f}, {cost.speed.high:.2f}] as fast, {cost.verdict}"
            lines.append((f"speed at {cost.setting.where}", text))
        if cost.memory is not None and None not in (peaks := [memory.most for memory in cost.memory]):
            first, second = (megabytes(peak or 0) for peak in peaks)
            lines.append((f"peak memory at {cost.setting.where}", f"{second} of {first} MB"))
    lines += [(what, f"– {why}") for what, why in card.absent.items()]
    return Card(
        task=card.task,
        model=card.model,
        original=card.original,
        method=card.method,
        runtime=card.runtime,
        score=scaled(card.score, card.scale),
        change=plainly_signed(card.change, card.scale),
        verdict=_verdict(card.change),
        bars=bars,
        lines=tuple(lines),
        notes=card.notes,
    )


def _of(both: tuple[int, int]) -> str:
    before, after = both
    return f"{after / 1e6:.2f} of {before / 1e6:.2f} M"


def _verdict(change: Estimate) -> str:
    """Whether the interval leaves out 0."""
    return "worse" if change.high < 0 else "better" if change.low > 0 else "no change shown"


def calibration_grids(tables: Sequence[calibration.Table], more: Sequence[str] = ()) -> tuple[Grid, ...]:
    header = ("task", "model", "seeds", "examples", "accuracy", "T", "ECE", "→ ECE", "Brier", "→ Brier", "NLL", "→ NLL")
    return tuple(
        Grid(
            without_fingerprint(table.title),
            header,
            tuple(map(_calibration_row, table.rows)),
            (*calibration.NOTES, *more),
            numbers_from=2,
        )
        for table in tables
    )


def _calibration_row(row: calibration.Row) -> tuple[str, ...]:
    def ece(state: calibration.State) -> str:
        return f"{spread(state.ece)} {interval(state.ece)} ({100 * state.ece_if_calibrated:.1f})"

    def plain(estimate: Estimate) -> str:
        sd = f" ±{estimate.sd:.3f}" if estimate.sd is not None else ""
        return f"{estimate.value:.3f}{sd} [{estimate.low:.3f}, {estimate.high:.3f}]"

    temperatures = " / ".join(f"{geometric_mean(half):.2f}" for half in zip(*row.temperatures, strict=True))
    return (
        row.task if row.split == "dev" else f"{row.task} {row.split}",
        row.model,
        str(row.seeds),
        f"{row.n:,}",
        f"{100 * row.accuracy:.1f}",
        temperatures or NONE,
        ece(row.before),
        ece(row.after),
        *(plain(estimate) for estimate in (row.before.brier, row.after.brier, row.before.nll, row.after.nll)),
    )
