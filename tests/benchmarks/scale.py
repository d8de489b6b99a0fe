"""One piece of work at one size, in a process of its own: its processor time and the memory of its own that it adds.

    python -m tests.benchmarks.scale table FOLDER
    python -m tests.benchmarks.scale harness run --task t0 --data FOLDER

What is imported and what lies in FOLDER was there before. The last line of the output is JSON: `seconds`, `bytes`.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

TASK = {
    "family": "classification",
    "fields": {"text": "text", "label": "label"},
    "labels": ["bad", "good"],
    "metrics": ["accuracy"],
}
WORDS = [
    "the",
    "film",
    "a",
    "story",
    "of",
    "people",
    "who",
    "never",
    "say",
    "what",
    "they",
    "want",
    "and",
    "this",
    "is",
    "we",
    "saw",
    "in",
    "it",
    "again",
]


EVERY = 0.02
"""Seconds between two looks at the memory."""


def write_examples(folder: Path, train: int, dev: int) -> None:
    """Splits of so many rows; texts of 8 to 28 words out of the same few, no two alike."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in (("train", train), ("dev", dev)):
        with (folder / f"{split}.csv").open("w", encoding="utf-8") as file:
            file.write("text,label\n")
            for row in range(count):
                words = " ".join(WORDS[(row * 7 + place * (row % 5 + 1)) % len(WORDS)] for place in range(7 + row % 16))
                file.write(f"{words} {split} {spelled(row)},{('bad', 'good')[row % 2]}\n")


def spelled(number: int) -> str:
    """A number as words, its digits."""
    digits = [WORDS[number % len(WORDS)]]
    while number := number // len(WORDS):
        digits.append(WORDS[number % len(WORDS)])
    return " ".join(digits)


def write_corpus(file: Path, megabytes: float) -> None:
    """Documents of some 600 bytes with empty lines between them."""
    written, number = 0.0, 0
    with file.open("w", encoding="utf-8") as opened:
        while written < megabytes * 1e6:
            lines = " ".join(WORDS[(number * 11 + place * 3) % len(WORDS)] for place in range(120))
            written += opened.write(f"{lines} document {number}\n\n")
            number += 1


def read_examples(folder: str) -> None:
    """Read both splits, and hash what is in them."""
    from harness import data
    from harness.core.specs import TaskSpec

    data.load(TaskSpec(name="t0", **TASK), folder, None, ("train", "dev"))


def hash_corpus(file: str) -> None:
    """One pass over a corpus, as planning a pretraining makes it."""
    from harness.data import corpus

    corpus.facts(corpus.open_corpus(file))


def tokenize_corpus(file: str) -> None:
    """The tokens of a corpus to a file, as pretraining reads them."""
    from harness.data import corpus
    from harness.training.pretraining.blocks import write_tokens
    from tests.zoo import given

    with tempfile.TemporaryDirectory() as folder:
        write_tokens(corpus.open_corpus(file), given.tokenizer("wordpiece"), 0, Path(folder))


def table(root: str) -> None:
    """The leaderboard of a store, its index made before."""
    from harness.core.store import Store
    from harness.report.text.runs import leaderboard_text

    leaderboard_text(Store(Path(root)), [], "markdown")


WORK: dict[str, Callable[[str], None]] = {
    "read": read_examples, "hash": hash_corpus, "tokenize": tokenize_corpus, "table": table,
}  # fmt: skip

AGAIN = {"table": 4}
"""How often work is done in a process, of which the least counts: what is short, and slower the first time."""


def memory(key: str) -> int:
    """Bytes of this process, by a key of /proc/self/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


class Peak(threading.Thread):
    """The most memory of its own that the process has meanwhile; pages of files, which the system takes back, are none
    of it.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = self.before = memory("RssAnon")
        self._ends = threading.Event()

    def run(self) -> None:
        while not self._ends.wait(EVERY):
            self.most = max(self.most, memory("RssAnon"))

    def added(self) -> int:
        """Bytes since it began; it ends."""
        self._ends.set()
        self.join()
        return max(self.most, memory("RssAnon")) - self.before


def run(what: str, arguments: list[str]) -> None:
    """Do it; the command line is called as anybody calls it."""
    if what != "harness":
        WORK[what](*arguments)
        return
    from harness.cli.app import main

    sys.argv = ["harness", *arguments]
    try:
        main()
    except SystemExit as ended:
        if ended.code:
            raise


def imports(what: str, arguments: list[str]) -> None:
    """What a process of this kind imports, whatever the size."""
    import harness.cli.app
    import harness.report.text.runs  # noqa: F401

    if what == "tokenize" or "run" in arguments:
        import torch  # noqa: F401
        import transformers  # noqa: F401


def spent(what: str, arguments: list[str]) -> dict[str, float]:
    """What the work costs after the imports."""
    imports(what, arguments)
    peak, seconds = Peak(), []
    peak.start()
    for _ in range(AGAIN.get(what, 1)):
        start = time.process_time()
        run(what, arguments)
        seconds.append(time.process_time() - start)
    return {"seconds": min(seconds), "bytes": peak.added()}


if __name__ == "__main__":
    print(json.dumps(spent(sys.argv[1], sys.argv[2:])))
