"""Evaluation examples in a corpus: planted ones of five kinds are found, innocent overlaps are not."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from harness.api.corpora import corpus_report
from harness.core.errors import HarnessError
from harness.core.registry import load_registry
from harness.core.strict_spec import parse
from harness.corpora.contamination.examples import evaluation_examples, tasks_against
from harness.corpora.contamination.index import ContaminationIndex, Example, needed
from harness.corpora.contamination.scan import contamination, scan
from harness.corpora.filtering.filtering import filter_corpus
from harness.corpora.filtering.spec import FilterSpec
from harness.data import synthetic
from harness.data.corpus import open_corpus
from harness.data.document import Document
from harness.stats.bootstrap import wilson

WORDS = [
    "harbour",
    "captain",
    "bicycle",
    "garden",
    "winter",
    "kitchen",
    "window",
    "teacher",
    "mountain",
    "letter",
    "evening",
    "doctor",
    "bridge",
    "market",
    "library",
    "engine",
    "forest",
    "village",
    "river",
    "ticket",
    "painter",
    "summer",
    "station",
    "orange",
    "blanket",
    "castle",
    "picture",
    "soldier",
    "farmer",
    "music",
    "candle",
    "island",
    "pocket",
    "shadow",
    "basket",
    "corner",
    "thunder",
    "velvet",
    "whistle",
    "meadow",
    "copper",
    "lantern",
    "saddle",
    "pepper",
    "anchor",
]
SMALL = [
    "the",
    "of",
    "a",
    "to",
    "in",
    "and",
    "was",
    "by",
    "that",
    "with",
    "for",
    "on",
    "his",
    "her",
    "it",
    "is",
    "at",
    "from",
    "as",
    "they",
]


def sentence(draw: random.Random, words: int) -> str:
    text = " ".join(draw.choice(SMALL) if at % 2 else draw.choice(WORDS) for at in range(words))
    return text.capitalize() + "."


DRAW = random.Random(7)
EXAMPLES = [
    Example("quiz", "dev", str(at), sentence(DRAW, DRAW.randint(10, 45)), (sentence(DRAW, 4),)) for at in range(300)
]
INDEX = ContaminationIndex(EXAMPLES)
NOISE = [" ".join(sentence(DRAW, 14) for _ in range(8)) for _ in range(60)]


def planted(kind: str, example: Example, draw: random.Random) -> str:
    words = example.text.split()
    if kind == "punctuation and case":
        return "-- " + " , ".join(word.upper() for word in words) + " !!"
    if kind == "cut":
        kept = round(0.85 * len(words) + 0.5)
        start = draw.randrange(len(words) - kept + 1)
        return " ".join(words[start : start + kept])
    if kind == "embedded":
        around = draw.choice(NOISE).split()
        at = draw.randrange(len(around))
        return " ".join([*around[:at], example.text, *around[at:]])
    if kind == "with its answer":
        return f"{example.text} The answer: {example.answers[0]}"
    return example.text  # verbatim, and a question without its answer


@pytest.mark.parametrize("kind", ["verbatim", "punctuation and case", "cut", "embedded", "with its answer"])
def test_planted_examples_are_found_and_no_others(kind: str) -> None:
    draw = random.Random(1)
    chosen = draw.sample(range(len(EXAMPLES)), 150)
    documents = [Document(planted(kind, EXAMPLES[at], draw), f"doc {at}") for at in chosen]
    hits = scan(documents, INDEX)
    recalled = sum(hit.example in chosen for hit in hits)
    assert wilson(recalled, len(chosen))[0] >= (0.85 if kind == "cut" else 0.97)
    assert {hit.example for hit in hits} <= set(chosen), "precision"
    assert all(hit.place == f"doc {hit.example}" for hit in hits)
    if kind in ("verbatim", "embedded"):
        assert all(hit.match.exact for hit in hits)
        assert not any(hit.match.answered for hit in hits), "questions without their answers are found as such"
    if kind == "with its answer":
        assert all(hit.match.answered for hit in hits)
    if kind == "cut":
        assert not any(hit.match.exact for hit in hits)


def test_innocent_overlaps_are_not_found() -> None:
    draw = random.Random(2)
    innocent = list(NOISE)
    for example in EXAMPLES:
        words = example.text.split()
        quoted = " ".join(words[: max(4, round(0.4 * len(words)))])
        innocent.append(f"{draw.choice(NOISE)} As somebody wrote, {quoted} and so on. {draw.choice(NOISE)}")
        shuffled = words[:]
        draw.shuffle(shuffled)
        innocent.append(" ".join(shuffled))
    hits = scan([Document(text, str(at)) for at, text in enumerate(innocent)], INDEX)
    assert wilson(len(hits), len(innocent))[1] <= 0.01, [EXAMPLES[hit.example].text for hit in hits]


def test_words_of_one_example_far_apart_are_no_match() -> None:
    example = Example("quiz", "dev", "0", " ".join(WORDS[:20]))
    apart = (" " + " ".join(SMALL * 10) + " ").join([" ".join(WORDS[at : at + 5]) for at in range(0, 20, 5)])
    assert ContaminationIndex([example]).matches(apart) == []
    assert len(ContaminationIndex([example]).matches(example.text)) == 1


def test_a_phrase_that_stands_everywhere_is_no_contamination() -> None:
    phrase = Example("quiz", "dev", "phrase", "It was the best of times for all of us.")
    long = Example("quiz", "dev", "long", " ".join(WORDS[:20]))
    documents = [Document(f"{sentence(DRAW, 12)} {phrase.text}", str(at)) for at in range(6)]
    documents += [Document(long.text, f"long {at}") for at in range(6)]
    index = ContaminationIndex([phrase, long])
    [row] = contamination(index, scan(documents, index), "here", {}).tasks
    assert row.dirty == 1 and row.ids == ["long"] and row.common_phrases == 1


def test_what_every_example_says_weighs_nothing() -> None:
    question = "Does the following sentence make sense to a speaker of the language, yes or no?"
    examples = [Example("quiz", "dev", str(at), f"{question} {sentence(DRAW, 12)}") for at in range(2000)]
    assert ContaminationIndex(examples).matches(question + " " + sentence(DRAW, 12)) == []
    assert [match.example for match in ContaminationIndex(examples).matches(examples[5].text)] == [5]


def test_short_examples_are_counted_not_judged() -> None:
    short = Example("quiz", "dev", "0", "It is good.")
    index = ContaminationIndex([short])
    [row] = contamination(index, scan([Document("It is good.", "x")], index), "here", {}).tasks
    assert row.not_judged == 1 and row.dirty == 0


def test_longer_examples_may_lack_more() -> None:
    assert needed(5) == needed(6) == 0.8 and needed(30) == pytest.approx(0.55) == needed(99)
    assert needed(6) > needed(18) > needed(30)


@pytest.mark.slow
def test_a_report_against_a_task_names_the_examples_and_workers_change_nothing(tmp_path: Path) -> None:
    rows = synthetic.build("sentiment")["dev"]["text"]
    texts = [*NOISE, *rows[:40]]
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    one, two = (corpus_report(path, against=["sst2"], workers=workers) for workers in (1, 2))
    assert one.contamination == two.contamination
    [row] = [row for row in one.contamination.tasks if row.split == "dev"]
    assert row.n == 600 and 30 <= row.dirty <= 45
    assert row.interval[0] < row.fraction < row.interval[1]
    assert any(finding.topic == "contamination" and finding.weight == 2 for finding in one.findings)
    with pytest.raises(HarnessError, match="Did you mean 'sst2'"):
        corpus_report(path, against=["sst22"])


def test_a_rule_removes_what_leaked(tmp_path: Path) -> None:
    rows = synthetic.build("sentiment")["dev"]["text"]
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in [*NOISE, *rows[:40]]), encoding="utf-8")
    spec = parse(FilterSpec, {"rules": [{"decontaminate": {"against": "sst2"}}]}, "test")
    manifest, funnel = filter_corpus(open_corpus(str(path)), spec, tmp_path / "out")
    assert manifest.documents >= 60 and funnel.removed["decontaminate"] >= 30
    entry = json.loads((tmp_path / "out/ledger.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert entry["reason"] == "an evaluation example" and entry["value"].startswith("sst2 dev ")
    assert "data" in manifest.rules[0] and manifest.rules[0]["against"] == ["sst2"]
    examples, _ = evaluation_examples(tasks_against(load_registry(), ["sst2"]), "synthetic")
    assert scan(open_corpus(str(tmp_path / "out")).read(False), ContaminationIndex(examples)) == []
