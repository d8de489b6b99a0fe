"""Fully sharded data parallelism: the same training, with the weights shared out over processes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.unit.training.pretraining.settings import KINDS, setting_of, spec, trained


@pytest.fixture(scope="module")
def two_sharded(tmp_path_factory):
    """What two processes over gloo made of each objective, and of a training that one process had begun."""
    folder = tmp_path_factory.mktemp("sharded")
    assert trained(setting_of("mlm", dropout=False), folder / "mlm" / "alone", spec(), 9) is None
    torchrun = (
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "-m",
        "tests.unit.training.pretraining.sharded",
    )
    done = subprocess.run(
        [sys.executable, "-m", *torchrun, str(folder)], capture_output=True, text=True, timeout=600, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
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
@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_sharded_training_stopped_and_resumed_equals_the_unbroken_bit_for_bit(name, two_sharded):
    folder = two_sharded / name
    assert (folder / "resumed.safetensors").read_bytes() == (folder / "unbroken.safetensors").read_bytes()


@pytest.mark.slow
def test_checkpoints_are_whole_so_that_one_process_goes_on_from_two_and_two_from_one(two_sharded, tmp_path):
    from safetensors.torch import load_file

    from harness.training.pretraining import state

    place = two_sharded / "mlm" / "broken"
    assert state.latest(place).name == "000000008"
    setting = setting_of("mlm", dropout=False)
    resumed, _ = trained(setting, place, spec())
    alone, _ = trained(setting, tmp_path, spec())
    assert resumed.resumed_from == 8
    assert resumed.losses == pytest.approx(alone.losses, rel=1e-4)
    from_one = load_file(two_sharded / "mlm" / "from-one.safetensors")["losses"].tolist()
    assert from_one[:8] == alone.losses[:8]
    assert from_one == pytest.approx(alone.losses, rel=1e-4)


def test_layers_are_gathered_one_at_a_time_but_for_those_that_share_a_weight_with_others():
    import torch

    from harness.training.pretraining.sharding import layers

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
