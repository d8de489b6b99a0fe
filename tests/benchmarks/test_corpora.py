"""Filters side by side with datatrove: the same documents, the same rules, one process each, seconds of processor time;
rules alone, and whole pipelines with readers and writers.

The verdicts have to be equal; the ratio of documents a second is the claim.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.corpora.rules.base import Removal, Text, make_rule
from tests.benchmarks.corpus_pipelines import compare, generate

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
RULES = ("gopher-repetition", "gopher-quality", "c4-quality", "fineweb-quality")


def documents() -> list[str]:
    """Real text: parts of articles, and dialogues."""
    texts = []
    for name in ("wikitext-2/test.txt", "wikitext-2/valid.txt"):
        lines = (SHARED / name).read_text(encoding="utf-8").split("\n")
        texts += ["\n".join(lines[at : at + 30]) for at in range(0, len(lines), 30)]
    path = SHARED / "dialogsum" / "dialogsum.dev.jsonl"
    texts += [json.loads(line)["dialogue"] for line in path.open(encoding="utf-8")]
    return [text for text in texts if text.strip()]


@pytest.mark.slow
@pytest.mark.benchmark(group="filters")
def test_filters_are_twice_as_fast_as_datatrove_at_equal_verdicts(benchmark: Any) -> None:
    pytest.importorskip("spacy", reason="datatrove's words are spaCy's; pip install spacy")
    filters = pytest.importorskip("datatrove.pipeline.filters", reason="the peer; pip install datatrove spacy")
    from datatrove.data import Document

    if not SHARED.is_dir():
        pytest.skip("no real text beside the checkout")
    texts = documents()
    theirs = [
        filters.GopherRepetitionFilter(), filters.GopherQualityFilter(), filters.C4QualityFilter(),
        filters.FineWebQualityFilter(),
    ]  # fmt: skip

    def their_verdict(text: str) -> bool:
        document = Document(text=text, id="0")
        return all(one.filter(document) is True for one in theirs)

    def our_verdict(splitter: str) -> Callable[[str], bool]:
        rules = [make_rule(name, {}, "benchmark") for name in RULES]

        def verdict(raw: str) -> bool:
            text = Text(raw, splitter=splitter)  # type: ignore[arg-type]
            for rule in rules:
                judged = rule.judge(text)
                if isinstance(judged, Removal):
                    return False
                if isinstance(judged, str) and judged != text.text:
                    text = Text(judged, splitter=splitter)  # type: ignore[arg-type]
            return True

        return verdict

    def timed(verdict: Callable[[str], bool]) -> tuple[list[bool], float]:
        verdict(texts[0])
        begun = time.process_time()
        return [verdict(text) for text in texts], time.process_time() - begun

    theirs_kept, theirs_seconds = timed(their_verdict)
    spacy_kept, spacy_seconds = timed(our_verdict("spacy"))
    ours_kept, ours_seconds = timed(our_verdict("rules"))
    size = sum(len(text.encode()) for text in texts) / 1e6
    benchmark.extra_info |= {
        "documents": len(texts), "megabytes": round(size, 2), "kept": sum(theirs_kept),
        "datatrove_mb_per_second": round(size / theirs_seconds, 2),
        "harness_spacy_mb_per_second": round(size / spacy_seconds, 2),
        "harness_mb_per_second": round(size / ours_seconds, 2),
        "ratio_at_equal_verdicts": round(theirs_seconds / spacy_seconds, 2),
        "ratio": round(theirs_seconds / ours_seconds, 2),
        "verdicts_that_differ_without_spacy": sum(a != b for a, b in zip(theirs_kept, ours_kept, strict=True)),
    }  # fmt: skip
    benchmark.pedantic(lambda: [our_verdict("rules")(text) for text in texts[:100]], rounds=1)
    print(json.dumps(benchmark.extra_info, indent=1))
    assert spacy_kept == theirs_kept
    assert theirs_seconds / spacy_seconds >= 2


@pytest.mark.benchmark(group="filters")
def test_whole_pipelines_keep_the_same_texts_in_half_the_time(benchmark: Any, tmp_path: Path) -> None:
    for package in ("datatrove", "spacy", "orjson"):
        pytest.importorskip(package, reason="the peer; pip install datatrove spacy orjson")
    if not SHARED.is_dir():
        pytest.skip("no real text beside the checkout")
    generate(tmp_path / "corpus.jsonl", 3)
    result = benchmark.pedantic(lambda: compare(tmp_path / "corpus.jsonl", tmp_path), rounds=1)
    benchmark.extra_info |= result
    with_spacy = result["pipelines"]["harness, splitter spacy"]
    assert with_spacy["kept_texts_are_equal"]
    assert with_spacy["times_datatrove"] >= 2
