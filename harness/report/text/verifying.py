"""What reading a whole store found, for people."""

from __future__ import annotations

from harness.core.verifying import Verification


def verification_text(found: Verification) -> str:
    """A line for each fault, and what was read."""
    lines = [f"damaged: {fault.reason}" + (f"; {fault.remedy}" if fault.repaired else "") for fault in found.faults]
    read = ", ".join(f"{count} {kind}" for kind, count in found.counts.items()) or "nothing"
    if not found.faults:
        return f"read {read}: all as it was written"
    hint = "" if found.sound else "; --repair sets aside what can be made again"
    return "\n".join([*lines, f"read {read}: {len(found.faults)} not as written{hint}"])
