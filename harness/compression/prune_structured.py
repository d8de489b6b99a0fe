"""Neurons of feed-forward layers and heads of attention removed, the least important first.

Importance is first-order: how much the loss of an example changes when the unit's output goes to zero, estimated as
|Σ activation · gradient| and averaged over training examples (Molchanov et al. 2017; Michel et al. 2019).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from harness.compression.base import Compressor, Request, Target
from harness.compression.options import LayerOptions
from harness.compression.saving import save
from harness.core.errors import HarnessError
from harness.core.lazy import lazy
from harness.modeling.runtimes.torch_eager import load

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from harness.compression.prunable_units import PrunableUnits

groups_module = lazy("harness.compression.groups")
importance = lazy("harness.compression.importance")
prunable_units = lazy("harness.compression.prunable_units")


KNOWN = (
    "bert", "roberta", "xlm-roberta", "camembert", "electra", "deberta-v2", "distilbert", "modernbert", "gpt2", "t5",
)  # fmt: skip
KINDS = ("ffn", "heads")
Fraction = Field(default=None, ge=0, lt=1)


class PruneStructured(Compressor):
    """`amount` is the fraction of units that go, `ffn` and `heads` those of neurons and heads apart where they differ.

    `global`: over all layers, importance brought to the same length in each (Molchanov et al. 2017); `layer`: in each.
    One unit stays in every layer. `examples` of the training split are looked at.

    The layers of a T5's stack share their positions head by head and lose the same heads: those whose importance, in
    sum over the layers, is least. All keep theirs where `skip` or `only` leave one of them out.
    """

    main = "amount"
    uses_data = True

    class Options(LayerOptions):
        amount: float = Field(default=0.5, ge=0, lt=1)
        ffn: float | None = Fraction
        heads: float | None = Fraction
        scope: Literal["global", "layer"] = "global"
        examples: int = Field(default=512, ge=1)

    def not_applicable(self, target: Target) -> str | None:
        if target.model_type not in KNOWN:
            return f"prune-structured does not know the layers of a {target.model_type}, only of {', '.join(KNOWN)}"
        return None

    def layers(self, model: PreTrainedModel) -> tuple[str, ...]:
        """Those that can lose units without others: not the heads of a T5's stack."""

        units = [unit for kind, of_kind in self._units(model).items() if self._fraction_of(kind) for unit in of_kind]
        sharing = Counter(unit.together for unit in units)
        return tuple(
            dict.fromkeys(groups_module.group_of(model, unit.consumer) for unit in units if sharing[unit.together] == 1)
        )

    def compress(self, request: Request) -> dict[str, Any]:
        model, tokenizer = load(request.source)
        kind = model.config.model_type
        reason = self.not_applicable(Target(kind, ""))
        if reason:
            raise HarnessError(f"model {request.source}: {reason}")
        groups = self._units(model)
        if not any(groups.values()):
            raise HarnessError(
                f"model {request.source}: skip and only leave no neurons or heads of this {kind} that could be removed"
                + (" (the layers of a stack lose the same heads)" if kind == "t5" else "")
            )
        every = [unit for name in groups for unit in groups[name]]
        scores = importance.importance_of(model, tokenizer, every, request, self.options.examples)
        kept: dict[str, list[int]] = {}
        for kind_of_unit, units in groups.items():
            together: dict[str, Any] = {}
            for unit in units:
                together[unit.together] = together.get(unit.together, 0) + scores[unit.consumer]
            kept |= keep([*together.values()], [*together], self._fraction_of(kind_of_unit), self.options.scope)
        for unit in every:
            prunable_units.remove(model, unit, kept[unit.together])
        save(model, tokenizer, request.source, request.target)
        return {
            "units": {
                name: {
                    "before": sum(unit.count for unit in units),
                    "after": sum(len(kept[unit.together]) for unit in units),
                    "layers": {unit.consumer: [unit.count, len(kept[unit.together])] for unit in units},
                }
                for name, units in groups.items()
                if units
            },
            "examples": min(self.options.examples, len(request.data.train)),
        }

    def _units(self, model: PreTrainedModel) -> dict[str, list[PrunableUnits]]:
        """By kind the units of the layers it may touch."""

        wanted = groups_module.chosen(model, self.options).linear
        by_kind = {kind: prunable_units.units_of(model, kind) for kind in KINDS}
        bound = {unit.together for units in by_kind.values() for unit in units if unit.consumer not in wanted}
        return {kind: [unit for unit in units if unit.together not in bound] for kind, units in by_kind.items()}

    def _fraction_of(self, name: str) -> float:
        given = getattr(self.options, name)
        fraction: float = self.options.amount if given is None else given
        return fraction


def keep(scores: list[Any], names: list[str], fraction: float, scope: str) -> dict[str, list[int]]:
    """The units that stay, in their order, by layer; scores (units,) a layer.

    Exactly `fraction` of all units goes (`global`), or of each layer's (`layer`), but for the best of each layer.
    """
    import numpy as np

    if not scores:
        return {}
    if scope == "layer":
        return {
            name: _best(score, len(score) - round(fraction * len(score)))
            for name, score in zip(names, scores, strict=True)
        }
    lengths = [float(np.linalg.norm(score)) or 1.0 for score in scores]
    ranked = [score / length for score, length in zip(scores, lengths, strict=True)]
    for ranks in ranked:
        ranks[ranks.argmax()] = np.inf
    together = np.concatenate(ranked)
    goes = np.zeros(len(together), dtype=bool)
    order = together.argsort(kind="stable")[: round(fraction * len(together))]
    goes[order[np.isfinite(together[order])]] = True
    parts = np.split(goes, np.cumsum([len(score) for score in scores])[:-1])
    return {name: np.flatnonzero(~part).tolist() for name, part in zip(names, parts, strict=True)}


def _best(scores: Any, count: int) -> list[int]:
    return sorted((-scores).argsort(kind="stable")[: max(1, count)].tolist())


COMPRESSOR = PruneStructured
