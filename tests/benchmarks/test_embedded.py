"""Embedded tasks beside the embedded corpus: what a labelled sentence costs, in plain ones.

pytest tests/benchmarks/test_embedded.py --benchmark-enable      # half a minute
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from harness.data import synthetic as embedded
from tests.unit.data.test_embedded import LABELLED
from tests.unit.data.test_embedded_translation import TRANSLATIONS

SENTENCES = 20_000
DEAREST = 6
"""A text with a label may cost so many sentences of the corpus: it is drawn until labels are balanced, often with a
partner."""


def seconds(work: Callable[[], object]) -> float:
    """Of the processor."""
    start = time.process_time()
    work()
    return time.process_time() - start


@pytest.mark.parametrize("shapes", [LABELLED, tuple(TRANSLATIONS)], ids=["labelled", "translations"])
def test_embedded_tasks_cost_little_more_than_embedded_text(shapes, request, benchmark):
    if not request.config.getoption("benchmark_enable"):
        pytest.skip("needs --benchmark-enable")
    built = [embedded.build(shape) for shape in shapes]
    rows = [split for splits in built for split in splits.values()]
    texts = sum(len(split["id"]) * sum(name in split for name in ("text", "text_pair", "source")) for split in rows)
    plain = min(seconds(lambda: list(embedded.corpus(SENTENCES))) for _ in range(3)) / SENTENCES
    labelled = min(seconds(lambda: [embedded.build(shape) for shape in shapes]) for _ in range(3)) / texts
    benchmark.extra_info["ratio"] = labelled / plain
    benchmark.pedantic(lambda: [embedded.build(shape) for shape in shapes], rounds=1)
    assert labelled < DEAREST * plain, f"a text of a task costs {labelled / plain:.1f} sentences"
