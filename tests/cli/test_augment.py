"""Augmentation in runs: what is trained on, what is recorded, what is a part of the key, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.command_line import Harness
from tests.conftest import read_json

TINY = {
    "learner": "transformer",
    "config": {
        "model_type": "bert", "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
        "intermediate_size": 64, "max_position_embeddings": 64,
    },
    "tokenizer": {"kind": "wordpiece", "vocab_size": 400, "corpus": "task"},
}  # fmt: skip


def recipe(folder: Path, name: str, augment: Any = None, epochs: float = 2, **values: Any) -> Path:
    training = {"epochs": epochs, "learning_rate": 0.002, **({} if augment is None else {"augment": augment})}
    values = values or {"learner": "tfidf"}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({"name": name, "training": training, **values}), encoding="utf-8")
    return path


def fits(folder: Path, results: str = "results") -> dict[str, dict[str, Any]]:
    """The records of fine-tuning by the names of their models."""
    plans = [read_json(path.read_text()) for path in folder.glob(f"{results}/cells/*/*/record.json")]
    return {record["cell"]: record for record in plans if record["kind"] == "finetune"}


def run(harness: Harness, *arguments: object, code: int | None = 0) -> Any:
    return harness("run", "--limit", "60", *arguments, code=code)


def test_the_record_counts_what_was_made_and_training_differs(harness: Harness, tmp_path: Path) -> None:
    plain = recipe(tmp_path, "plain")
    augmented = recipe(tmp_path, "augmented", {"copies": 3, "operations": ["swap", {"delete": {"rate": 0.3}}, "typos"]})
    run(harness, "--task", "sst2", "--model", plain, "--model", augmented, "--seeds", "2")
    records = list(fits(tmp_path).values())
    without = [record for record in records if "augment" not in record["fit"]]
    made = [record for record in records if "augment" in record["fit"]]
    assert len(without) == 1 and len(made) == 2, "what is drawn makes a fit of tfidf depend on the seed"
    for record in made:
        facts = record["fit"]["augment"]
        assert facts["examples"] == record["data"]["trained_on"] == 60 and facts["each"] == "once"
        assert facts["augmented"] + facts["unchanged"] + facts["refused"] == 180 and facts["augmented"] > 100
        assert set(facts["by_operation"]) == {"swap", "delete", "typos"}
        assert record["fit"]["vocabulary"] > without[0]["fit"]["vocabulary"]
    assert made[0]["fit"]["vocabulary"] != made[1]["fit"]["vocabulary"]


def test_the_scored_split_is_as_it_was(harness: Harness, tmp_path: Path) -> None:
    run(harness, "--task", "sst2", "--model", recipe(tmp_path, "noisy", "noise"), "--model", "majority")
    records = [read_json(path.read_text()) for path in tmp_path.glob("results/cells/*/*/record.json")]
    fingerprints = {record["data"]["fingerprint"] for record in records if record["kind"] == "score"}
    assert len(fingerprints) == 1


def keys(harness: Harness, *models: Path, task: str = "sst2", extra: tuple[str, ...] = ()) -> list[str]:
    planned = run(
        harness,
        "--task",
        task,
        *(part for model in models for part in ("--model", model)),
        "--dry-run",
        "--json",
        *extra,
    )
    cells = json.loads(planned.stdout)["cells"]
    return [cell["cell"] for cell in cells if cell["kind"] == "finetune"]


def test_an_option_and_the_content_of_a_file_change_the_key_and_nothing_else_does(
    harness: Harness, tmp_path: Path
) -> None:
    words = tmp_path / "words.tsv"
    words.write_text("film\tmovie\n")
    sections: list[Any] = [
        None,
        {"operations": [{"delete": {"rate": 0.1}}]},
        {"operations": [{"delete": {"rate": 0.2}}]},
        {"operations": [{"delete": {"rate": 0.1}}], "copies": 2},
        {"operations": [{"synonyms": {"synonyms": str(words)}}]},
    ]
    models = [recipe(tmp_path, f"m{number}", section) for number, section in enumerate(sections)]
    first = keys(harness, *models)
    assert len(set(first)) == len(sections)
    assert keys(harness, recipe(tmp_path, "same", sections[1])) == [first[1]]
    words.write_text("film\tpicture\n")
    changed = keys(harness, *models)
    assert changed[:4] == first[:4] and changed[4] != first[4]


def test_each_epoch_can_have_rows_of_its_own(harness: Harness, tmp_path: Path) -> None:
    how = {"operations": ["swap", "typos"], "keep_original": False}
    once = recipe(tmp_path, "once", how, epochs=2.5, **TINY)
    fresh = recipe(tmp_path, "fresh", how | {"each": "epoch"}, epochs=2.5, **TINY)
    plain = recipe(tmp_path, "plain", epochs=2.5, **TINY)
    run(harness, "--task", "sst2", "--model", once, "--model", fresh, "--model", plain, "--results", "one")
    records = {record["fit"].get("augment", {}).get("each"): record for record in fits(tmp_path, "one").values()}
    assert {record["fit"]["steps"] for record in records.values()} == {5}
    assert len({record["fit"]["loss"] for record in records.values()}) == 3
    assert {record["fit"]["vocabulary"] for record in records.values()} == {records[None]["fit"]["vocabulary"]}


@pytest.mark.slow
def test_weights_are_the_same_at_any_number_of_workers(
    harness: Harness, harness_process: Harness, tmp_path: Path
) -> None:
    how = {"operations": ["swap", "typos"], "each": "epoch", "copies": 2}
    asked = (
        "run",
        "--limit",
        "60",
        "--task",
        "sst2",
        "--model",
        recipe(tmp_path, "fresh", how, **TINY),
        "--seeds",
        "2",
    )
    harness(*asked, "--results", "here")
    harness_process(*asked, "--results", "there", "--workers", "2", "--threads", "1")
    here, there = fits(tmp_path, "here"), fits(tmp_path, "there")
    assert len(here) == 2 and here.keys() == there.keys()
    assert all(here[key]["files"] == there[key]["files"] for key in here)


@pytest.mark.parametrize(
    ("task", "augment", "values", "message"),
    [
        ("cola", {"operations": ["swap"]}, {}, "the label of cola is about the form of a text"),
        ("rte", {"operations": ["delete"]}, {}, "can become another; leave it out, or set unsafe: true"),
        ("sst2", {"operations": ["swap"], "each": "epoch"}, {}, "tfidf does not train in epochs"),
        ("sst2", {"operations": ["swap"]}, {"learner": "majority"}, "majority learns nothing of texts"),
        ("sst2", {"operations": [{"synonyms": {"synonyms": "none.tsv"}}]}, {}, "synonyms 'none.tsv': no such file"),
        ("sst2", {"operations": ["swop"]}, {}, "training.augment. Did you mean 'swap'?"),
        ("sst2", {"operations": [{"swap": {"rate": 2}}]}, {}, "training.augment: swap: rate: input should be"),
        ("sst2", "edda", {}, "training.augment: unknown preset 'edda'. Did you mean 'eda'?"),
        ("sst2", {"operations": "swap"}, {}, "a list of operations is expected"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    harness: Harness, tmp_path: Path, task: str, augment: Any, values: dict[str, Any], message: str
) -> None:
    done = run(harness, "--task", task, "--model", recipe(tmp_path, "wrong", augment, **values), code=2)
    [line] = done.stderr.strip().splitlines()
    assert message in line and not list(tmp_path.glob("results/cells/*/*"))


def test_in_a_suite_a_task_that_cannot_be_augmented_is_left_out_with_the_reason(
    harness: Harness, tmp_path: Path
) -> None:
    done = run(
        harness, "--task", "sst2", "--task", "rte", "--model", recipe(tmp_path, "swapped", {"operations": ["swap"]})
    )
    assert "not applicable: " in done.stderr and "on rte: augment: swap changes words" in done.stderr


def test_unsafe_operations_are_done_and_told_of(harness: Harness, tmp_path: Path) -> None:
    done = run(
        harness, "--task", "rte", "--model", recipe(tmp_path, "daring", {"operations": ["swap"], "unsafe": True})
    )
    assert "augmented with swap, which changes words" in done.stdout


def test_a_model_card_says_what_was_made_of_the_examples(harness: Harness, tmp_path: Path) -> None:
    run(harness, "--task", "sst2", "--model", recipe(tmp_path, "noisy", {"preset": "noise", "copies": 2}))
    harness("export", "model-card", "noisy", "-o", "card.md")
    assert "60, augmented by typos, case, punctuation: 120 copies" in (tmp_path / "card.md").read_text(encoding="utf-8")


def test_operations_are_listed(harness: Harness) -> None:
    rows = json.loads(harness("list", "augmentations", "--json").stdout)
    assert {row["name"]: row["changes"] for row in rows}["contractions"] == "style"
    assert all(row["description"] for row in rows) and len(rows) >= 12


OWN = '''
from harness.core.plugins import register
from harness.data.augment.base import TextOperation

class Shout(TextOperation):
    """An exclamation mark more."""

    changes = "punctuation"

    def apply(self, text, draws):
        return text.text + "!"

register("augmentation", "shout", Shout)
'''


def test_an_operation_of_ones_own_is_a_plug_in_whose_code_is_part_of_the_key(harness: Harness, tmp_path: Path) -> None:
    plugin = tmp_path / "shout.py"
    plugin.write_text(OWN)
    model = recipe(tmp_path, "own", {"operations": ["shout"]})
    run(harness, "--task", "sst2", "--model", model, "--include", plugin)
    [record] = fits(tmp_path).values()
    assert record["fit"]["augment"]["by_operation"] == {"shout": 60}
    before = keys(harness, model, extra=("--include", str(plugin)))
    plugin.write_text(OWN.replace('"!"', '"!!"'))
    assert keys(harness, model, extra=("--include", str(plugin))) != before


def test_augment_shows_examples_beside_their_copies_and_writes_what_would_be_trained_on(
    harness: Harness, tmp_path: Path
) -> None:
    asked = ("augment", "sst2", "--operations", "eda-no-synonyms", "--limit", "20", "--show", "2", "-o", "rows.jsonl")
    done = harness(*asked)
    assert done.stdout.count("by ") >= 2 and "swap" in done.stdout and "20 examples, 80 copies: " in done.stdout
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert len(rows) == 100 and rows[0]["id"] == rows[0]["of"] and rows[0]["by"] == []
    assert rows[1]["of"] == rows[0]["id"] and rows[1]["label"] == rows[0]["label"] in ("negative", "positive")
    written = (tmp_path / "rows.jsonl").read_bytes()
    assert json.loads(harness(*asked, "--json").stdout)["augmented"] == sum(bool(row["by"]) for row in rows)
    assert (tmp_path / "rows.jsonl").read_bytes() == written
    other = harness(*asked[:-1], "other.jsonl", "--seed", "1")
    assert other.returncode == 0 and (tmp_path / "other.jsonl").read_text() != (tmp_path / "rows.jsonl").read_text()


def test_what_augment_writes_is_what_a_run_trains_on(harness: Harness, tmp_path: Path) -> None:
    model = recipe(tmp_path, "augmented", {"copies": 2, "operations": ["swap", "typos"]})
    facts = json.loads(harness("augment", "sst2", "--model", model, "--limit", "60", "--seed", "1", "--json").stdout)
    run(harness, "--task", "sst2", "--model", model, "--first-seed", "1")
    [record] = fits(tmp_path).values()
    assert {name: facts[name] for name in record["fit"]["augment"]} == record["fit"]["augment"]


def test_files_of_text_and_of_labelled_data_are_augmented_as_well(harness: Harness, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("One text that is long enough.\n\nAnother text that is long.\n")
    (tmp_path / "pairs.csv").write_text("sentence1,sentence2,label\nIt is not good.,It isn't good.,same\n")
    (tmp_path / "how.yaml").write_text("operations: [contractions]\nkeep_original: false\n")
    texts = json.loads(harness("augment", "texts.txt", "--operations", "aeda", "--json").stdout)
    assert texts["examples"] == texts["augmented"] == 2
    harness("augment", "pairs.csv", "--operations", "how.yaml", "-o", "pairs.jsonl", "--quiet")
    [row] = [json.loads(line) for line in (tmp_path / "pairs.jsonl").read_text().splitlines()]
    assert row["label"] == "same" and "It is not good." in (row["text"], row["text_pair"])
    refused = harness("augment", "pairs.csv", "--operations", "eda-no-synonyms", code=2)
    assert "the label of a pair of texts" in refused.stderr


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("sst2",), "give either operations"),
        (("sst2", "--operations", "aeda", "--model", "tfidf"), "give either operations"),
        (("sst2", "--model", "tfidf"), "model tfidf: its training has no augment"),
        (("sst2", "--operations", "aedda"), "unknown preset 'aedda' in --operations. Did you mean 'aeda'?"),
        (("sst3", "--operations", "aeda"), "unknown task 'sst3'. Did you mean 'sst2'?"),
        (("./none", "--operations", "aeda"), "no such file or folder: ./none"),
        (("cola", "--operations", "aeda"), "cola: augment: aeda changes punctuation"),
        (("sst2", "--operations", "aeda", "-o", "none/rows.jsonl"), "cannot write none/rows.jsonl"),
    ],
)
def test_augment_says_in_a_line_what_is_wrong(
    harness: Harness, tmp_path: Path, asked: tuple[str, ...], message: str
) -> None:
    done = harness("augment", *asked, code=2)
    assert message in done.stderr and len(done.stderr.strip().splitlines()) == 1 and not list(tmp_path.glob("*.jsonl"))
