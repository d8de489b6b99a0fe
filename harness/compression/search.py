"""Options that are searched for: how far to smooth, and which layers stay in float.

For generative models only: each choice is made, saved, opened in its runtime and compared with the model it was made
from, token by token, on texts that the check of the result does not read. Imports torch: import it inside functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.compression.base import Request
from harness.compression.fidelity import AGREEMENT_AT_LEAST, EXAMPLES, PERPLEXITY_AT_MOST, Fidelity, Original
from harness.compression.methods import Step, make_step
from harness.compression.options import AUTO
from harness.core.atomic import scratch_folder
from harness.core.errors import HarnessError
from harness.modeling.runtimes.torch_eager import load

SEARCHED = 32
"""Texts, of others than those by which the result is checked."""
STRENGTHS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Of smoothing. Xiao et al. 2023 search from 0.3 to 0.9."""


def chosen(step: Step, request: Request) -> tuple[Step, dict[str, Any]]:
    """A step whose options are all given, for one that has some to be searched for.

    Args:
        step: The step.
        request: What it would be applied to.

    Returns:
        The step with what was found, and what a record should say of the search, `notes` among it; nothing where
        nothing was searched for.

    Raises:
        HarnessError: no generative model, no texts to compare on, or no choice of layers that holds the margin.
    """
    if not step.compressor.searches:
        return step, {}
    original = Original.of(request, SEARCHED, after=EXAMPLES)
    if original is None:
        raise HarnessError(
            f"{step.name}: {AUTO} searches by what a model says of texts; give values, or of an encoder–decoder name "
            "its task with --task"
        )
    with scratch_folder() as folder:
        return _Search(step, request, original, folder).run()


class _Search:
    def __init__(self, step: Step, request: Request, original: Original, folder: Path) -> None:
        self._step, self._request, self._original, self._folder = step, request, original, folder
        self._kept: dict[Any, Any] = {}
        self._options = dict(step.options)
        self._margin = self._options.pop("margin", None) or PERPLEXITY_AT_MOST - 1
        self._trials = 0

    def run(self) -> tuple[Step, dict[str, Any]]:
        facts: dict[str, Any] = {"texts": self._original.texts, "tokens": self._original.tokens}
        notes: list[str] = []
        skips = self._options.get("skip") == [AUTO]
        if skips:
            self._options["skip"] = []
        if self._options.get("smooth") == AUTO:
            facts["smooth"], note = self._smooth()
            notes.append(note)
        if skips:
            facts["layers"], note = self._skip()
            facts["skip"] = self._options["skip"]
            notes.append(note)
        notes.append(f"Searched on {self._original.tokens:,} tokens of {self._original.texts}, {self._apart()}.")
        chosen = make_step(self._step.name, self._options, self._step.name)
        return chosen, {"search": facts, "notes": notes}

    def _apart(self) -> str:
        examples = self._request.examples
        if examples is None or len(examples.train) > EXAMPLES:
            return "which are not those of the check"
        return "which the check reads too: it is optimistic"

    def _smooth(self) -> tuple[list[dict[str, Any]], str]:
        tried: dict[float | None, Fidelity] = {}
        for strength in (None, *STRENGTHS):
            self._kept.clear()
            tried[strength] = self._trial(smooth=strength)
        best = min(tried, key=lambda strength: _damage(tried[strength], PERPLEXITY_AT_MOST - 1))
        self._options["smooth"] = best
        without = tried[None].nats_after
        note = (
            f"smooth=auto took {'none' if best is None else best} of {len(STRENGTHS)} strengths: "
            f"{tried[best].nats_after:.3f} nats a token, {without:.3f} without smoothing, "
            f"{self._original.mean_nats:.3f} before."
        )
        return [{"smooth": strength, **_short(probe)} for strength, probe in tried.items()], note

    def _skip(self) -> tuple[list[dict[str, Any]], str]:
        margin = self._margin
        layers = self._layers()
        self._kept.clear()
        whole = self._trial(skip=[])
        if _holds(whole, margin):
            return [], f"skip=auto leaves no layer in float: {_change(whole, margin)}."
        damages = {layer: self._trial(only=[layer], skip=[]) for layer in layers}
        worst = sorted(layers, key=lambda layer: -_damage(damages[layer], margin))
        least, most = 0, len(layers) - 1  # of layers in float: too few, and perhaps enough
        held: Fidelity | None = None
        while most - least > 1 or held is None:
            count = most if held is None else (least + most) // 2
            trial = self._trial(skip=worst[:count])
            if _holds(trial, margin):
                most, held = count, trial
            elif held is None:
                raise HarnessError(
                    f"{self._step.name}: skip=auto: with all of its {len(layers)} groups of layers but {worst[-1]} in "
                    f"float, {_change(trial, margin)}; {_remedy(trial, margin)}"
                )
            else:
                least = count
        skip = [layer for layer in layers if layer in worst[:most]]
        self._options["skip"] = skip
        note = (
            f"skip=auto leaves {len(skip)} of {len(layers)} groups of layers in float, {', '.join(skip)}: "
            f"{_change(held, margin)}, {whole.perplexity_ratio:.3f} times without."
        )
        return [{"layers": layer, **_short(probe)} for layer, probe in damages.items()], note

    def _layers(self) -> Sequence[str]:
        step = make_step(self._step.name, self._options, self._step.name)
        layers = step.compressor.layers(load(self._request.source)[0])
        if len(layers) < 2:
            raise HarnessError(f"{self._step.name}: skip=auto: there is one group of layers, {', '.join(layers)}")
        return layers

    def _trial(self, **changes: Any) -> Fidelity:
        """Compress with these options, and compare."""
        step = make_step(self._step.name, {**self._options, **changes}, self._step.name)
        folder = self._folder / str(self._trials)
        self._trials += 1
        target, scratch = folder / "model", folder / "scratch"
        for new in (target, scratch):
            new.mkdir(parents=True)
        step.compressor.compress(
            replace(self._request, target=target, scratch=scratch, kept=self._kept, report=lambda fraction: None)
        )
        return self._original.compared(target)


def _damage(trial: Fidelity, margin: float) -> float:
    """What is lost of perplexity or of agreement, whichever is more, where 1 is all that may be lost."""
    return max((trial.perplexity_ratio - 1) / margin, (1 - trial.agreement) / (1 - AGREEMENT_AT_LEAST))


def _holds(trial: Fidelity, margin: float) -> bool:
    return trial.perplexity_ratio <= 1 + margin and trial.agreement >= AGREEMENT_AT_LEAST


def _remedy(trial: Fidelity, margin: float) -> str:
    return "give a larger margin" if trial.perplexity_ratio > 1 + margin else "take a method that loses less"


def _change(trial: Fidelity, margin: float) -> str:
    return (
        f"perplexity is {trial.perplexity_ratio:.3f} times the original's (at most {1 + margin:g}), the likeliest "
        f"token the same at {100 * trial.agreement:.1f} % (at least {100 * AGREEMENT_AT_LEAST:g} %)"
    )


def _short(trial: Fidelity) -> Mapping[str, float]:
    return {"nats": trial.nats_after, "agreement": trial.agreement}
