"""The space that is searched where none is given: around the values that a model of its size is trained with."""

from __future__ import annotations

from harness.core.search_spec import Range, Space
from harness.core.specs import TrainingSpec
from harness.training.defaults import epochs_for, learning_rate_for

RATE_FACTOR = 3.0
RANKS = (4, 8, 16)
MOST_EPOCHS = 100.0


def default_space(training: TrainingSpec, parameters: int, is_encoder_decoder: bool, examples: int) -> Space:
    """Learning rate, epochs, batch size and warm-up; of an adapter its rank as well.

    Of BERT-base these are 1e-5 to 9e-5, 2 to 4 epochs, and batches of 16 and 32: the grid of Devlin et al. (2019,
    appendix A.3) has 2e-5 to 5e-5, 2 to 4, 16 and 32. The learning rate is drawn from a factor of three around the
    usual one (`harness.training.defaults`), on a logarithmic scale; warm-up from none to the tenth that BERT's
    fine-tuning has. Ranks are those around LoRA's (Hu et al. 2021, table 6).
    """
    rate = learning_rate_for(training, parameters, is_encoder_decoder)
    epochs = epochs_for(training, examples)
    space: Space = {
        "learning_rate": Range(low=rate / RATE_FACTOR, high=min(10.0, rate * RATE_FACTOR), log=True),
        "epochs": tuple(sorted({max(1.0, round(2 * epochs / 3)), epochs, min(MOST_EPOCHS, round(4 * epochs / 3))})),
        "batch_size": (16, 32),
        "warmup_ratio": (0.0, 0.06, 0.1),
    }
    if training.peft is not None and training.peft.method != "ia3":
        space["peft.r"] = RANKS
    return space
