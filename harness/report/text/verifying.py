"""What reading a whole store found, for people."""

from __future__ import annotations

from harness.core.verifying import Verification


def verification_text(verification: Verification) -> str:
    """A line for each fault, and what was read."""
    lines = [
        f"damaged: {fault.reason}" + (f"; {fault.remedy}" if fault.repaired else "") for fault in verification.faults
    ]
    read = ", ".join(f"{count} {kind}" for kind, count in verification.counts.items()) or "nothing"
    if not verification.faults:
        return f"read {read}: all as it was written"
    hint = "" if verification.sound else "; --repair sets aside what can be made again"
    return "\n".join([*lines, f"read {read}: {len(verification.faults)} not as written{hint}"])
