"""Started by `torchrun`: trains each objective sharded, unbroken and killed and resumed, and writes what came of it.
Where a process without company has begun one, in FOLDER/OBJECTIVE/alone, it is ended too.

python -m torch.distributed.run --nproc-per-node 2 -m tests.unit.training.pretraining.sharded FOLDER
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from safetensors.torch import save_file

from tests.unit.training.pretraining.settings import KINDS, setting_of, spec, trained


def main(folder: Path) -> None:
    import torch

    is_first = os.environ["RANK"] == "0"
    for name in sorted(KINDS):
        setting = setting_of(name, dropout=False)
        place = folder / name
        whole = trained(setting, place / "whole", spec(), sharded=True)
        assert trained(setting, place / "broken", spec(), 9, sharded=True) is None
        torch.distributed.barrier()
        resumed = trained(setting, place / "broken", spec(), sharded=True)
        assert resumed[0].resumed_from == 8
        done = {"unbroken": whole, "resumed": resumed}
        if (place / "alone").exists():
            done["from-one"] = trained(setting, place / "alone", spec(), sharded=True)
        for kind, (outcome, weights) in done.items():
            assert (outcome.model is not None) == is_first
            if is_first:
                losses = torch.tensor(outcome.losses, dtype=torch.float64)
                save_file({"losses": losses} | weights, place / f"{kind}.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
