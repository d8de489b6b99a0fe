"""What models of images and sounds are given while they are timed: noise, as their processor makes it a tensor. Making
it one is not timed, as a tokenizer is not. Imports torch: import it inside functions.
"""

from __future__ import annotations

import numpy as np
import torch

from harness.data.modalities import Decoded
from harness.measurement.workloads import Absent, Work, Workload
from harness.modeling.processors import processor_in
from harness.modeling.runtimes import RuntimeModel

RATE = 16000


def item_work(cell: Workload, model: RuntimeModel, seed: int) -> Work | Absent:
    """As many items as the cell says, in one batch; of sounds as long as the model reads at most.

    Models with equal processors are given equal items.
    """
    processor = processor_in(model.folder)
    if processor.modality != cell.items:
        return Absent(f"{model.folder.name} reads the modality {processor.modality}, not {cell.items}")
    random = np.random.default_rng([seed, cell.batch])
    made = []
    for _ in range(cell.batch):
        if processor.modality == "image":
            decoded = Decoded(random.integers(0, 256, (64, 64, 3), dtype=np.uint8))
        else:
            count = int(RATE * processor.reads)
            decoded = Decoded(random.uniform(-0.5, 0.5, count).astype(np.float32), float(RATE))
        made.append(processor.prepared(decoded))
    inputs = processor.inputs(torch.from_numpy(np.stack(made)))
    arrays = {name: tensor.numpy() for name, tensor in inputs.items()}
    return Work([arrays], 0, cell.batch, amount=cell.batch * processor.reads)
