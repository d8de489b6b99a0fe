"""Tasks of mteb: each kind against the package's own score, with one encoder on one set of data."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.libraries import ANSWER, VALUES
from tests.tools import WORDS, sentence

pytest.importorskip("mteb")

from harness.libraries import mteb, mteb_tasks
from harness.libraries.mteb_kinds import KINDS, kind_of
from harness.libraries.mteb_metrics import metric_of

SIZE = 16


def embed(texts: Sequence[str], purposes: Sequence[str] = ()) -> np.ndarray:
    """Texts of like words have like vectors, of unlike lengths."""
    of_word = {}
    for word in WORDS:
        seed = int(hashlib.md5(word.encode()).hexdigest()[:8], 16)
        of_word[word] = np.random.default_rng(seed).normal(size=SIZE)
    rows = [sum((of_word[word] for word in text.split() if word in of_word), np.zeros(SIZE)) for text in texts]
    return np.asarray(rows, dtype=np.float32)


def sts(task: Any, draw: random.Random) -> None:
    from datasets import Dataset

    rows = [(first := sentence(draw), first if draw.random() < 0.2 else sentence(draw)) for _ in range(60)]
    scores = [float(draw.randint(0, 5)) for _ in rows]
    columns = zip(*rows, strict=True)
    first, second = columns
    task.dataset = {"test": Dataset.from_dict({"sentence1": first, "sentence2": second, "score": scores})}


def pairs(task: Any, draw: random.Random) -> None:
    from datasets import Dataset

    first = [sentence(draw) for _ in range(60)]
    second = [text if draw.random() < 0.3 else sentence(draw) for text in first]
    labels = [int(draw.random() < (0.8 if one == other else 0.3)) for one, other in zip(first, second, strict=True)]
    task.dataset = {"test": Dataset.from_dict({"sentence1": first, "sentence2": second, "labels": labels})}


def classes(task: Any, draw: random.Random) -> None:
    from datasets import Dataset, DatasetDict

    def split(count: int) -> Any:
        labels = [draw.randrange(3) for _ in range(count)]
        texts = [f"{sentence(draw)} {WORDS[label]}" for label in labels]
        return Dataset.from_dict({"text": texts, "label": labels})

    task.dataset = DatasetDict({"train": split(60), "test": split(40)})


def clusters(task: Any, draw: random.Random) -> None:
    from datasets import Dataset

    labels = [draw.randrange(4) for _ in range(80)]
    texts = [f"{WORDS[label]} {WORDS[label]} {sentence(draw)}" for label in labels]
    task.max_fraction_of_documents_to_embed, task.max_document_to_embed = None, 60
    task.max_documents_per_cluster, task.n_clusters = 30, 5
    task.dataset = {"test": Dataset.from_dict({"sentences": texts, "labels": labels})}


def sets(task: Any, draw: random.Random) -> None:
    from datasets import Dataset

    labels = [[draw.randrange(3) for _ in range(20)] for _ in range(4)]
    labels.append([1] * 10)
    texts = [[f"{WORDS[label]} {sentence(draw)}" for label in of_set] for of_set in labels]
    task.dataset = {"test": Dataset.from_dict({"sentences": texts, "labels": labels})}


def bitext(task: Any, draw: random.Random) -> None:
    from datasets import Dataset

    first = [sentence(draw) for _ in range(40)]
    second = [" ".join([*text.split()[1:], draw.choice(WORDS)]) for text in first]
    task.dataset = {"test": Dataset.from_dict({"sentence1": first, "sentence2": second})}


def summaries(task: Any, draw: random.Random) -> None:
    from datasets import Dataset

    rows = {
        "text": [sentence(draw) for _ in range(12)],
        "human_summaries": [[sentence(draw) for _ in range(3)] for _ in range(12)],
        "machine_summaries": [[sentence(draw) for _ in range(6)] for _ in range(12)],
        "relevance": [[3.0] * 6 if at == 4 else [float(draw.randint(1, 5)) for _ in range(6)] for at in range(12)],
    }
    task.dataset = {"test": Dataset.from_dict(rows)}


def search(task: Any, draw: random.Random, ranked: bool = False) -> None:
    from datasets import Dataset

    documents = {f"d{at}": sentence(draw) for at in range(50)}
    queries = {f"q{at}": sentence(draw) for at in range(15)}
    relevant = {
        key: {name: draw.randint(0, 2) for name in draw.sample(sorted(documents), 5)} for key in queries if key != "q3"
    }
    top = {key: draw.sample(sorted(documents), 12) + list(relevant.get(key, ())) for key in queries} if ranked else None
    task.dataset = {
        "default": {
            "test": {
                "corpus": Dataset.from_list(
                    [{"id": key, "text": text, "title": ""} for key, text in documents.items()]
                ),
                "queries": Dataset.from_list([{"id": key, "text": text} for key, text in queries.items()]),
                "relevant_docs": relevant,
                "top_ranked": top,
            }
        }
    }


def reranking(task: Any, draw: random.Random) -> None:
    search(task, draw, ranked=True)


MADE = {
    "MockSTSTask": (sts, "cosine_spearman"),
    "MockPairClassificationTask": (pairs, "max_ap"),
    "MockClassificationTask": (classes, "accuracy"),
    "MockMultilingualClusteringFastTask": (clusters, "v_measure"),
    "Sets": (sets, "v_measure"),
    "MockBitextMiningTask": (bitext, "f1"),
    "MockSummarizationTask": (summaries, "cosine_spearman"),
    "MockRetrievalTask": (search, "ndcg_at_10"),
    "MockRerankingTask": (reranking, "map_at_1000"),
}


@pytest.fixture
def known(monkeypatch: Any) -> dict[str, Any]:
    """A task of each kind in the place of mteb's own, with data that is made."""
    import mteb.mocks.mock_tasks as mocks
    from mteb.abstasks.clustering_legacy import AbsTaskClusteringLegacy

    made = {}
    for name, (data, main) in MADE.items():
        base = getattr(mocks, name, None)
        metadata = (base or mocks.MockMultilingualClusteringFastTask).metadata
        metadata = metadata.model_copy(
            update={"name": name, "main_score": main, "eval_langs": ["eng-Latn"], "eval_splits": ["test"]}
        )

        def load_data(self: Any, data: Any = data, **settings: Any) -> None:
            data(self, random.Random(7))
            self.data_loaded = True

        made[name] = type(name, (base or AbsTaskClusteringLegacy,), {"metadata": metadata, "load_data": load_data})
    monkeypatch.setattr(mteb_tasks, "classes", lambda: made)
    return made


def evaluated(name: str, limit: int | None = None) -> tuple[Any, list[dict[str, Any]], float]:
    task = mteb_tasks.spec_of(name)
    count = len(mteb_tasks.examples(task, "test", limit).texts)
    values, main = mteb_tasks.evaluate(task, "test", count, embed)
    assert len(values) == count
    return task, values, main


def outcomes(values: Sequence[dict[str, Any]]) -> list[str]:
    return [json.dumps({ANSWER: "", VALUES: row}) for row in values]


@pytest.mark.parametrize("name", MADE)
def test_the_score_of_a_task_is_mtebs_own(known: dict[str, Any], name: str) -> None:
    task, values, main = evaluated(name)
    own_task = known[name]()
    own_task.load_data()
    own = own_task.evaluate(mteb_tasks.Encoder(embed), "test", encode_kwargs={})["default"]
    assert main == own["main_score"] and 0.02 < abs(main) < 0.98, "the data asks something"
    for metric in task.metrics:
        score = metric_of(metric.partition(":")[2], "mteb").score(outcomes(values), None)
        assert score == pytest.approx(own[metric.partition(":")[2]], abs=1e-9), metric


@pytest.mark.parametrize("name", MADE)
def test_an_interval_is_of_scores_of_samples_of_the_examples(known: dict[str, Any], name: str) -> None:
    task, values, _ = evaluated(name)
    rows = np.asarray(outcomes(values), dtype=object)
    draws = np.random.default_rng(0).integers(0, len(rows), (5, len(rows)))
    weights = np.stack([np.bincount(row, minlength=len(rows)) for row in draws]).astype(float)
    for called in task.metrics:
        metric = metric_of(called.partition(":")[2], "mteb")
        by_weights = metric.resample.prepare(rows, rows)(weights)  # type: ignore[union-attr]
        one_by_one = [float(metric.compute(rows[row], rows[row])) for row in draws]
        rounding = 1e-5 if "_at_" in called else 1e-9
        assert by_weights == pytest.approx(one_by_one, abs=rounding), called


@pytest.mark.parametrize("name", [name for name in MADE if "ClusteringFast" not in name])
def test_the_first_examples_alone_are_scored_as_mteb_scores_them_alone(known: dict[str, Any], name: str) -> None:
    count = 3 if name == "Sets" else 10
    task, values, main = evaluated(name, count)
    assert len(values) == count
    score = metric_of(task.primary_metrics[0].partition(":")[2], "mteb").score(outcomes(values), None)
    assert score == pytest.approx(main, abs=1e-9)


def test_a_task_that_draws_samples_takes_no_first_examples(known: dict[str, Any]) -> None:
    task = mteb_tasks.spec_of("MockMultilingualClusteringFastTask")
    with pytest.raises(HarnessError, match="draws its own samples"):
        mteb_tasks.examples(task, "test", 5)


def test_evaluating_leaves_the_generators_of_numbers_as_they_were(known: dict[str, Any]) -> None:
    import torch

    random.seed(3), np.random.seed(3), torch.manual_seed(3)
    expected = random.random(), np.random.random(), float(torch.rand(1))
    random.seed(3), np.random.seed(3), torch.manual_seed(3)
    evaluated("MockMultilingualClusteringFastTask")
    assert (random.random(), np.random.random(), float(torch.rand(1))) == expected


@pytest.mark.parametrize(
    "outcome",
    ["1.5", "[]", '{"values": 3}', '{"values": {}}', '{"values": {"other": 1}}', '{"answer": "x"}', "nothing"],
)
def test_predictions_that_are_no_outcomes_are_refused_in_a_line(outcome: str) -> None:
    with pytest.raises(HarnessError, match="metric mteb:cosine_spearman: "):
        metric_of("cosine_spearman", "mteb").score([outcome, outcome], None)


def test_every_text_task_of_the_package_can_be_asked_for_or_says_why_not() -> None:
    reasons: dict[str | None, int] = {}
    for task in mteb_tasks.classes().values():
        reason = mteb_tasks.refusal(task)
        reasons[reason] = reasons.get(reason, 0) + 1
    assert reasons[None] > 1000
    assert {kind for task in mteb_tasks.classes().values() if (kind := kind_of(task))} == set(KINDS.values())


def test_names_are_those_of_mteb() -> None:
    assert mteb.LIBRARY.task("STSBenchmark", None).metrics == ["mteb:cosine_spearman", "mteb:cosine_pearson"]
    assert mteb.LIBRARY.group("STSBenchmark", None) is None
    group = mteb.LIBRARY.group("STS17", None)
    assert group is not None and "mteb:STS17/en-en" in group.tasks and group.tasks == group.average
    assert mteb.LIBRARY.group("STS17/en-en", None) is None
    listed = {item.name: item for item in mteb.LIBRARY.names()}
    assert listed["STS17"].kind == "group" and listed["STSBenchmark"].asks == "STS"


@pytest.mark.parametrize(
    ("name", "shots", "message"),
    [
        ("STSBenchmrk", None, "unknown task 'mteb:STSBenchmrk'. Did you mean 'mteb:STSBenchmark'?"),
        ("STS17/en-en-en", None, "unknown subset 'en-en-en' in mteb:STS17/en-en-en. Did you mean"),
        ("STS17", None, "has 11 subsets"),
        ("STSBenchmark", 3, "leave @3-shot out"),
    ],
)
def test_a_name_that_is_none_is_refused_in_a_line(name: str, shots: int | None, message: str) -> None:
    with pytest.raises(HarnessError) as raised:
        mteb.LIBRARY.task(name, shots)
    assert message in str(raised.value)


def written(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    draw = random.Random(1)
    rows = [
        {"sentence1": sentence(draw), "sentence2": sentence(draw), "score": draw.random() * 5} for _ in range(count)
    ]
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.parametrize("place", ["mteb/stsbenchmark-sts", "stsbenchmark-sts", "STSBenchmark", "."])
def test_data_of_a_task_is_read_from_a_folder(tmp_path: Path, monkeypatch: Any, place: str) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    written(tmp_path / "data" / place, 8)
    task = mteb.LIBRARY.read_from(mteb.LIBRARY.task("STSBenchmark", None), str(tmp_path / "data"))
    reading = mteb.SOURCE.read(task, "", ["test"], None)
    assert len(reading.tables["test"]) == 8 and reading.location == str(tmp_path / "data")
    before = mteb.SOURCE.state(task, "")
    (tmp_path / "data" / place / "test.jsonl").write_text("")
    assert mteb.SOURCE.state(task, "") != before
    assert datasets.load.load_dataset.__module__ == "datasets.load", "what reads data is put back"


def test_prompts_are_looked_for_as_mteb_does() -> None:
    from mteb.models.abs_encoder import get_prompt_name
    from mteb.types import PromptType

    metadata = mteb_tasks.class_of("NFCorpus").metadata
    for role in (None, PromptType.query, PromptType.document):
        names = mteb_tasks.purposes(metadata.name, metadata.type, role and role.value)
        assert "NFCorpus" in names and None not in names
        while names:
            theirs = get_prompt_name(dict.fromkeys(names, "text"), metadata, role)
            assert theirs == names[0] or names[0] in ("passage", "corpus")
            names = names[1:]


def test_a_folder_without_data_of_the_task_is_refused_in_a_line(tmp_path: Path) -> None:
    task = mteb.LIBRARY.read_from(mteb.LIBRARY.task("STSBenchmark", None), str(tmp_path))
    with pytest.raises(HarnessError, match="holds no data of mteb:STSBenchmark, neither as mteb/stsbenchmark-sts nor"):
        mteb_tasks.load(task)
