"""The pretraining loop: exact resume, equal parts, schedules, budgets."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from harness.errors import DamagedFile, HarnessError
from harness.objectives import OBJECTIVES
from harness.pretraining.blocks import BlockOrder, cut
from harness.pretraining.schedules import rate
from harness.specs import PretrainingSpec, TokenizerSpec
from harness.training import tokenizers

TEXTS = [
    f"the {a} {b} the {c}"
    for a in ("old", "young", "tall")
    for b in ("saw", "heard", "met")
    for c in ("dog", "cat", "bird")
]
KINDS = {
    "clm": "bytebpe",
    "mlm": "wordpiece",
    "rtd": "wordpiece",
    "span-corruption": "unigram",
    "token-order": "wordpiece",
}


@pytest.fixture(scope="module", params=sorted(KINDS))
def setting(request):
    """An objective, its blocks, and a way to build its model."""
    import torch
    from transformers import BertConfig, GPT2Config, T5Config

    from harness.pretraining.vocabulary import tokens_of

    torch.set_num_threads(1)
    kind = OBJECTIVES.get(request.param)
    tokenizer = tokenizers.train(TokenizerSpec(kind=KINDS[request.param], vocab_size=120), TEXTS, 32)
    tokens = tokens_of(tokenizer)
    objective = kind(kind.Options(), tokens, 24)
    stream = np.concatenate(
        [[*tokenizer(text, add_special_tokens=False)["input_ids"], tokens.end] for text in TEXTS * 4]
    )
    size = tokens.size
    config = {
        "clm": GPT2Config(vocab_size=size, n_embd=16, n_layer=1, n_head=2, n_positions=32),
        "span-corruption": T5Config(vocab_size=size, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2,
                                    pad_token_id=tokens.pad, decoder_start_token_id=tokens.pad),
    }.get(request.param) or BertConfig(vocab_size=size, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                                       intermediate_size=32, max_position_embeddings=32)  # fmt: skip

    def build():
        torch.manual_seed(3)
        return objective.build(config)

    return objective, cut(stream, objective.raw_size, "here"), build


def spec(**changes) -> PretrainingSpec:
    return PretrainingSpec(
        objective="x", **({"steps": 10, "batch_size": 4, "block_size": 24, "checkpoint_every": 4} | changes)
    )


def trained(setting, folder: Path, settings: PretrainingSpec, stop_after: int | None = None, resume: bool = True):
    """Losses and weights; with `stop_after`, as if the process were killed at that step."""
    from harness.pretraining import loop

    objective, blocks, build = setting
    model = build()

    class Killed(Exception):
        pass

    def corrupt(rows, random, original=objective.corrupt):
        if steps[0] == stop_after:
            raise Killed
        steps[0] += 1
        return original(rows, random)

    steps = [0]
    objective.corrupt = corrupt
    try:
        outcome = loop.train(model, objective, blocks, settings, "fp32", folder, lambda pace: None, resume=resume)
    except Killed:
        return None
    finally:
        del objective.corrupt
    return outcome, {name: tensor.clone() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize("stop_after", [5, 9])
def test_stopped_and_resumed_equals_unbroken_bit_for_bit(setting, tmp_path, stop_after):
    whole, weights = trained(setting, tmp_path / "whole", spec())
    assert trained(setting, tmp_path / "broken", spec(), stop_after) is None
    resumed, again = trained(setting, tmp_path / "broken", spec())
    assert resumed.resumed_from == stop_after // 4 * 4
    assert resumed.losses == whole.losses
    assert len(whole.losses) == 10
    assert all((weights[name] == again[name]).all() for name in weights)
    assert len(set(whole.losses)) == 10, "every step has batches and weights of its own"


def test_a_checkpoint_holds_no_pickle_and_a_damaged_one_is_named(setting, tmp_path):
    trained(setting, tmp_path / "broken", spec(), 5)
    (checkpoint,) = (tmp_path / "broken").iterdir()
    assert {path.suffix for path in checkpoint.iterdir()} == {".safetensors", ".json"}
    file = checkpoint / "weights.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(DamagedFile, match="000000004 is damaged"):
        trained(setting, tmp_path / "broken", spec())


def test_micro_batches_give_the_loss_curve_of_the_whole_batch(setting, tmp_path):
    objective, blocks, build = setting

    def without_dropout():
        import torch

        model = build()
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
            if isinstance(getattr(module, "dropout", None), float):
                module.dropout = 0.0
        return model

    setting = (objective, blocks, without_dropout)
    whole, _ = trained(setting, tmp_path / "one", spec())
    parts, _ = trained(setting, tmp_path / "four", spec(accumulate=4))
    assert parts.losses == pytest.approx(whole.losses, rel=1e-4)


def test_a_loss_that_is_not_finite_ends_the_training(setting, tmp_path):
    if type(setting[0]).__name__ != "MaskedLM":
        pytest.skip("one objective is enough")
    objective, blocks, build = setting

    def poisoned():
        import torch

        model = build()
        with torch.no_grad():
            next(model.parameters()).fill_(float("nan"))
        return model

    with pytest.raises(HarnessError, match="diverged: the loss of step 1"):
        trained((objective, blocks, poisoned), tmp_path, spec())


def test_a_budget_becomes_steps_and_leaves_no_trace_of_the_probe(setting, tmp_path):
    if type(setting[0]).__name__ != "MaskedLM":
        pytest.skip("one objective is enough")
    timed, weights = trained(setting, tmp_path / "timed", spec(steps=None, budget="1s"))
    assert timed.steps > 1
    counted, same = trained(setting, tmp_path / "counted", spec(steps=timed.steps))
    assert timed.losses == counted.losses
    assert all((weights[name] == same[name]).all() for name in weights)


def test_blocks_come_once_an_epoch_in_an_order_that_depends_on_seed_and_epoch():
    order = BlockOrder(10, 4, seed=1)
    read = np.concatenate([order.at(step) for step in range(5)])
    assert sorted(read[:10]) == sorted(read[10:]) == list(range(10))
    assert (read[:10] != read[10:]).any()
    assert (BlockOrder(10, 4, seed=1).at(3) == read[12:16]).all()
    assert (np.concatenate([BlockOrder(10, 4, seed=2).at(step) for step in range(5)]) != read).any()


def test_a_text_shorter_than_a_block_is_refused():
    with pytest.raises(HarnessError, match="5 tokens are less than one block of 8"):
        cut(np.arange(5), 8, "corpus here")


def test_schedules_warm_up_hold_and_decay():
    shares = [rate("wsd", step, 100, 0.1, 0.2) for step in range(100)]
    assert shares[:10] == pytest.approx([(step + 1) / 11 for step in range(10)])
    assert shares[10:80] == [1.0] * 70
    assert shares[80:] == sorted(shares[80:], reverse=True)
    assert 0 < shares[-1] < 0.05
    assert rate("constant", 99, 100, 0.1, 0.2) == 1
    linear = [rate("linear", step, 100, 0.0, 0.2) for step in range(100)]
    assert linear[0] == 1
    assert np.diff(linear) == pytest.approx([-0.01] * 99)
    cosine = [rate("cosine", step, 100, 0.0, 0.2) for step in range(101)]
    assert (cosine[0], cosine[50], cosine[100]) == pytest.approx((1, 0.5, 0))


def test_old_checkpoints_are_removed(setting, tmp_path):
    if type(setting[0]).__name__ != "MaskedLM":
        pytest.skip("one objective is enough")
    trained(setting, tmp_path / "long", spec(steps=14), 13)
    assert [path.name for path in (tmp_path / "long").iterdir()] == ["000000012"]
    shutil.rmtree(tmp_path / "long")
