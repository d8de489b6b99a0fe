"""The pretraining loop: exact resume, equal parts, schedules, budgets."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.training.pretraining.blocks import BlockOrder, cut
from harness.training.pretraining.schedules import rate
from tests.unit.training.pretraining.settings import KINDS, setting_of, setting_of_items, spec, trained


@pytest.fixture(scope="module", params=sorted(KINDS))
def setting(request):
    return setting_of(request.param)


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


@pytest.mark.parametrize(
    ("kind", "accumulate"), [("image-text", 1), ("image-text", 2), ("video-text", 1), ("masked-patches", 1)]
)
def test_a_pretraining_on_items_stopped_and_resumed_equals_unbroken_bit_for_bit(kind, accumulate, tmp_path):
    """With captions drawn anew and items augmented: the generator goes on where it was."""
    setting, settings = setting_of_items(kind), spec(batch_size=8, accumulate=accumulate, optimizer="adamw")
    whole, weights = trained(setting, tmp_path / "whole", settings)
    assert trained(setting, tmp_path / "broken", settings, 6) is None
    resumed, again = trained(setting, tmp_path / "broken", settings)
    assert resumed.resumed_from == 4 and len(whole.losses) == 10
    assert resumed.losses == whole.losses and len(set(whole.losses)) == 10
    assert all((weights[name] == again[name]).all() for name in weights)
    before = setting[2]().state_dict()
    assert any((weights[name] != before[name]).any() for name in weights)


def test_adafactor_resumes_bit_for_bit_and_steps_in_proportion_to_the_weight(tmp_path):
    setting, settings = setting_of("span-corruption"), spec(optimizer="adafactor", learning_rate=0.01, weight_decay=0)
    whole, weights = trained(setting, tmp_path / "whole", settings)
    assert trained(setting, tmp_path / "broken", settings, 9) is None
    resumed, again = trained(setting, tmp_path / "broken", settings)
    assert resumed.resumed_from == 8
    assert resumed.losses == whole.losses
    assert all((weights[name] == again[name]).all() for name in weights)

    before = setting[2]().state_dict()
    moved = {name: ((weights[name] - before[name]).norm() / before[name].norm()).item() for name in weights}
    large, small = "shared.weight", "encoder.block.0.layer.0.SelfAttention.q.weight"
    assert before[large].std() > 8 * before[small].std()
    assert moved[small] / 4 < moved[large] < 4 * moved[small]
    assert max(moved.values()) < 10 * 0.01 * 1.01, "ten steps of at most a hundredth each"


def test_adafactor_is_refused_where_weights_are_shared_out(tmp_path):
    with pytest.raises(HarnessError, match=r"adafactor .* cannot be sharded; use optimizer: adamw"):
        trained(setting_of("clm"), tmp_path, spec(optimizer="adafactor"), sharded=True)


def test_a_checkpoint_holds_no_pickle_and_a_damaged_one_is_named(setting, tmp_path, capsys):
    trained(setting, tmp_path / "broken", spec(), 5)
    (checkpoint,) = (tmp_path / "broken").iterdir()
    assert {path.suffix for path in checkpoint.iterdir()} == {".safetensors", ".json"}
    file = checkpoint / "weights.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    whole, _ = trained(setting, tmp_path / "whole", spec())
    again, _ = trained(setting, tmp_path / "broken", spec())
    assert "000000004/weights.safetensors is damaged" in capsys.readouterr().err
    assert again.resumed_from == 0 and again.losses == whole.losses


@pytest.mark.parametrize("name", ["optimizer.safetensors", "random.safetensors", "losses.safetensors", "state.json"])
def test_one_flipped_bit_of_a_checkpoint_is_found(tmp_path, name, capsys):
    setting = setting_of("clm")
    trained(setting, tmp_path, spec(), 5)
    (checkpoint,) = tmp_path.iterdir()
    content = bytearray((checkpoint / name).read_bytes())
    content[-2] ^= 1
    (checkpoint / name).write_bytes(content)
    again, _ = trained(setting, tmp_path, spec())
    assert f"{name} is damaged" in capsys.readouterr().err and again.resumed_from == 0


def test_beginning_anew_uses_no_checkpoint(tmp_path):
    setting = setting_of("clm")
    trained(setting, tmp_path, spec(), 5)
    assert trained(setting, tmp_path, spec(), resume=False)[0].resumed_from == 0


@pytest.mark.parametrize("name", sorted(KINDS))
def test_micro_batches_give_the_loss_curve_of_the_whole_batch(name, tmp_path):
    setting = setting_of(name, dropout=False)
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


def test_a_fused_activation_is_the_same_function_and_leaves_the_model_as_it_was():
    import torch
    from transformers.activations import NewGELUActivation

    from harness.training.pretraining.activations import fused_activations

    model = torch.nn.Sequential(NewGELUActivation())
    inputs = torch.linspace(-6, 6, 200)
    slow = model(inputs)
    with fused_activations(model):
        assert type(model[0]) is not NewGELUActivation
        assert model(inputs).numpy() == pytest.approx(slow.numpy(), abs=1e-6)
    assert type(model[0]) is NewGELUActivation
