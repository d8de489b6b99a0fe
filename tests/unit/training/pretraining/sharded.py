"""Started by `torchrun`: trains sharded models in several processes, and writes what came of them.

python -m torch.distributed.run --nproc-per-node 2 -m tests.unit.training.pretraining.sharded WHAT FOLDER
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from safetensors.torch import save_file

from tests.unit.training.pretraining.settings import KINDS, PERTURBED, setting_of, spec, trained


def deferred():
    from harness.training.deferred import DeferredWeights

    return {"sharded": True, "deferred": DeferredWeights()}


def train_each(folder: Path) -> None:
    """Each objective, unbroken and killed and resumed; where other processes have begun one, in FOLDER/OBJECTIVE/alone
    or four, it is ended too.
    """
    import torch

    from harness.training.sharding import save_pretrained

    is_first = os.environ["RANK"] == "0"
    for name in sorted(KINDS):
        setting = setting_of(name, dropout=False)
        place = folder / name
        whole = trained(setting, place / "whole", spec(), **deferred())
        assert trained(setting, place / "broken", spec(), 9, sharded=True) is None
        torch.distributed.barrier()
        resumed = trained(setting, place / "broken", spec(), sharded=True)
        assert resumed[0].resumed_from == 8
        done = {"unbroken": whole, "resumed": resumed}
        for others in ("alone", "four"):
            if (place / others).exists():
                done[f"from-{others}"] = trained(setting, place / others, spec(), sharded=True)
        for kind, (outcome, weights) in done.items():
            assert outcome.is_first == is_first
            if is_first:
                losses = torch.tensor(outcome.losses, dtype=torch.float64)
                save_file({"losses": losses} | weights, place / f"{kind}.safetensors")
        saved = place / "saved"
        if is_first:
            saved.mkdir()
        save_pretrained(setting[0].export(whole[0].trained.model), saved, is_first)


def drop(folder: Path) -> None:
    """What each process drops, and a training with dropout that is killed and resumed."""
    import torch

    place, rank = folder / "dropout", os.environ["RANK"]
    objective, *_ = setting = setting_of("mlm")
    original, draws = objective.loss, []

    def loss(model, batch):
        draws.append(torch.get_rng_state()[:32].tolist())
        return original(model, batch)

    objective.loss = loss
    whole, weights = trained(setting, place / "whole", spec())
    (place / f"draws-{rank}.json").write_text(json.dumps(draws))
    assert trained(setting, place / "broken", spec(), 9) is None
    torch.distributed.barrier()
    resumed, again = trained(setting, place / "broken", spec())
    assert whole.losses == resumed.losses
    assert all(torch.equal(weight, again[name]) for name, weight in weights.items())


def perturb(folder: Path) -> None:
    """Adversarial trainings, each process with all weights and with a part of them."""
    for method in PERTURBED:
        for kind, options in {"whole": {}, "sharded": deferred()}.items():
            outcome, _ = trained(
                setting_of("mlm", dropout=False), folder / kind / method, spec(adversarial=method), **options
            )
            if os.environ["RANK"] == "0":
                (folder / f"{kind}-{method}.json").write_text(json.dumps(outcome.losses))


def begin(folder: Path) -> None:
    assert trained(setting_of("mlm", dropout=False), folder / "mlm" / "four", spec(), 9, **deferred()) is None


def grow(folder: Path) -> None:
    """How much memory a process takes beyond what it has before, at the most."""
    from contextlib import nullcontext

    import torch
    from transformers import BertConfig

    from harness.training.pretraining import loop

    objective, blocks, _ = setting_of("mlm", dropout=False)
    several = int(os.environ["WORLD_SIZE"]) > 1
    options = deferred() if several else {}
    config = BertConfig(vocab_size=objective.tokens.size, hidden_size=768, num_hidden_layers=8)
    before = _kilobytes("VmRSS")
    with options.get("deferred") or nullcontext():
        torch.manual_seed(0)
        model = objective.build(config)
    loop.train(
        model, objective, blocks, spec(steps=2, checkpoint_every=1), "fp32", folder / f"grow-{several}",
        lambda throughput: None, **options,
    )  # fmt: skip
    (folder / f"grow-{os.environ['WORLD_SIZE']}-{os.environ['RANK']}").write_text(str(_kilobytes("VmHWM") - before))


def read(folder: Path) -> None:
    """How much memory a process takes to read its part of FOLDER/checkpoint, at the most."""
    import torch
    from transformers import AutoConfig, AutoModelForMaskedLM, BertConfig

    from harness.training.deferred import DeferredWeights
    from harness.training.pretraining import going_on
    from harness.training.pretraining.train_step import Losses
    from harness.training.sharding import shard

    objective, *_ = setting_of("mlm")
    torch.distributed.init_process_group("gloo")
    small = AutoModelForMaskedLM.from_config(BertConfig(vocab_size=8, hidden_size=8, num_attention_heads=1))
    shard(small, torch.device("cpu"))  # what is imported by it is no part of what is measured
    before = _kilobytes("VmRSS")
    with DeferredWeights() as weights:
        config = AutoConfig.from_pretrained(folder / "checkpoint")
        model = going_on.checkpoint(objective, folder / "checkpoint", config, weights)
    shard(Losses(model, objective), torch.device("cpu"), weights)
    assert not any(weight.is_meta for weight in model.parameters())
    (folder / f"read-{os.environ['RANK']}").write_text(str(_kilobytes("VmHWM") - before))


def _kilobytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    what, where = sys.argv[1:]
    does = {"train": train_each, "drop": drop, "begin": begin, "grow": grow, "perturb": perturb, "read": read}
    does[what](Path(where))
