"""Fully sharded data parallelism: the same training, with the weights shared out over processes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.unit.training.pretraining.settings import KINDS, PERTURBED, setting_of, spec, trained


def in_processes(count, what, folder):
    torchrun = ("torch.distributed.run", "--standalone", "--nproc-per-node", str(count), "-m")
    module = "tests.unit.training.pretraining.sharded"
    done = subprocess.run(
        [sys.executable, "-m", *torchrun, module, what, str(folder)], capture_output=True, text=True, timeout=600,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def two_sharded(tmp_path_factory):
    """What two processes over gloo made of each objective, and of trainings that one process and four had begun."""
    folder = tmp_path_factory.mktemp("sharded")
    assert trained(setting_of("mlm", dropout=False), folder / "mlm" / "alone", spec(), 9) is None
    in_processes(4, "begin", folder)
    in_processes(2, "train", folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(KINDS))
def test_two_processes_with_a_part_of_the_weights_each_train_like_one(name, two_sharded, tmp_path):
    from safetensors.torch import load_file

    alone, weights = trained(setting_of(name, dropout=False), tmp_path, spec())
    together = load_file(two_sharded / name / "unbroken.safetensors")
    assert together.pop("losses").tolist() == pytest.approx(alone.losses, rel=1e-4)
    assert together.keys() == weights.keys()
    for key, weight in weights.items():
        assert together[key].shape == weight.shape
        assert together[key].numpy() == pytest.approx(weight.numpy(), abs=2e-3), key


@pytest.mark.slow
@pytest.mark.nightly
def test_two_processes_perturb_what_one_does(tmp_path):
    in_processes(2, "perturb", tmp_path)
    for method in PERTURBED:
        alone, _ = trained(setting_of("mlm", dropout=False), tmp_path / "alone" / method, spec(adversarial=method))
        for kind in ("whole", "sharded"):
            losses = json.loads((tmp_path / f"{kind}-{method}.json").read_text())
            assert losses == pytest.approx(alone.losses, rel=1e-3), f"{kind} {method}"


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_sharded_training_stopped_and_resumed_equals_the_unbroken_bit_for_bit(name, two_sharded):
    folder = two_sharded / name
    assert (folder / "resumed.safetensors").read_bytes() == (folder / "unbroken.safetensors").read_bytes()


@pytest.mark.slow
def test_one_process_goes_on_from_two_and_two_from_one_and_from_four(two_sharded, tmp_path):
    from safetensors.torch import load_file

    from harness.training import state

    place = two_sharded / "mlm" / "broken"
    assert state.latest(place).name == "000000008"
    assert len(list((state.latest(place) / state.PARTS / "weights").glob("*.safetensors"))) == 2
    assert not list(place.rglob(".metadata")), "torch's own is a pickle"
    setting = setting_of("mlm", dropout=False)
    resumed, _ = trained(setting, place, spec())
    alone, _ = trained(setting, tmp_path, spec())
    assert resumed.resumed_from == 8
    assert resumed.losses == pytest.approx(alone.losses, rel=1e-4)
    for others in ("alone", "four"):
        losses = load_file(two_sharded / "mlm" / f"from-{others}.safetensors")["losses"].tolist()
        assert len(losses) == 10 and losses == pytest.approx(alone.losses, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_sharded_model_is_saved_whole_as_transformers_saves_it(name, two_sharded, tmp_path):
    import transformers
    from safetensors.torch import load_file

    saved = two_sharded / name / "saved"
    objective, _, _ = setting = setting_of(name, dropout=False)
    alone, _ = trained(setting, tmp_path / "alone", spec())
    kind = type(objective.export(alone.trained.model)).__name__
    _, loading = getattr(transformers, kind).from_pretrained(saved, output_loading_info=True)
    assert (
        loading["missing_keys"] <= {"pooler.dense.weight", "pooler.dense.bias"}
        and not loading["unexpected_keys"]
        and not loading["mismatched_keys"]
    )
    objective.export(alone.trained.model).save_pretrained(tmp_path / "model")
    assert (saved / "config.json").read_text() == (tmp_path / "model" / "config.json").read_text()
    together, expected = (load_file(folder / "model.safetensors") for folder in (saved, tmp_path / "model"))
    assert together.keys() == expected.keys()
    for key, weight in expected.items():
        assert together[key].numpy() == pytest.approx(weight.numpy(), abs=2e-3), key


@pytest.mark.slow
def test_processes_drop_different_elements_and_the_same_ones_after_a_resumption(tmp_path):
    (tmp_path / "dropout").mkdir()
    in_processes(2, "drop", tmp_path)
    first, second = (json.loads((tmp_path / "dropout" / f"draws-{rank}.json").read_text()) for rank in (0, 1))
    states = [str(draw) for draw in first + second]
    assert len(first) == 10 and len(set(states)) == 20


@pytest.mark.slow
def test_four_processes_take_a_part_of_the_memory_each(tmp_path):
    """Some 230 MB of weights, as much of gradients and twice of moments: a quarter of it in each process, and
    no process ever holds all weights.
    """
    for count in (1, 4):
        in_processes(count, "grow", tmp_path)
    (alone,) = (int(path.read_text()) for path in tmp_path.glob("grow-1-*"))
    together = [int(path.read_text()) for path in tmp_path.glob("grow-4-*")]
    assert len(together) == 4
    assert alone > 900_000
    assert max(together) < 0.62 * alone, (together, alone)


@pytest.mark.slow
def test_four_processes_that_go_on_from_a_checkpoint_never_read_it_whole(tmp_path):
    """The same model from files in half precision: some 60 MB of it for each process, where it has 230."""
    import torch
    from transformers import AutoModelForMaskedLM, BertConfig

    objective, *_ = setting_of("mlm")
    config = BertConfig(vocab_size=objective.tokens.size, hidden_size=768, num_hidden_layers=8)
    model = AutoModelForMaskedLM.from_config(config).to(torch.bfloat16)
    model.save_pretrained(tmp_path / "checkpoint", max_shard_size="50MB")
    assert len(list((tmp_path / "checkpoint").glob("*.safetensors"))) > 1
    in_processes(4, "read", tmp_path)
    kilobytes = [int(path.read_text()) for path in tmp_path.glob("read-*")]
    assert len(kilobytes) == 4
    whole = 4 * sum(weight.numel() for weight in model.parameters()) / 1024
    assert whole > 220_000
    assert max(kilobytes) < 0.6 * whole, (kilobytes, whole)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_model_whose_weights_are_deferred_has_those_of_one_that_was_built_at_once(name, monkeypatch):
    import torch

    from harness.training import deferred

    monkeypatch.setattr(deferred, "SMALLEST", 64)
    _, _, build = setting_of(name)
    expected = build()
    after = torch.get_rng_state()
    with deferred.DeferredWeights() as weights:
        model = build()
    assert torch.equal(torch.get_rng_state(), after)
    waiting = [key for key, weight in model.named_parameters() if weight.is_meta]
    assert len(waiting) > len(list(model.parameters())) // 4
    weights.fill(model)
    ours, theirs = model.state_dict(), expected.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    assert [key for key, _ in model.named_parameters()] == [key for key, _ in expected.named_parameters()]


def test_weights_drawn_until_they_are_within_bounds_are_deferred_too():
    import torch
    from transformers import AutoModelForMaskedLM, ModernBertConfig

    from harness.training.deferred import DeferredWeights

    special = dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"), 0)
    sizes = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = ModernBertConfig(vocab_size=200, **sizes, **special)
    torch.manual_seed(5)
    expected = AutoModelForMaskedLM.from_config(config).state_dict()
    torch.manual_seed(5)
    with DeferredWeights() as weights:
        model = AutoModelForMaskedLM.from_config(config)
    weights.fill(model)
    assert all(torch.equal(weight, expected[name]) for name, weight in model.state_dict().items())


def test_a_weight_that_was_never_set_is_named():
    import torch

    from harness.core.errors import HarnessError
    from harness.training.deferred import DeferredWeights

    with DeferredWeights() as weights:
        module = torch.nn.Module()
        module.table = torch.nn.Parameter(torch.empty(100, 100))
    with pytest.raises(HarnessError, match="table cannot be made apart"):
        weights.fill(module)


def test_activations_computed_again_give_the_same_curve(tmp_path):
    setting = setting_of("mlm")
    kept, weights = trained(setting, tmp_path / "kept", spec())
    again, same = trained(setting, tmp_path / "again", spec(gradient_checkpointing=True))
    assert again.losses == pytest.approx(kept.losses, rel=1e-6)
    assert all(same[name].numpy() == pytest.approx(weight.numpy(), abs=1e-6) for name, weight in weights.items())


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.slow
@pytest.mark.nightly
def test_a_compiled_model_learns_as_one_that_is_not(tmp_path):
    setting = setting_of("mlm", dropout=False)
    eager, weights = trained(setting, tmp_path / "eager", spec())
    compiled, same = trained(setting, tmp_path / "compiled", spec(compile=True))
    assert compiled.losses == pytest.approx(eager.losses, rel=1e-4)
    assert same.keys() == weights.keys()


def test_layers_are_gathered_one_at_a_time_but_for_those_that_share_a_weight_with_others():
    import torch

    from harness.training.sharding import layers

    class Model(torch.nn.Module):
        def __init__(self, tied: bool) -> None:
            super().__init__()
            self.inner = torch.nn.Module()
            self.inner.layers = torch.nn.ModuleList([torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)])
            self.head = torch.nn.Linear(3, 3)
            if tied:
                self.head.weight = self.inner.layers[0].weight

    free, tied = Model(False), Model(True)
    assert layers(free) == list(free.inner.layers)
    assert layers(tied) == [tied.inner.layers[1]]
    _, _, build = setting_of("span-corruption")
    t5 = build()
    assert layers(t5) == [*t5.encoder.block, *t5.decoder.block]
