"""`harness run --adversarial`: what is trained, what it costs by the plan, and what is refused."""

from __future__ import annotations

import pytest

from tests.conftest import read_json

MODEL = """\
name: tiny
learner: transformer
config: {model_type: bert, hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 32}
tokenizer: {kind: wordpiece, vocab_size: 400, corpus: task}
training: {epochs: 1, batch_size: 16, learning_rate: 1.0e-3, precision: fp32}
"""
RUN = ("run", "--task", "sst2", "--model", "tiny", "--include", "tiny.yaml", "--limit", "64")


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "tiny.yaml").write_text(MODEL)
    return tmp_path


def test_the_plan_says_what_a_step_costs(harness, recipe):
    plain = read_json(harness(*RUN, "--dry-run", "--json").stdout)
    costly = read_json(harness(*RUN, "--adversarial", "freelb:steps=8", "--dry-run", "--json").stdout)
    assert costly["cells"][0]["cell"] != plain["cells"][0]["cell"]
    assert costly["cells"][0]["flops"] == pytest.approx(8 * plain["cells"][0]["flops"], rel=0.01)
    text = harness(*RUN, "--adversarial", "freelb:steps=8", "--dry-run").stdout
    assert "tiny: fine-tuning with freelb:steps=8: a step takes 8.0 times a plain one" in text


@pytest.mark.slow
def test_texts_without_labels_are_learned_from(harness, recipe):
    (recipe / "more.txt").write_text("a good film\na bad film\n" * 20)
    vat = (*RUN, "--adversarial", "vat", "--executor", "inline", "--json")
    cells = {}
    for name, more in {
        "none": (), "file": ("--unlabelled", "more.txt"), "task": ("--unlabelled", "task", "--train-fractions", "0.5"),
    }.items():  # fmt: skip
        result = read_json(harness(*vat, *more, "--out", name).stdout)
        cells[name] = next(cell for cell in result["cells"] if cell["kind"] == "finetune")["cell"]
    assert len(set(cells.values())) == 3
    (recipe / "more.txt").write_text("another film\n")
    plan = read_json(harness(*RUN, "--adversarial", "vat", "--unlabelled", "more.txt", "--dry-run", "--json").stdout)
    assert plan["cells"][0]["cell"] not in cells.values(), "what is in the file is a part of the key"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--adversarial", "fgmm"), "unknown method 'fgmm'. Did you mean 'fgm'?"),
        (("--adversarial", "fgm:steps=3"), "steps goes with pgd, freelb, smart, vat; fgm has none"),
        (("--adversarial", "fgm:unlabelled=task"), "unlabelled goes with vat; fgm needs labels"),
        (("--unlabelled", "more.txt"), "no model asked for is trained with adversarial vat"),
        (("--adversarial", "vat", "--unlabelled", "task"), "take fewer with --train-fractions or --k-shot"),
        (("--adversarial", "vat", "--unlabelled", "absent.csv"), "absent.csv: no such file"),
        (("--adversarial", "fgm", "--model", "tfidf"), "adversarial: tfidf has none"),
    ],
)
def test_what_cannot_be_trained_is_refused(options, message, harness, recipe):
    model = () if "--model" in options else ("--model", "tiny")
    command = ("run", "--task", "sst2", *model, "--include", "tiny.yaml", "--limit", "64", *options)
    done = harness(*command, "--dry-run", code=2)
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
