"""Parallel text: one file a language, whose lines are translations of each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.core.errors import HarnessError
from harness.data.table import Table
from harness.data.text_files import lines_of, read_text

LANGUAGE = "{language}"


def language_files(folder: Path, stem: str, languages: Sequence[str]) -> dict[str, Path] | None:
    """The file of each language, named `stem.language`, or as a stem with `{language}` in it says; None unless all
    are there.
    """
    pattern = stem if LANGUAGE in stem else f"{stem}.{LANGUAGE}"
    files = {language: folder / pattern.replace(LANGUAGE, language) for language in languages}
    return files if all(path.is_file() for path in files.values()) else None


def read_parallel(files: Mapping[str, Path]) -> Table:
    """A column a language. Rows in which a line is blank are left out, with a note of how many.

    Raises:
        HarnessError: a file is empty or not UTF-8, or the files have different numbers of lines.
    """
    columns = {language: lines_of(read_text(path)) for language, path in files.items()}
    counts = {language: len(lines) for language, lines in columns.items()}
    if len(set(counts.values())) > 1:
        each = " and ".join(f"{files[language]} has {count}" for language, count in counts.items())
        raise HarnessError(f"lines must correspond, but {each} lines")
    rows = list(zip(*columns.values(), strict=True))
    kept = [number for number, row in enumerate(rows) if all(text.strip() for text in row)]
    blank = len(rows) - len(kept)

    def read_column(language: str) -> list[str]:
        return [columns[language][number] for number in kept]

    return Table(
        where=str(next(iter(files.values()))),
        names=tuple(columns),
        read_column=read_column,
        numbers=kept,
        lines=[number + 1 for number in kept],
        notes=(f"{blank} pairs with a blank line left out",) if blank else (),
    )
