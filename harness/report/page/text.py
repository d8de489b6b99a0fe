"""Numbers and sizes as the page writes them."""

from __future__ import annotations


def megabytes(count: float) -> str:
    """10⁶ bytes, three digits or so."""
    size = count / 1e6
    if size < 0.01:
        return "< 0.01" if count else "0"
    return f"{size:.0f}" if size >= 100 else f"{size:.1f}" if size >= 1 else f"{size:.2f}"


def counted(number_of: int, singular: str, plural: str = "") -> str:
    """`1 run`, `3 runs`."""
    return f"{number_of:,} {singular if number_of == 1 else plural or f'{singular}s'}"


def rate(value: float) -> str:
    """Three digits or so: 1,234, 56.7, 0.891."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
