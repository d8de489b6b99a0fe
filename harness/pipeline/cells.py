"""A cell: one unit of work, under the hash of all its result depends on; and how a model is told from others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from harness import data
from harness.core.hashing import hash_code, hash_json
from harness.core.run_spec import RunSpec
from harness.core.specs import RecipeSpec
from harness.modeling.pretrained import Weights
from harness.training.learners import LEARNERS


@dataclass(frozen=True)
class Cell:
    """One unit of work.

    `spec` is all the result depends on, by content; `key` is its hash. `job` is what a worker needs to do it: where
    the inputs are. `needs` are the keys of cells that come first. `flops` estimates the cost, None where unknown;
    `seconds` the least and the most of a cell that takes its time whatever the machine can do.
    """

    kind: Literal["pretrain", "finetune", "compress", "score", "measure"]
    key: str
    spec: Mapping[str, Any]
    job: Mapping[str, Any]
    needs: tuple[str, ...]
    task: str
    model: str
    seed: int
    split: str | None = None
    flops: float | None = None
    fraction: float = 1.0
    seconds: tuple[float, float] | None = None

    @property
    def label(self) -> str:
        share = "" if self.fraction == 1 else f"{100 * self.fraction:g} %"
        parts = [part for part in (self.kind, self.task, self.model, share, f"seed {self.seed}") if part]
        return " ".join([*parts, self.split] if self.split and self.split != "dev" else parts)


@dataclass(frozen=True)
class Origin:
    """Where a fine-tuned model starts: weights found, or a pretrain cell on a corpus; neither for random weights."""

    weights: Weights | None = None
    corpus: Mapping[str, Any] | None = None
    cell: Cell | None = None


def seeded(recipe: RecipeSpec, seed: int) -> RecipeSpec:
    """Random weights are drawn anew for each seed; a pretrained checkpoint is one for all."""
    if recipe.pretraining and recipe.pretraining.steps == 0:
        return recipe.model_copy(update={"pretraining": recipe.pretraining.model_copy(update={"seed": seed})})
    return recipe


def model_identity(recipe: RecipeSpec, origin: Origin) -> dict[str, Any]:
    """What a recipe computes, without what it is called."""
    identity = recipe.model_dump(mode="json", include={"learner", "config", "tokenizer", "training", "options"})
    if recipe.tokenizer is not None and recipe.tokenizer.corpus == "embedded":
        identity["corpus"] = code_of((Path(data.__file__).parent / "embedded",))
    if recipe.pretraining and origin.corpus:
        settings = recipe.pretraining.model_dump(
            mode="json", exclude={"corpus", "sentences", "field", "checkpoint_every"}
        )
        identity |= {"pretraining": settings, "corpus": origin.corpus["fingerprint"]}
    return identity | {"weights": origin.weights.fingerprint if origin.weights else None}


def model_record(recipe: RecipeSpec, name: str, origin: Origin, run: RunSpec) -> dict[str, Any]:
    """How a record names its model. `id` tells apart what must not be averaged; it knows no seed of fine-tuning."""
    return {
        "name": name,
        "id": hash_json([recipe.name, model_identity(seeded(recipe, 0), origin)]),
        "learner": recipe.learner,
        "overrides": run.overrides() if not LEARNERS.get(recipe.learner).deterministic else {},
        "pretrained": recipe.pretrained,
        "revision": recipe.revision,
        "weights": origin.weights.fingerprint if origin.weights else None,
    }


@cache
def code_of(paths: tuple[Path, ...]) -> str:
    return hash_code(paths)
