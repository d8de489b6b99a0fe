"""Attacks do what their papers say, as a plain reference does it; they keep their budget, and go on where they were."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.core.attack_spec import AttackSpec
from harness.core.errors import HarnessError
from harness.core.noise import attacked_task
from harness.data.attacked import attack_identity, attack_of, to_be_attacked
from harness.data.frame import Split, TaskData
from harness.pipeline.steps import attack as step
from harness.pipeline.steps.attack import under_attack
from harness.pipeline.steps.score import Asked
from tests.unit.attacks import reference
from tests.unit.attacks.given import SYNONYMS, Victim, examples, masked_model, task

ATTACKS = ("deepwordbug", "textfooler", "bae")


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What each attack reads."""
    folder = tmp_path_factory.mktemp("attacks")
    synonyms = folder / "synonyms.tsv"
    synonyms.write_text("".join(f"{word}\t" + "\t".join(others) + "\n" for word, others in SYNONYMS.items()))
    return {
        "deepwordbug": {},
        "textfooler": {"synonyms": str(synonyms)},
        "bae": {"model": str(masked_model(folder / "masked")), "most": 8},
    }


def attacked(
    method: str,
    options: dict[str, Any],
    split: Split | None = None,
    victim: Victim | None = None,
    part: int | None = None,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What became of each example, and the facts of the attack."""
    clean = task({"method": method, "options": options}).clean
    spec = attacked_task(clean, AttackSpec(method=method, options=options))
    split = split or examples()
    answers = victim or Victim()
    asked = Asked(spec, ("negative", "positive"), split, answers, lambda fraction: None)
    starts = range(0, len(split), part or len(split))
    parts = [step.attacked(asked, range(start, min(start + starts.step, len(split)))) for start in starts]
    predicted, more = under_attack(asked, parts)
    columns = {name: list(values) for name, values in predicted.columns.items() if name != "logits"}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    for row, value in zip(rows, predicted.values.tolist(), strict=True):
        row["prediction"] = value
    return rows, more["attack"]


def plainly(method: str, options: dict[str, Any], split: Split, **bounds: Any) -> Iterator[tuple[Any, ...]]:
    """The same by the reference, for the examples that the model answers rightly."""
    asked = {"budget": 500, "least": 0.0 if method == "deepwordbug" else 0.5, "most_changed": 0.4, **bounds}
    assert split.labels is not None
    proposals = None
    for name, text, label in zip(split.ids, split.fields["text"], split.labels, strict=True):
        said = reference.probabilities(text)
        if said.index(max(said)) != label:
            continue
        if method == "deepwordbug":
            yield name, *reference.attack(
                text, int(label), reference.combined_scores, reference.misspelt(name, 0), False, most_edits=30, **asked
            )  # fmt: skip
        elif method == "textfooler":

            def synonyms(text: str, new: dict[int, str], place: int) -> list[str]:
                word = text[slice(*reference.tokens(text)[place])]
                found = SYNONYMS.get(word.lower(), [])
                return [one.capitalize() if word[0].isupper() else one for one in found]

            yield name, *reference.attack(text, int(label), reference.deletion_scores, synonyms, True, **asked)
        else:
            proposals = proposals or reference.filled_by(Path(options["model"]), options["most"])
            yield name, *reference.attack(text, int(label), reference.deletion_scores, proposals, True, **asked)


@pytest.mark.parametrize("method", ATTACKS)
@pytest.mark.parametrize("budget", [500, 17])
def test_each_example_becomes_what_the_plain_reference_makes_of_it(
    method: str, budget: int, options: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    split = examples()
    rows, facts = attacked(method, {**options[method], "queries": budget}, split)
    wanted = list(plainly(method, options[method], split, budget=budget))
    made = [
        (name, row["attacked"], row["attack"] == "succeeded", row["changed"], row["queries"])
        for name, row in zip(split.ids, rows, strict=True)
        if row["attack"] != "skipped"
    ]
    assert len(wanted) >= 50 and made == wanted
    succeeded = sum(row[2] for row in wanted)
    assert facts["success_rate"]["value"] == pytest.approx(succeeded / len(wanted))
    assert facts["after"]["value"] == pytest.approx((len(wanted) - succeeded) / len(split))
    assert succeeded > 5 or budget < 20
    assert any(not row[2] for row in wanted) or method == "bae"


@pytest.mark.parametrize("method", ATTACKS)
@pytest.mark.parametrize("budget", [1, 2, 5, 30])
def test_the_budget_is_never_passed(method: str, budget: int, options: dict[str, dict[str, Any]]) -> None:
    victim, split = Victim(), examples(20)
    rows, _ = attacked(method, {**options[method], "queries": budget}, split, victim)
    assert max(row["queries"] for row in rows) <= budget
    assert len(victim.texts) == sum(row["queries"] for row in rows), "each text once, and no other"
    if budget == 1:
        assert [row["attacked"] for row in rows] == list(split.fields["text"])


@pytest.mark.parametrize("method", ATTACKS)
def test_words_that_must_stay_do_and_no_more_are_changed_than_allowed(
    method: str, options: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    split = examples()
    rows, _ = attacked(method, {**options[method], "changed": 0.2, "protect": "film+dull"}, split)
    changed = 0
    for row in rows:
        before, after = row["original"].split(), row["attacked"].split()
        assert len(before) == len(after)
        differing = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
        assert len(differing) == row["changed"] <= max(1, int(0.2 * len(before)))
        for old, _ in differing:
            word = old.strip(".!")
            assert reference.may_change(word) and word.lower() not in ("film", "dull"), old
        changed += len(differing)
        assert row["attack"] != "skipped" or not differing
    assert changed > 20


@pytest.mark.parametrize("method", ATTACKS)
def test_parts_of_the_examples_come_to_the_same(
    method: str, options: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = attacked(method, options[method])
    monkeypatch.setattr(step, "AT_ONCE", 16)
    assert attacked(method, options[method], part=23) == whole


@pytest.mark.parametrize("method", ATTACKS)
def test_what_stands_beside_an_example_changes_nothing(
    method: str, options: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    split = examples()
    rows, _ = attacked(method, options[method], split)
    alone = [attacked(method, options[method], split.select([index]))[0][0] for index in range(0, len(split), 7)]
    assert alone == rows[::7]


def test_a_model_that_names_classes_alone_is_attacked_too(options: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    class Naming(Victim):
        def __call__(self, split: Split) -> Any:
            predicted = super().__call__(split)
            return type(predicted)(predicted.values)

    rows, facts = attacked("textfooler", options["textfooler"], victim=Naming())
    assert 0 < facts["succeeded"] < facts["attacked"]
    assert all(row["prediction"] != row["before"] for row in rows if row["attack"] == "succeeded")


def test_of_a_pair_the_second_text_is_changed_or_the_one_that_is_named(
    options: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    first = examples(12)
    pairs = Split(first.ids, {"premise": first.fields["text"], "hypothesis": first.fields["text"]}, first.labels)
    fields = {"premise": "premise", "hypothesis": "hypothesis", "label": "label"}
    nli = task({"method": "textfooler"}, family="nli", fields=fields).clean
    for name, field in ((None, "hypothesis"), ("premise", "premise")):
        given = {**options["textfooler"], **({"field": name} if name else {})}
        asked_of: list[Split] = []

        class Watched(Victim):
            def __call__(self, split: Split, seen: list[Split] = asked_of) -> Any:
                seen.append(split)
                return super().__call__(split)

        spec = attacked_task(nli, AttackSpec(method="textfooler", options=given))
        asked = Asked(spec, ("negative", "positive"), pairs, Watched(), lambda fraction: None)
        predicted, _ = under_attack(asked, [step.attacked(asked, range(len(pairs)))])
        other = "premise" if field == "hypothesis" else "hypothesis"
        assert all(set(split.fields[other]) <= set(first.fields["text"]) for split in asked_of)
        assert any(set(split.fields[field]) - set(first.fields["text"]) for split in asked_of)
        assert list(predicted.columns["original"]) == list(pairs.fields[field])
    with pytest.raises(HarnessError, match="field text: reviews has no such text, only premise, hypothesis"):
        attacked_task(nli, AttackSpec(method="textfooler", options={**options["textfooler"], "field": "text"}))


@pytest.mark.parametrize(
    ("method", "given", "message"),
    [
        ("textfoler", {}, "unknown attack 'textfoler' in --attack. Did you mean 'textfooler'?"),
        ("typos", {}, "--attack typos: that is noise, not an attack; give --noise typos"),
        ("deepwordbug", {"querys": 3}, "--attack: unknown key 'querys'. Did you mean 'queries'?"),
        ("deepwordbug", {"queries": 0}, "queries"),
        ("deepwordbug", {"changed": "much"}, "changed"),
        ("deepwordbug", {"protect": ["two words"]}, "'two words' is not one word"),
        ("bae", {}, "key 'model' is missing"),
    ],
)
def test_what_cannot_be_is_a_line(method: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError) as error:
        attacked_task(task({"method": "textfooler"}).clean, AttackSpec(method=method, options=given), "--attack")
    assert message in str(error.value) and "\n" not in str(error.value)


def test_an_attack_needs_classes_of_the_task() -> None:
    fields = {"text": "a", "text_pair": "b", "label": "c"}
    similarity = task({"method": "bae"}, family="similarity", fields=fields, labels=None, metrics=["pearson"]).clean
    with pytest.raises(HarnessError, match="answers that are a class of the task, and similarity has others"):
        attacked_task(similarity, AttackSpec(method="deepwordbug"))


def test_the_fingerprint_is_of_the_examples_and_of_how_they_are_attacked(
    options: dict[str, dict[str, Any]], tmp_path: Path, saved: Callable[..., Path]
) -> None:
    split = examples()
    data = TaskData("reviews", "folder", "here", {"dev": split, "train": split}, ("negative", "positive"))
    clean = task({"method": "bae"}).clean

    def part(**given: Any) -> Split:
        spec = AttackSpec(method="textfooler", options={**options["textfooler"], **given})
        return to_be_attacked(data, attacked_task(clean, spec)).splits["dev"]

    few = part(examples=10)
    assert few.clean == split.fingerprint and few.fingerprint == part(examples=10).fingerprint
    assert list(few.ids) == sorted(few.ids, key=split.ids.index) and len(few) == 10
    assert set(few.ids) < set(part(examples=20).ids)
    assert part(examples=10, seed=1).ids != few.ids
    others = [part(examples=10, queries=99), part(examples=10, similarity=0.9), part(examples=10, changed=0.1)]
    assert len({few.fingerprint, *(other.fingerprint for other in others)}) == 4
    elsewhere = tmp_path / "synonyms-elsewhere.tsv"
    elsewhere.write_bytes(Path(options["textfooler"]["synonyms"]).read_bytes())
    assert part(examples=10, synonyms=str(elsewhere)).fingerprint == few.fingerprint, "names are no content"
    elsewhere.write_text("good\tfine\n")
    assert part(examples=10, synonyms=str(elsewhere)).fingerprint != few.fingerprint
    with pytest.raises(HarnessError, match=r"attack bae: model: .* is no folder of a model"):
        attack_identity(AttackSpec(method="bae", options={"model": str(tmp_path)}))


def test_an_encoder_is_a_measure_of_similarity(
    options: dict[str, dict[str, Any]], tmp_path: Path, encoder: Path
) -> None:
    spec = {**options["textfooler"], "encoder": str(encoder)}
    measure = attack_of(AttackSpec(method="textfooler", options=spec)).measure
    same, other = measure.of([("a good film", "a good film"), ("a good film", "the plot of a stale story")])
    assert same == pytest.approx(1) and -1 <= other < 0.999
    rows, facts = attacked("textfooler", {**spec, "similarity": 0.97})
    assert facts["similarity_by"] == "encoder" and str(encoder) in facts["read"]
    fooled = [row for row in rows if row["attack"] == "succeeded"]
    assert fooled and all(row["similarity"] >= 0.97 for row in fooled)


@pytest.fixture(scope="module")
def encoder(options: dict[str, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentence encoder with random weights."""
    from transformers import AutoTokenizer, BertConfig, BertModel

    folder = tmp_path_factory.mktemp("encoder")
    tokenizer = AutoTokenizer.from_pretrained(options["bae"]["model"])
    tokenizer.save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=64,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    assert json.loads((folder / "config.json").read_text())["architectures"] == ["BertModel"]
    return folder
