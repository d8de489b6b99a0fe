"""What a checkpoint's `generation_config` asks of every text, and which of it our own loops keep by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

CHOSEN_HERE = {
    "max_new_tokens", "max_length", "num_beams", "do_sample", "temperature", "top_k", "top_p", "length_penalty",
    "num_return_sequences", "eos_token_id", "pad_token_id", "bos_token_id", "decoder_start_token_id",
}  # fmt: skip
"""What a task's decoding chooses, and where texts begin and end."""
WITHOUT_EFFECT = {
    "transformers_version", "use_cache", "cache_implementation", "cache_config", "early_stopping", "typical_p", "min_p",
    "epsilon_cutoff", "eta_cutoff", "output_attentions", "output_hidden_states", "output_scores", "output_logits",
    "return_dict_in_generate", "num_beam_groups", "is_assistant", "num_assistant_tokens", "compile_config",
    "num_assistant_tokens_schedule", "assistant_confidence_threshold", "prompt_lookup_num_tokens",
    "max_matching_ngram_size", "assistant_early_exit", "disable_compile",
}  # fmt: skip
"""What changes no greedy text."""


NEUTRAL = {
    "repetition_penalty": 1, "encoder_repetition_penalty": 1, "guidance_scale": 1, "no_repeat_ngram_size": 0,
    "encoder_no_repeat_ngram_size": 0, "min_length": 0, "min_new_tokens": 0, "diversity_penalty": 0,
}  # fmt: skip


def rules_of(settings: Any) -> dict[str, Any]:
    """What a checkpoint's `generation_config` asks of every text beyond where it begins and ends: tokens that are
    forced or suppressed, n-grams that must not come back, a least length, …
    """
    given = settings.to_diff_dict()
    return {
        name: value
        for name, value in given.items()
        if value is not None
        and value is not False
        and value not in ([], {})
        and (name not in NEUTRAL or value != NEUTRAL[name])
        and name not in CHOSEN_HERE | WITHOUT_EFFECT
        and not name.startswith("_")
    }


def best_tokens(scores: torch.Tensor) -> torch.Tensor:
    """The column of the highest of each row. NumPy's is vectorized, that of torch on a CPU is not: 8 times as long."""
    import torch

    if scores.device.type == "cpu" and scores.dtype == torch.float32:
        return torch.from_numpy(scores.numpy().argmax(-1))
    return scores.argmax(-1)


@dataclass(frozen=True)
class StepRules:
    """Rules that the greedy loop keeps by itself: tokens that are never written, and those that the first and the last
    step are forced to write.
    """

    never: tuple[int, ...] = ()
    first: int | None = None
    last: int | None = None

    def choose(self, scores: torch.Tensor, place: int, places: int) -> torch.Tensor:
        """The next tokens (b,) by scores (b, vocabulary) at one of so many places."""
        import torch

        forced = self.first if place == 0 and self.first is not None else self.last if place == places - 1 else None
        if forced is not None:
            return torch.full((len(scores),), forced, device=scores.device)
        if self.never:
            scores = scores.clone()
            scores[:, list(self.never)] = -float("inf")
        return best_tokens(scores)


def step_rules(model: Any, ends: Sequence[int]) -> StepRules | None:
    """The rules of a checkpoint as the greedy loop can keep them; None where `transformers` has to."""
    rules = rules_of(model.generation_config)
    bad = rules.pop("bad_words_ids", [])
    never = [*rules.pop("suppress_tokens", []), *(ids[0] for ids in bad if len(ids) == 1 and ids[0] not in ends)]
    last, first = rules.pop("forced_eos_token_id", None), rules.pop("forced_bos_token_id", None)
    if rules or any(len(ids) > 1 for ids in bad) or isinstance(last, list):
        return None
    if first is not None and not model.config.is_encoder_decoder:
        return None
    return StepRules(tuple(never), first, last)
