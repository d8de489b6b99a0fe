"""Models behind an OpenAI-compatible server on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.core.store import Store
from tests.completions_server import CompletionsServer, failure, serving
from tests.unit.modeling.endpoint.conftest import gpt, tokenizer

FEW = ("--limit", "12")
SHOTS = ("--task", "sst2@1-shot", *FEW)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> CompletionsServer:
    monkeypatch.setattr("harness.modeling.endpoint.client.FIRST_PAUSE", 0.001)
    return CompletionsServer(gpt(), tokenizer(False))


@pytest.fixture
def url(server: CompletionsServer) -> Iterator[str]:
    with serving(server) as address:
        yield address


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint"
    gpt().save_pretrained(folder)
    tokenizer(False).save_pretrained(folder)
    return folder


def scores(folder: Path) -> dict[str, list[dict]]:
    """The records of scores by model."""
    store, by_model = Store(folder / "results"), {}
    for key in list(store.keys()):
        record = store.read(key).as_json()
        by_model.setdefault(record["model"]["learner"], []).append(record)
    return by_model


def logits(folder: Path, record: dict, column: str) -> list:
    import pyarrow.parquet as pq

    return (
        pq.read_table(Store(folder / "results").file(record["cell"], "predictions.parquet")).column(column).to_pylist()
    )


def test_scores_by_likelihood_are_those_of_the_checkpoint(harness, server, url, checkpoint, tmp_path):
    tasks = ("--task", "sst2@1-shot", "--task", "rte@0-shot", *FEW)
    done = harness("run", *tasks, "--model", f"openai:{url}#tiny", "--model", str(checkpoint))
    assert "4 done" in done.stderr and "remote and not pinned" in done.stdout
    by_learner = scores(tmp_path)
    for served, own in zip(
        *(sorted(by_learner[name], key=lambda record: record["task"]["name"]) for name in ("endpoint", "transformer")),
        strict=True,
    ):
        values = {metric: score["value"] for metric, score in own["scores"].items()}
        assert {metric: score["value"] for metric, score in served["scores"].items()} == pytest.approx(values, abs=1e-4)
        for ours, theirs in zip(logits(tmp_path, own, "logits"), logits(tmp_path, served, "logits"), strict=True):
            assert theirs == pytest.approx(ours, abs=1e-3, rel=1e-4)
        assert served["decoding"]["scored_by"] == "likelihood" and served["lineage"]["remote"] == "remote, not pinned"
        assert url not in json.dumps(served)


def test_whole_texts_last_words_and_pairs_are_scored_as_the_checkpoint_is(harness, url, checkpoint, tmp_path):
    (tmp_path / "tasks").mkdir()
    (tmp_path / "texts.csv").write_text("text\nthe old stone house\na small bird sings\n")
    (tmp_path / "pairs.csv").write_text("good,bad\nthe old house,house old the\na bird,bird a\n")
    for name, family, fields, metric in (
        ("texts", "language-modeling", "{text: text}", "bits_per_byte"),
        ("words", "last-word", "{text: text}", "last_word_perplexity"),
        ("pairs", "minimal-pairs", "{good: good, bad: bad}", "pair_accuracy"),
    ):
        file = tmp_path / ("pairs.csv" if name == "pairs" else "texts.csv")
        (tmp_path / "tasks" / f"{name}.yaml").write_text(
            f"name: {name}\nfamily: {family}\nfields: {fields}\nmetrics: [{metric}]\nreading: {{source: {file}, test: {file}}}\neval: [test]\n"
        )
    asked = ("--include", str(tmp_path / "tasks"), "--task", "texts", "--task", "words", "--task", "pairs")
    harness("evaluate", f"openai:{url}#tiny", str(checkpoint), *asked)
    by_learner = scores(tmp_path)
    values = {
        learner: {record["task"]["name"]: next(iter(record["scores"].values()))["value"] for record in records}
        for learner, records in by_learner.items()
    }
    assert set(values["endpoint"]) == {"texts", "words", "pairs"}
    assert values["endpoint"] == pytest.approx(values["transformer"], rel=1e-4)


def test_a_resumed_run_asks_nothing_twice(harness, server, url, tmp_path):
    broken_at = 20
    (tmp_path / "slow.yaml").write_text(
        f"name: slow\nlearner: endpoint\noptions: {{url: {url}, model: tiny, concurrency: 1}}\n"
    )
    asked = ("run", *SHOTS, "--model", "slow.yaml")
    server.faults = lambda number, body: failure(400, "no more") if number >= broken_at and body.get("echo") else None
    failed = harness(*asked, code=2)
    assert "refuses a request (400): no more" in failed.stderr
    answered = {body["prompt"] for body in server.requests[: broken_at - 1] if body.get("echo")}
    server.faults = lambda number, body: None
    server.requests.clear()
    harness(*asked)
    again = {body["prompt"] for body in server.requests if "Sentence" in body["prompt"] or "sentence" in body["prompt"]}
    assert again and not again & answered
    server.requests.clear()
    assert "1 cached" in harness(*asked).stderr


def test_other_answers_of_the_server_about_its_model_make_another_cell(harness, server, url):
    asked = ("run", *SHOTS, "--model", f"openai:{url}#tiny")
    harness(*asked)
    assert "1 cached" in harness(*asked).stderr
    server.listed = {"root": "another"}
    assert "1 done" in harness(*asked).stderr


def test_a_model_that_changes_while_a_run_is_at_it_fails_its_cells(harness, server, url):
    seen = []
    reply = server.reply

    def changing(path, body, headers):
        if path == "/v1/models":
            seen.append(path)
            server.listed = {"root": f"state-{min(len(seen), 2)}"}
        return reply(path, body, headers)

    server.reply = changing
    failed = harness("run", *SHOTS, "--model", f"openai:{url}#tiny", code=2)
    assert "what it serves as tiny changed since the run was planned" in failed.stderr


def test_without_log_probabilities_answers_are_matched_in_texts(harness, server, url, tmp_path):
    server.echoes = False
    server.write = lambda prompt: " Positive.\n\nAnd so on" if "good" in prompt else " I cannot tell"
    done = harness("run", "--task", "sst2@0-shot", *FEW, "--model", f"openai:{url}#tiny")
    assert "scored by text" in done.stdout
    record = scores(tmp_path)["endpoint"][0]
    assert record["decoding"]["scored_by"] == "text" and "begins with" in record["decoding"]["matching"]
    texts, predicted, labels = (logits(tmp_path, record, name) for name in ("text", "prediction", "label"))
    unmatched = [row for row, text in enumerate(texts) if "cannot" in text]
    assert record["decoding"]["unmatched"] == len(unmatched) > 0
    assert all(predicted[row] != labels[row] for row in unmatched)
    assert all(predicted[row] == 1 for row in range(len(texts)) if row not in unmatched)


def test_tasks_of_likelihood_alone_are_left_out_without_log_probabilities(harness, server, url):
    server.echoes = False
    failed = harness("evaluate", f"openai:{url}#tiny", "--task", "wikitext", code=2)
    assert "needs log-probabilities of texts" in failed.stderr


def test_a_server_that_drops_log_probabilities_midway_fails_the_cell_alone(harness, server, url):
    def dropping(number: int, body: dict):
        server.echoes = number < 15
        return None

    server.faults = dropping
    failed = harness("run", *SHOTS, "--model", f"openai:{url}#tiny", "--model", "majority", "--task", "sst2", code=1)
    assert "though it did when it was asked first" in failed.stderr and "2 done" in failed.stderr


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("openai:http://127.0.0.1:9#tiny", "endpoint http://127.0.0.1:9: asked 2 times without an answer"),
        ("openai:{url}#tinny", "Did you mean 'tiny'?"),
        ("openai:{url}", "behind the address comes what the server calls the model"),
        ("openai:localhost#tiny", "give the address of a server"),
        ("openai:http://me:word@127.0.0.1#tiny", "an address holds no user, password or query"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_line(harness, url, model, message):
    failed = harness("run", *SHOTS, "--model", model.format(url=url), code=2)
    assert message in failed.stderr and "Traceback" not in failed.stderr


def test_an_untrained_model_is_not_asked_as_a_trained_one(harness, url):
    failed = harness("run", "--task", "sst2", *FEW, "--model", f"openai:{url}#tiny", code=2)
    assert "show it examples instead: sst2@0-shot" in failed.stderr
    failed = harness("run", "--task", "sst2@0-shot", *FEW, "--model", f"openai:{url}#tiny", "--compress", "int8")
    assert "only transformers are compressed, not endpoint" in failed.stderr


def test_a_key_is_in_no_file(harness, server, url, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    server.key = "sk-very-secret"
    harness("run", *SHOTS, "--model", f"openai:{url}#tiny")
    server.key = "sk-another"
    failed = harness("run", "--task", "rte@0-shot", *FEW, "--model", f"openai:{url}#tiny", code=2)
    assert "the API key in OPENAI_API_KEY is not accepted" in failed.stderr and "sk-" not in failed.stderr
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files and not [path for path in files if b"sk-very-secret" in path.read_bytes()]


def test_a_model_spec_names_an_endpoint_with_its_settings(harness, server, url, tmp_path):
    (tmp_path / "mine.yaml").write_text(
        f"name: mine\nlearner: endpoint\noptions: {{url: {url}, model: tiny, concurrency: 1, requests_per_minute: 60000}}\n"
    )
    harness("run", *SHOTS, "--model", "mine.yaml")
    assert server.most_at_once == 1
    (tmp_path / "mine.yaml").write_text(
        f"name: mine\nlearner: endpoint\noptions: {{url: {url}, model: tiny, timeoutt: 9}}\n"
    )
    assert (
        "unknown key 'timeoutt'. Did you mean 'timeout'?"
        in harness("run", *SHOTS, "--model", "mine.yaml", code=2).stderr
    )


@pytest.mark.slow
def test_workers_ask_as_well(harness_process, url):
    done = harness_process("run", *SHOTS, "--model", f"openai:{url}#tiny", "--workers", "1")
    assert "1 done" in done.stderr


@pytest.mark.slow
def test_tasks_of_lm_eval_are_answered_as_by_the_checkpoint(harness, server, url, checkpoint, tmp_path):
    pytest.importorskip("lm_eval", reason="lm_eval is not installed")
    rows = [
        {"question": f"the {word} house is", "choices": ["near", "old", "under the tree"], "answer": place % 3}
        for place, word in enumerate(["old", "red", "blue", "small", "green"])
    ]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "tasks").mkdir()
    common = f"dataset_path: json\ndataset_kwargs: {{data_files: {{test: {file}}}}}\ntest_split: test\n"
    (tmp_path / "tasks" / "chosen.yaml").write_text(
        f'task: chosen\n{common}output_type: multiple_choice\ndoc_to_text: "{{{{question}}}}"\n'
        'doc_to_choice: "{{choices}}"\ndoc_to_target: answer\nmetric_list: [{metric: acc}, {metric: acc_norm}]\n'
    )
    (tmp_path / "tasks" / "told.yaml").write_text(
        f'task: told\n{common}output_type: generate_until\ndoc_to_text: "{{{{question}}}}"\ndoc_to_target: "{{{{choices[0]}}}}"\n'
        'generation_kwargs: {until: ["\\n"], max_gen_toks: 4}\nmetric_list: [{metric: exact_match}]\n'
    )
    asked = ("--task", "lm_eval:chosen", "--task", "lm_eval:told", "--include", f"lm_eval:{tmp_path / 'tasks'}")
    harness("evaluate", f"openai:{url}#tiny", str(checkpoint), *asked)
    by_learner = scores(tmp_path)
    responses = {
        learner: {record["task"]["name"]: logits(tmp_path, record, "responses") for record in records}
        for learner, records in by_learner.items()
    }
    assert responses["endpoint"]["lm_eval:told"] == responses["transformer"]["lm_eval:told"]
    pairs = zip(*(responses[learner]["lm_eval:chosen"] for learner in ("endpoint", "transformer")), strict=True)
    for theirs, ours in pairs:
        values = [[response[0][0] for response in json.loads(text)] for text in (theirs, ours)]
        assert values[0] == pytest.approx(values[1], abs=1e-4)
    server.echoes = False
    server.listed = {"root": "without"}
    failed = harness("evaluate", f"openai:{url}#tiny", *asked, code=1)
    assert "it asks for log-probabilities, and the endpoint gives none" in failed.stderr and "1 done" in failed.stderr


@pytest.mark.slow
def test_damaged_answers_are_asked_again(harness, server, url, tmp_path):
    asked = ("run", *SHOTS, "--model", f"openai:{url}#tiny")
    harness(*asked)
    (file,) = (tmp_path / "results" / "cache" / "answers").rglob("*.jsonl")
    lines = file.read_bytes().splitlines(keepends=True)
    first = json.loads(lines[0])
    changed = json.dumps([first[0], [-1.0, True], first[2]]).encode() + b"\n"
    file.write_bytes(b"".join([changed, b"\xff nonsense\n", b"[]\n", *lines[3:-1], lines[-1][:20]]))
    server.requests.clear()
    for cell in (tmp_path / "results" / "cells").glob("*/*/record.json"):
        cell.unlink()
    harness(*asked)
    assert sum("entence" in body["prompt"] for body in server.requests) >= 4
