"""A corpus through rules: what is kept, the ledger, the manifest, and the same at any number of workers."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from harness.core.errors import DamagedFileError, HarnessError
from harness.core.strict_spec import parse
from harness.corpora.filtering.filtering import NEAR, filter_corpus
from harness.corpora.filtering.prediction import predict
from harness.corpora.filtering.spec import FilterSpec, load_filter, presets
from harness.data.corpus import facts, open_corpus

PROSE = "The harbour of the old town lies to the north, and the boats that came back with fish are tied to its wall number {}."


def write_corpus(folder: Path) -> Path:
    rows = [{"text": PROSE.format(word), "source": "made"} for word in ("one", "two", "six", "ten", "three")]
    rows += [
        {"text": "short"},
        {"text": "   "},
        {"text": rows[0]["text"].upper()},
        {"text": "mail jo@example.org " + rows[2]["text"]},
    ]
    path = folder / "corpus.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


SPEC = parse(
    FilterSpec,
    {"rules": [{"length": {"min_characters": 20}}, {"pii": {"mask": "email"}}, {"dedup": {"near": None}}]},
    "test",
)


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_document_is_kept_or_in_the_ledger_with_its_reason(tmp_path: Path) -> None:
    corpus = open_corpus(str(write_corpus(tmp_path)))
    manifest, funnel = filter_corpus(corpus, SPEC, tmp_path / "out")
    kept, ledger = lines(tmp_path / "out/text.jsonl"), lines(tmp_path / "out/ledger.jsonl")
    assert len(kept) + len(ledger) == manifest.source.documents == funnel.documents == 8  # the blank one is none
    assert [entry["reason"] for entry in ledger] == ["too few characters", "equal to an earlier document"]
    assert ledger[0] == {
        "place": "corpus.jsonl:6", "rule": "length", "reason": "too few characters", "value": 5, "limit": 20, "text": "short",
    }  # fmt: skip
    assert ledger[1]["kept"] == "corpus.jsonl:1" and ledger[1]["place"] == "corpus.jsonl:8"
    assert kept[0]["source"] == "made" and kept[-1]["text"].startswith("mail email@example.com The harbour")
    assert funnel.edited == {"pii": 1} and manifest.removed == {"length": 1, "dedup": 1}


def test_what_was_kept_is_a_corpus_that_knows_what_made_it(tmp_path: Path) -> None:
    manifest, _ = filter_corpus(open_corpus(str(write_corpus(tmp_path))), SPEC, tmp_path / "out")
    corpus = open_corpus(str(tmp_path / "out"))
    assert corpus.made == manifest
    found = facts(corpus)
    assert found["fingerprint"] == manifest.fingerprint and found["documents"] == manifest.documents
    assert found["made"]["source"]["documents"] == 8
    assert [rule["rule"] for rule in found["made"]["rules"]] == ["length", "pii", "dedup"]


def test_text_that_was_changed_since_is_refused(tmp_path: Path) -> None:
    filter_corpus(open_corpus(str(write_corpus(tmp_path))), SPEC, tmp_path / "out")
    path = tmp_path / "out/text.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace("harbour", "harbor"), encoding="utf-8")
    with pytest.raises(DamagedFileError, match="not what its manifest names"):
        facts(open_corpus(str(tmp_path / "out")))


def test_the_output_is_the_same_at_any_number_of_workers(tmp_path: Path) -> None:
    source = tmp_path / "many.txt"
    source.write_text(
        "\n\n".join(PROSE.format(f"n{chr(97 + at % 26)} {'x' * (at % 40)}") for at in range(1500)), encoding="utf-8"
    )
    for workers in (1, 2):
        filter_corpus(open_corpus(str(source)), load_filter("clean"), tmp_path / str(workers), workers=workers)
    for name in ("text.jsonl", "ledger.jsonl", "funnel.json", "corpus.json"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes(), name


def test_near_duplicates_name_the_one_that_is_kept(tmp_path: Path) -> None:
    source = tmp_path / "two.txt"
    long = " ".join(PROSE.format(word) for word in ("one", "two", "six", "ten"))
    source.write_text(
        long + "\n\nSomething else entirely stands here.\n\n" + long.replace("fish", "eels", 1), encoding="utf-8"
    )
    spec = parse(FilterSpec, {"rules": ["dedup"]}, "test")
    filter_corpus(open_corpus(str(source)), spec, tmp_path / "out")
    [entry] = lines(tmp_path / "out/ledger.jsonl")
    assert entry["reason"] == "like an earlier document" and entry["kept"] == "two.txt:1"
    assert 0.7 <= entry["similarity"] < 1


def test_nothing_is_written_where_nothing_is_kept_or_something_is_there(tmp_path: Path) -> None:
    corpus = open_corpus(str(write_corpus(tmp_path)))
    spec = parse(FilterSpec, {"rules": [{"length": {"min_words": 1000}}]}, "test")
    with pytest.raises(HarnessError, match="no document is kept of 8 "):
        filter_corpus(corpus, spec, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus.jsonl"]
    with pytest.raises(HarnessError, match="already there"):
        filter_corpus(corpus, SPEC, tmp_path)


def test_a_rule_of_ones_own_is_a_module(tmp_path: Path) -> None:
    from harness.core import plugins
    from harness.core.registry import load_registry

    plugin = tmp_path / "rule.py"
    plugin.write_text(
        "from harness import register\n"
        "from harness.corpora.rules.base import Removal, Rule\n"
        "class NoFish(Rule):\n"
        "    def judge(self, text):\n"
        "        return Removal('fish', text.text.count('fish'), 0) if 'fish' in text.text else None\n"
        "register('rule', 'no-fish', NoFish)\n",
        encoding="utf-8",
    )
    before = plugins.snapshot()
    try:
        load_registry([str(plugin)])
        spec = parse(FilterSpec, {"rules": ["no-fish"]}, "test")
        for workers in (1, 2):
            out = tmp_path / f"out{workers}"
            filter_corpus(open_corpus(str(write_corpus(tmp_path))), spec, out, workers=workers, include=[str(plugin)])
            assert {entry["reason"] for entry in lines(out / "ledger.jsonl")} == {"fish"}
    finally:
        plugins.restore(before)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("rules: []", "a list of rules is expected"),
        ("rules: [{a: {}, b: {}}]", "a rule is its name"),
        ("rules: [pii]\nsplitt: spacy", "Did you mean 'splitter'"),
        ("rules: [dedup, pii]", "dedup compares what the other rules leave"),
        ("rules: [pi]", "Did you mean 'pii'"),
    ],
)
def test_bad_files_of_rules_are_one_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(HarnessError, match=message):
        filter_corpus(open_corpus("synthetic", 100), load_filter(str(path)), tmp_path / "out", where=str(path))


def test_presets_load_and_are_known_by_name() -> None:
    assert set(presets()) == {"c4", "clean", "fineweb", "gopher"}
    for name in presets():
        assert load_filter(name).rules
    with pytest.raises(HarnessError, match="Did you mean 'gopher'"):
        load_filter("gofer")


def test_a_sample_predicts_what_is_removed_exact_copies_included(tmp_path: Path) -> None:
    source = tmp_path / "many.jsonl"
    texts = [PROSE.format(f"{chr(97 + at % 26)}{chr(97 + at // 26 % 26)}{at // 676}") for at in range(2000)]
    texts += texts[:1000] + ["short"] * 500 + [f"tiny {at}" for at in range(500)]
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    _, funnel = filter_corpus(open_corpus(str(source)), SPEC, tmp_path / "out")
    truth = {rule: count / funnel.documents for rule, count in funnel.removed.items()}
    held = 0
    for seed in range(20):
        found = predict(open_corpus(str(source)), SPEC, 500, seed)
        assert found.documents == 4000 and found.sampled == 500
        held += found.kept_low <= funnel.kept_documents / 4000 <= found.kept_high
    assert held >= 17
    whole = predict(open_corpus(str(source)), SPEC, 10_000, 0)
    assert {rule.rule: rule.removed for rule in whole.rules if rule.removed} == pytest.approx(truth)


def near_copies(path: Path, documents: int = 900) -> None:
    """A corpus of which a third resembles an earlier document, in groups of any size and at any distance."""
    draw = random.Random(3)
    texts: list[str] = []
    words = [f"{chr(97 + at % 26)}{chr(97 + at // 26)}word" for at in range(500)]
    while len(texts) < documents:
        if texts and draw.random() < 1 / 3:
            copied = draw.choice(texts).split(" ")
            copied[draw.randrange(len(copied))] = draw.choice(words)
            texts.append(" ".join(copied))
        elif draw.random() < 0.1:
            texts.append("short " + draw.choice(words))
        else:
            texts.append(" ".join(draw.choices(words, k=60)))
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")


def test_a_sample_predicts_near_duplicates(tmp_path: Path) -> None:
    near_copies(tmp_path / "many.jsonl")
    corpus = open_corpus(str(tmp_path / "many.jsonl"))
    spec = parse(FilterSpec, {"rules": [{"length": {"min_characters": 40}}, "dedup"]}, "test")
    _, funnel = filter_corpus(corpus, spec, tmp_path / "out")
    near = funnel.reasons["dedup", NEAR]
    assert 150 < near < 350
    held = kept = 0
    for seed in range(20):
        predicted = predict(corpus, spec, 150, seed)
        assert predicted.near is not None and predicted.sampled == 150
        held += predicted.near.low <= near / funnel.documents <= predicted.near.high
        kept += predicted.kept_low <= funnel.kept_documents / funnel.documents <= predicted.kept_high
    assert held >= 17 and kept >= 17
    whole = predict(corpus, spec, 10_000, 0)
    assert whole.near is not None
    assert 0.97 * near <= whole.near.removed * funnel.documents <= near
    assert {rule.rule: rule.removed for rule in whole.rules}["length"] == funnel.removed["length"] / funnel.documents


def test_what_resembles_only_documents_that_rules_remove_is_no_near_duplicate(tmp_path: Path) -> None:
    text = " ".join(f"w{chr(97 + at % 26)}{chr(97 + at // 26)}" for at in range(120))
    rows = [f"{text} secret", f"{text} {'x ' * 3}", "z" * 30, text]
    path = tmp_path / "few.jsonl"
    path.write_text("".join(json.dumps({"text": row}) + "\n" for row in rows), encoding="utf-8")
    for rules, near in ((["dedup"], 2), ([{"pattern": {"remove_if": "secret"}}, "dedup"], 1)):
        spec = parse(FilterSpec, {"rules": rules}, "test")
        predicted = predict(open_corpus(str(path)), spec, 10, 0)
        assert predicted.near is not None and predicted.near.removed == near / 4
        _, funnel = filter_corpus(open_corpus(str(path)), spec, tmp_path / f"out{near}")
        assert funnel.reasons["dedup", NEAR] == near
