"""Tables inside a file somebody wrote: what stands between two markers is replaced, the rest is not touched.

    <!-- harness:leaderboard -->
    …
    <!-- /harness:leaderboard -->

Several tables in one file have names: `<!-- harness:leaderboard glue -->` … `<!-- /harness:leaderboard glue -->`.
"""

from __future__ import annotations

import re
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.store import write_atomically

NAME = re.compile(r"[\w.-]+")
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")


def update_file(path: Path, text: str, name: str | None = None) -> bool:
    """Put `text` between the markers of `name`; False where it stands there already, and nothing is written.

    Line ends are those of the file. Markers stand on lines of their own; those in fenced code are examples.

    Raises:
        HarnessError: no such file, not UTF-8, or the two markers are not there exactly once and in order.
    """
    path = path.resolve()
    try:
        before = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        raise HarnessError(f"--update {path}: the file is not UTF-8 text") from None
    except OSError as error:
        raise HarnessError(f"--update {path}: {error.strerror}") from None
    after = replaced(before, text, name, f"--update {path}")
    if after == before:
        return False
    mode = path.stat().st_mode
    write_atomically(path, after)
    path.chmod(mode)
    return True


def replaced(content: str, text: str, name: str | None, where: str) -> str:
    """`content` with `text` between the markers of `name`. Raises HarnessError, naming `where`."""
    if name is not None and not NAME.fullmatch(name):
        raise HarnessError(f"--marker '{name}': a name has letters, digits, dots, hyphens and underscores")
    label = f"harness:leaderboard{f' {name}' if name else ''}"
    opening, closing = f"<!-- {label} -->", f"<!-- /{label} -->"
    starts, ends = _places(content, opening), _places(content, closing)
    for marker, places in ((opening, starts), (closing, ends)):
        if not places:
            raise HarnessError(f"{where}: no line {marker}; write {opening} and {closing} where the table shall stand")
        if len(places) > 1:
            raise HarnessError(f"{where}: {len(places)} lines {marker}; give each table a name, and --marker NAME")
    begin, end = starts[0][1], ends[0][0]
    if begin > end:
        raise HarnessError(f"{where}: {closing} stands before {opening}")
    newline = "\r\n" if content[:begin].endswith("\r\n") else "\n"
    body = newline.join(["", *text.strip("\n").split("\n"), "", ""])
    return content[:begin] + body + content[end:]


def _places(content: str, marker: str) -> list[tuple[int, int]]:
    """Where each line that is this marker begins and where the next line does, outside of fenced code."""
    places, start, fence = [], 0, ""
    for line in content.splitlines(keepends=True):
        match = FENCE.match(line)
        if match and not fence:
            fence = match.group(1)
        elif match and match.group(1).startswith(fence) and not line.strip().strip(fence[0]):
            fence = ""
        elif not fence and line.strip().lstrip("\ufeff") == marker:
            places.append((start, start + len(line)))
        start += len(line)
    return places
