"""What `adversarial` of a training says: which perturbations of the embeddings a model learns to withstand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from harness.core.method_spec import MethodSpec

DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "fgm": {"epsilon": 0.05, "weight": 1.0},
    "pgd": {"epsilon": 0.05, "steps": 3, "step_size": 0.02, "weight": 1.0},
    "freelb": {"epsilon": 0.1, "steps": 2, "step_size": 0.03, "start": 0.02},
    "smart": {
        "epsilon": 0.003, "steps": 1, "step_size": 0.003, "start": 1e-3,
        "weight": 1.0, "proximal": 1.0, "momentum": 0.99,
    },
    "vat": {"epsilon": 1.0, "steps": 1, "start": 0.1, "weight": 1.0},
    "r-drop": {"weight": 1.0},
}  # fmt: skip
"""By method the options it takes, and their values where they are left out. Lengths are for small encoders with few
labels, which at those of the papers, for 100 M parameters and more, may learn nothing (docs/results/robustness.md).
"""

REST = "task"
"""Texts of the training split whose labels are not used."""

COST: Mapping[str, tuple[float, float]] = {
    "fgm": (1.0, 0.0), "pgd": (1.0, 2 / 3), "freelb": (0.0, 1.0), "smart": (1.0, 2 / 3), "vat": (1.0, 2 / 3),
    "r-drop": (1.0, 0.0),
}  # fmt: skip
"""What a step costs beside the plain one, and what each of its `steps`, in the pass forward and backward of a plain
training: a pass forward is a third of it, and so is one backward to the inputs alone.
"""


class AdversarialSpec(MethodSpec):
    """Adversarial training: small perturbations of the words' embeddings that change most what the model says, and a
    loss that holds for them too. They are made anew in each step, of each example by itself, and never of padding.

    `fgm` adds the loss at one step of length `epsilon` along the gradient (Miyato et al. 2017, arXiv 1605.07725),
    `pgd` that after `steps` of `step_size` inside the ball of radius `epsilon` (Madry et al. 2018, arXiv 1706.06083).
    `freelb` takes the mean of the losses at all steps, from a random start, whose gradients train the model as they
    come (Zhu et al. 2020, arXiv 1909.11764). `smart` adds the symmetrized divergence between what is said of a text and
    of the worst one near it, in the largest coordinate (Jiang et al. 2020, arXiv 1911.03437), and `proximal` times that
    from the model's own moving average of `momentum`. `vat` adds the divergence from the text's own answer at the
    direction in which it grows fastest, found in `steps` of power iteration at the distance `start` (Miyato et al.
    2018, arXiv 1704.03976). `r-drop` adds that between two dropout masks (Liang et al. 2021, arXiv 2106.14448).

    `weight` is of the term that is added; lengths are those of all embeddings of a text in one, but for `smart`. What a
    method leaves out is in `harness.core.adversarial_spec.DEFAULTS`. `unlabelled` is for `vat`, which learns from texts
    without labels as well: a file of them, or `task` for those of the training split that a run with `train_fractions`
    or `k_shot` takes no labels of. As text: `fgm`, or `freelb:steps=3,epsilon=0.3`.
    """

    methods: ClassVar[tuple[str, ...]] = tuple(DEFAULTS)
    method: Literal["fgm", "pgd", "freelb", "smart", "vat", "r-drop"]
    epsilon: float | None = Field(default=None, gt=0, le=1e4)
    steps: int | None = Field(default=None, ge=1, le=100)
    step_size: float | None = Field(default=None, gt=0, le=1e4)
    start: float | None = Field(default=None, ge=0, le=1e4)
    weight: float | None = Field(default=None, gt=0, le=1e4)
    proximal: float | None = Field(default=None, ge=0, le=1e4)
    momentum: float | None = Field(default=None, ge=0, lt=1)
    unlabelled: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _options_go_with_the_method(self) -> AdversarialSpec:
        for name in self.model_fields_set - {"method", "unlabelled"}:
            if name not in DEFAULTS[self.method] and getattr(self, name) is not None:
                others = [method for method, options in DEFAULTS.items() if name in options]
                raise ValueError(f"{name} goes with {', '.join(others)}; {self.method} has none")
        if self.unlabelled is not None and self.method != "vat":
            raise ValueError(f"unlabelled goes with vat; {self.method} needs labels")
        if self.method == "vat" and self.start == 0:
            raise ValueError("start: vat looks for its direction at a distance above 0")
        return self

    @property
    def options(self) -> dict[str, Any]:
        """All that the method takes, with the values that hold."""
        given = self.model_dump(exclude={"method", "unlabelled"}, exclude_none=True)
        return {**DEFAULTS[self.method], **given}

    @property
    def grows(self) -> bool:
        """Whether the term it adds is 0 of a model that says the same of all texts, and grows while that learns."""
        return self.method in ("smart", "vat", "r-drop")

    @property
    def cost(self) -> float:
        """Of a step, in those of a plain training."""
        options = self.options
        first, each = COST[self.method]
        if self.method == "freelb":
            return float(options["steps"])
        if self.method == "pgd":
            return 1 + first + each * (options["steps"] - 1)
        proximal = 1 / 3 if options.get("proximal") else 0.0
        unlabelled = 4 / 3 + each * options["steps"] if self.unlabelled else 0.0
        return 1 + first + each * options.get("steps", 0) + proximal + unlabelled


def without_average(spec: AdversarialSpec | None) -> AdversarialSpec | None:
    """The same for a pretraining, whose checkpoints hold no second model and whose texts have no labels. Raises
    ValueError where one is asked for.
    """
    if spec is not None and spec.unlabelled:
        raise ValueError("unlabelled: no text of a pretraining has labels; leave it out")
    if spec is None or spec.method != "smart":
        return spec
    if spec.proximal:
        raise ValueError("proximal keeps a moving average of the weights, which no checkpoint has; leave it out")
    return spec.model_copy(update={"proximal": 0.0})


def with_texts(spec: AdversarialSpec | None, where: str | None) -> AdversarialSpec | None:
    """The same, learning from the texts without labels that are there where the method takes some."""
    if where is None or spec is None or spec.method != "vat":
        return spec
    return spec.model_copy(update={"unlabelled": where})
