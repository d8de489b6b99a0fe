"""Figures by matplotlib, which is an extra: made and written whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError

ENDINGS = (".png", ".svg", ".pdf")


def check(path: Path, flag: str = "--plot") -> None:
    """Raises HarnessError where matplotlib is not installed, the ending is of no format, or the folder not there."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise HarnessError(f"{flag} needs matplotlib; pip install 'nlp-harness[plot]'") from None
    if path.suffix.lower() not in ENDINGS:
        raise HarnessError(f"{flag} {path}: the ending must be .png, .svg or .pdf")
    if not path.resolve().parent.is_dir():
        raise HarnessError(f"{flag} {path}: no folder {path.parent}; make it first")


@contextmanager
def figure(path: Path, width: float, height: float, flag: str = "--plot") -> Iterator[Any]:
    """Axes of a figure (inches) that is written to `path` at the end. Raises HarnessError as `check` does."""
    check(path, flag)
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    drawn, axes = pyplot.subplots(figsize=(width, height), layout="constrained")
    temporary = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        yield axes
        drawn.savefig(temporary)
        temporary.replace(path)
    except OSError as error:
        raise HarnessError(f"cannot write {path}: {error.strerror}") from None
    finally:
        temporary.unlink(missing_ok=True)
        pyplot.close(drawn)


def plain(text: str) -> str:
    """Text that matplotlib shows as it stands: a dollar begins no formula."""
    return text.replace("$", r"\$")
