"""What a student learns from a teacher's logits. Imports torch: import it inside functions."""

from __future__ import annotations

import torch
from torch.nn.functional import kl_div


def soft_loss(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    """T² · KL(teacher ‖ student) of logits (…, choices) over the temperature T, summed (Hinton et al. 2015)."""
    student, teacher = student.float() / temperature, teacher.float() / temperature
    soft = kl_div(student.log_softmax(-1), teacher.log_softmax(-1), reduction="sum", log_target=True)
    return temperature**2 * soft
