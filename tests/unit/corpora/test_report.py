"""What a report must find: planted faults, and nothing where there are none."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

from harness.api.corpora import corpus_report
from harness.corpora.reporting.diversity import heaps
from harness.corpora.reporting.facts import CommonLine
from harness.corpora.reporting.label_facts import confident_issues, out_of_fold
from harness.corpora.reporting.reliability import CharacterModel
from harness.corpora.reporting.report import CorpusReport
from harness.corpora.streams.counting import Distinct, Frequent

SUBJECTS = ("The captain", "A teacher", "My neighbour", "Her brother", "The old farmer", "A young doctor", "The pilot")
DEEDS = ("repaired", "painted", "sold", "found", "described", "carried", "washed", "borrowed")
THINGS = ("a boat", "the red bicycle", "an old clock", "three chairs", "the garden gate", "a heavy box", "the window")
TIMES = ("on Monday", "before noon", "last winter", "after the storm", "every spring", "in a hurry", "for the school")


def sentence(draw: random.Random) -> str:
    return f"{draw.choice(SUBJECTS)} {draw.choice(DEEDS)} {draw.choice(THINGS)} {draw.choice(TIMES)}."


def prose(seed: int, sentences: int = 5) -> str:
    draw = random.Random(seed)
    return " ".join(sentence(draw) for _ in range(sentences))


def report_on(path: Path, **settings: object) -> CorpusReport:
    return corpus_report(path, **settings)


def write_lines(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def topics_of(report: CorpusReport) -> dict[str, str]:
    return {one.topic: one.text for one in report.findings if one.weight}


def test_a_clean_corpus_has_nothing_that_stands_out(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "clean.jsonl", [{"text": prose(seed, 12)} for seed in range(200)])
    found = report_on(path)
    assert found.documents == 200
    assert not {"encoding", "personal data", "boilerplate", "gibberish", "languages"} & set(topics_of(found))
    assert found.diversity.languages[0].language == "en"
    assert json.loads(json.dumps(found.as_json(), allow_nan=False))["schema_version"] == 1


def test_planted_faults_are_counted(tmp_path: Path) -> None:
    draw = random.Random(0)
    rows = [{"text": prose(seed, 12), "source": "web", "date": f"20{10 + seed % 5}-01-02"} for seed in range(200)]
    rows += [{"text": rows[at]["text"]} for at in range(20)]
    rows += [{"text": "caf\u00c3\u00a9 " + prose(900 + at, 12)} for at in range(5)]
    rows += [{"text": f"write to jo{at}@example.org. " + prose(950 + at, 12)} for at in range(7)]
    rows += [{"text": "Accept all cookies\n" + prose(1000 + at, 12)} for at in range(9)]
    rows += [{"text": "".join(draw.choices("qxzjkvw0123456789{}$", k=300))} for at in range(4)]
    rows += [{"text": "buy it now and then " * 30}, {"text": ""}]
    found = report_on(write_lines(tmp_path / "dirty.jsonl", rows))
    assert found.labels is None, "where a text is from is no label"
    assert found.consistency.blank_documents == 1
    assert found.consistency.duplicates.exact == 20
    assert found.consistency.encoding.faults == {"mis-decoded": 5}
    assert found.reliability.personal_data.counts == {"email": 7}
    assert "jo1@example.org" not in json.dumps(found.as_json())
    assert found.consistency.boilerplate.most_frequent == [CommonLine(text="Accept all cookies", documents=9)]
    assert found.reliability.gibberish.unlike_the_rest.count >= 3
    assert found.reliability.repetition.documents >= 1
    assert found.reliability.metadata["source"].values == [("web", 200)]
    assert [one[0] for one in found.reliability.metadata["date"].values] == [
        "2010",
        "2011",
        "2012",
        "2013",
        "2014",
    ]


def test_workers_change_nothing(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "some.jsonl", [{"text": prose(seed % 300, 12)} for seed in range(700)])
    assert report_on(path, workers=1).as_json() == report_on(path, workers=2).as_json()


def test_bytes_that_are_no_text_are_counted_not_refused(tmp_path: Path) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes(("\n\n".join(prose(seed) for seed in range(30)) + "\n\ncaf").encode() + b"\xe9 noir\n")
    assert report_on(path).consistency.encoding.faults == {"replaced": 1}


def labelled_folder(folder: Path) -> Path:
    train = [
        (f"{prose(seed, 2)} It was number {seed}.", "positive" if seed >= 30 else "negative") for seed in range(500)
    ]
    test = [(f"{prose(10_000 + seed, 2)} It was number {1000 + seed}.", "positive") for seed in range(300)]
    test += [(train[at][0].upper() if at % 2 else train[at][0], train[at][1]) for at in range(128)]
    for name, rows in (("train", train), ("test", test)):
        body = "".join(f"{text}\t{label}\n" for text, label in rows)
        (folder / f"{name}.tsv").write_text("sentence\tlabel\n" + body, encoding="utf-8")
    return folder


def test_unbalanced_classes_and_test_sentences_among_training_ones_are_said_unasked(tmp_path: Path) -> None:
    found = report_on(labelled_folder(tmp_path))
    texts = [one.text for one in found.findings if one.weight == 2]
    assert any("positive 470, negative 30" in text and "94.0 %" in text for text in texts)
    assert not any("look wrong" in one.text for one in found.findings), "no model tells these classes apart"
    assert any(text.startswith("128 of 428 rows of test (29.9 %) are in train, 64 of them") for text in texts)


def test_splits_in_the_layout_of_the_hub_and_of_save_to_disk_are_found(tmp_path: Path) -> None:
    import datasets

    rows = {
        "sentence": [f"{prose(at, 2)} It was {at}." for at in range(60)],
        "label": [int(at < 20) for at in range(60)],
    }
    features = datasets.Features(
        {"sentence": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])}
    )
    whole = datasets.Dataset.from_dict(rows, features)
    whole.save_to_disk(tmp_path / "saved")
    (tmp_path / "hub" / "data").mkdir(parents=True)
    for split in ("train", "test"):
        whole.to_parquet(tmp_path / "hub" / "data" / f"{split}-00000-of-00001.parquet")
    saved = report_on(tmp_path / "saved").labels
    assert saved is not None and saved.balance["train"].counts == {"bad": 40, "good": 20}
    hub = report_on(tmp_path / "hub").labels
    assert hub is not None and hub.overlap[0].exact_rows == 60


def test_contradictory_duplicates_and_wrong_labels_are_found(tmp_path: Path) -> None:
    draw = random.Random(3)
    rows = []
    for at in range(400):
        good = at % 2 == 0
        text = f"{sentence(draw)} It was {'a lovely wonderful' if good else 'a dreadful awful'} day number {at}."
        rows.append({"text": text, "label": "good" if good else "bad"})
    wrong = [5, 60, 121, 300]
    for at in wrong:
        rows[at]["label"] = "bad" if rows[at]["label"] == "good" else "good"
    rows.append({"text": rows[10]["text"], "label": "bad"})
    found = report_on(write_lines(tmp_path / "noisy.jsonl", rows))
    assert found.labels is not None
    assert found.labels.duplicates["train"].contradictory.texts == 1
    noise = found.labels.label_noise["train"]
    assert noise.suspect == pytest.approx(len(wrong) + 1, abs=3)
    assert {one.place for one in noise.examples[:4]} <= {f"noisy.jsonl:{at + 1}" for at in [*wrong, 10, 400]}


def test_confident_learning_agrees_with_cleanlab() -> None:
    cleanlab = pytest.importorskip("cleanlab.filter", reason="the oracle; pip install cleanlab")
    draw = random.Random(1)
    texts = [f"{sentence(draw)} {'good' if at % 3 else 'bad'} {draw.choice(['fine', 'poor'])}" for at in range(300)]
    classes = np.array([int(at % 3 > 0) if draw.random() > 0.1 else int(at % 3 == 0) for at in range(300)])
    probabilities = out_of_fold(texts, classes, 0)
    theirs = cleanlab.find_label_issues(classes, probabilities, filter_by="confident_learning", n_jobs=1)
    assert np.flatnonzero(theirs).tolist() == confident_issues(classes, probabilities).tolist()
    assert len(np.flatnonzero(theirs)) >= 10


def test_a_task_is_reported_by_its_name() -> None:
    found = corpus_report("sst2", sample=200)
    assert found.labels is not None and set(found.labels.balance) >= {"train", "dev"}
    facts = found.as_json()
    assert facts["labels"]["overlap"][0]["in"] == found.labels.overlap[0].within
    assert "nearest_above_0.8" in facts["diversity"]["self_similarity"] and facts["findings"][0]["text"]
    assert found.labels.overlap[0].plain_rows == 0  # no text is in two splits of the synthetic world


def test_heaps_law_and_distinct_words_are_estimated() -> None:
    law = heaps([(n, 8 * n**0.6) for n in (1_000, 10_000, 100_000)])
    assert law is not None and law.beta == pytest.approx(0.6, abs=1e-3) and law.k == pytest.approx(8, rel=1e-2)
    for count in (100, 5_000, 300_000):
        distinct = Distinct()
        for _ in range(2):
            distinct.add(np.random.default_rng(count).integers(0, 2**32, count, dtype=np.uint64))
        assert distinct.estimate() == pytest.approx(count, rel=0.03)


def test_frequent_values_stay_within_their_stated_error() -> None:
    frequent = Frequent(capacity=50)
    draw = random.Random(0)
    for _ in range(200):
        frequent.update({"often": 3, **{str(draw.randrange(10_000)): 1 for _ in range(20)}})
    assert len(frequent.counts) <= 50
    assert 600 - frequent.error <= frequent.counts["often"] <= 600


def test_a_model_of_characters_sums_to_one() -> None:
    model = CharacterModel()
    model.learn("abracadabra, abracadabra")
    letters = sorted(model._letters)
    total = sum(
        2 ** -(len(f"abra{letter}") * model.bits(f"abra{letter}") - 4 * model.bits("abra")) for letter in letters
    )
    unseen = 2 ** -(5 * model.bits("abra#") - 4 * model.bits("abra"))
    assert total + unseen == pytest.approx(1.0, abs=1e-9)
