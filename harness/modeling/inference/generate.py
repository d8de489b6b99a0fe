"""Generation in batches of like length: greedy with a loop of its own, beams and samples by `transformers`.

The greedy loop keeps a key–value cache and drops texts that have ended from its batch, so that a batch costs what its
unfinished texts cost. The texts are those of `model.generate(do_sample=False, num_beams=1)`. A checkpoint whose
`generation_config` says more than where texts begin and end, such as tokens that are forced or suppressed, goes through
`transformers` as well; a model of a runtime that decodes by itself (`decodes_itself`) always does through its own
`generate`.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.core.decoding_spec import DecodingSpec
from harness.core.errors import HarnessError
from harness.modeling.inference.batching import scoring_batches
from harness.modeling.weights.positions import positions_of

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

TOKENS = {"cpu": 16384, "cuda": 65536}
"""Tokens of a batch, prompts and what is written: a step of a small model costs as much for one text as for many."""

KEEP_ABOVE = 0.75
"""A batch is made smaller once no more than this fraction of its texts goes on."""


def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    decoding: DecodingSpec,
    seed: int = 0,
    report: Callable[[float], None] = lambda fraction: None,
    stops: Stops | None = None,
) -> list[list[int]]:
    """The tokens a model goes on with after each of n prompts (for an encoder–decoder: its output), without the end.
    A text that one of `stops` stands in ends with it; drawn and searched ones may go on.

    A model that has positions for so many tokens writes no more than fit after the longest prompt of a batch.
    Deterministic in `seed`, which only sampling uses. Prompts are token ids with all special tokens they need.
    """
    import torch

    device = model.device
    positions = positions_of(model, "decoder")
    generated: list[list[int]] = [[]] * len(prompts)
    was_training = model.training
    model.eval()
    done = 0
    lengths = [(len(prompt) + decoding.max_new_tokens) * decoding.num_beams for prompt in prompts]
    rules = step_rules(model, ends_of(model, tokenizer))
    by_library = decoding.do_sample or decoding.num_beams > 1 or rules is None or hasattr(model, "decodes_itself")
    with torch.inference_mode():
        for indices in scoring_batches(lengths, TOKENS[device.type]):
            batch = [list(prompts[index]) for index in indices]
            room = None if positions is None else positions - _taken(model, batch)
            fitting = decoding if room is None or room >= decoding.max_new_tokens else _shorter(decoding, room)
            if by_library:
                texts = _library(model, tokenizer, batch, fitting, seed + done, stops)
                if stops is not None and hasattr(model, "decodes_itself"):
                    texts = [_ended(text, stops) for text in texts]
            else:
                texts = _greedy(model, tokenizer, batch, fitting, rules or StepRules(), stops)
            for index, text in zip(indices, texts, strict=True):
                generated[index] = text
            done += len(indices)
            report(done / len(prompts))
    model.train(was_training)
    return generated


def _taken(model: Any, prompts: Sequence[Sequence[int]]) -> int:
    """Positions that are taken when a model starts to write."""
    return 0 if model.config.is_encoder_decoder else max(map(len, prompts))


def _shorter(decoding: DecodingSpec, room: int) -> DecodingSpec:
    return decoding.model_copy(update={"max_new_tokens": max(1, room)})


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
        return scores.argmax(-1)


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


def settings_for(model: Any, tokenizer: Any, decoding: DecodingSpec) -> Any:
    """A checkpoint's `generation_config` with the task's decoding in it."""
    config = copy.deepcopy(model.generation_config)
    sampling = {name: getattr(decoding, name) if decoding.do_sample else None for name in SAMPLING}
    chosen = {
        "max_new_tokens": decoding.max_new_tokens,
        "max_length": None,
        "num_beams": decoding.num_beams,
        "do_sample": decoding.do_sample,
        "num_return_sequences": 1,
        "return_dict_in_generate": False,
        "eos_token_id": ends_of(model, tokenizer) or None,
        "pad_token_id": _pad_of(tokenizer),
        "decoder_start_token_id": start_of(model) if model.config.is_encoder_decoder else None,
        **({} if config.bos_token_id is not None else {"bos_token_id": tokenizer.bos_token_id}),
        **({} if decoding.length_penalty is None else {"length_penalty": decoding.length_penalty}),
        **sampling,
    }
    for name, value in chosen.items():
        setattr(config, name, value)
    return config


SAMPLING = ("temperature", "top_k", "top_p")


def start_of(model: Any) -> int:
    """The token an encoder–decoder's output begins with. Raises HarnessError where its config names none."""
    for settings in (model.generation_config, model.config):
        for name in ("decoder_start_token_id", "bos_token_id"):
            token = getattr(settings, name, None)
            if token is not None:
                return int(token[0] if isinstance(token, list) else token)
    raise HarnessError("the model's config names no decoder_start_token_id, with which its output begins")


def ends_of(model: Any, tokenizer: Any) -> list[int]:
    """The tokens that end a text."""
    ends = model.generation_config.eos_token_id
    ends = tokenizer.eos_token_id if ends is None else ends
    return list(ends) if isinstance(ends, list) else [] if ends is None else [ends]


@dataclass(frozen=True)
class Stops:
    """Texts that end what is written, looked for in its last tokens, so many of them: two more than the longest has,
    since the tokens around an end may be cut otherwise.
    """

    texts: tuple[str, ...]
    window: int
    tokenizer: Any

    @classmethod
    def of(cls, texts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> Stops | None:
        """None where there are none."""
        given = tuple(text for text in texts if text)
        sizes = [len(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in given]
        return cls(given, max(sizes) + 2, tokenizer) if given else None

    def stand_in(self, rows: Sequence[Sequence[int]]) -> list[bool]:
        """Whether the last tokens of each row hold an end."""
        ends = self.tokenizer.batch_decode([row[-self.window :] for row in rows])
        return [any(text in end for text in self.texts) for end in ends]


def padded(rows: Sequence[Sequence[int]], fill: int, left: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows as (b, longest) ids and their mask, filled up on one side."""
    import torch

    longest = max(map(len, rows))
    ids = torch.full((len(rows), longest), fill, dtype=torch.long)
    mask = torch.zeros((len(rows), longest), dtype=torch.long)
    for index, row in enumerate(rows):
        place = slice(longest - len(row), longest) if left else slice(0, len(row))
        ids[index, place] = torch.as_tensor(row, dtype=torch.long)
        mask[index, place] = 1
    return ids, mask


def places_of(mask: torch.Tensor) -> torch.Tensor:
    """The positions (b, t) of the tokens of rows, counted from the first that a mask (b, t) shows."""
    return (mask.cumsum(1) - 1).clamp(min=0)


def takes(model: Any, name: str) -> bool:
    return name in inspect.signature(model.forward).parameters


def cache_name(model: Any) -> str:
    """What a model calls its key–value cache, in its arguments and its output: `past_key_values` before 5.2x."""
    return getattr(model, "cache_name", None) or ("cache" if takes(model, "cache") else "past_key_values")


def _greedy(
    model: Any, tokenizer: Any, rows: list[list[int]], decoding: DecodingSpec, rules: StepRules, stops: Stops | None
) -> list[list[int]]:
    import torch

    device = model.device
    ends = torch.tensor(ends_of(model, tokenizer), device=device)
    writes_apart = model.config.is_encoder_decoder
    ids, mask = (part.to(device) for part in padded(rows, _pad_of(tokenizer), left=not writes_apart))
    state: dict[str, Any] = {"attention_mask": mask}
    if writes_apart:
        state["encoder_outputs"] = model.get_encoder()(input_ids=ids, attention_mask=mask)
        step_ids = torch.full((len(rows), 1), start_of(model), dtype=torch.long, device=device)
    else:
        step_ids = ids
        if takes(model, "position_ids"):
            state["position_ids"] = places_of(mask)
    alive = torch.arange(len(rows), device=device)
    going = torch.ones(len(rows), dtype=torch.bool, device=device)
    written = torch.zeros((len(rows), decoding.max_new_tokens), dtype=torch.long, device=device)
    lengths = torch.zeros(len(rows), dtype=torch.long, device=device)
    cache_of, cache = cache_name(model), None
    name = "decoder_input_ids" if writes_apart else "input_ids"
    last_only = {"logits_to_keep": 1} if takes(model, "logits_to_keep") else {}
    for place in range(decoding.max_new_tokens):
        output = model(**{name: step_ids, cache_of: cache}, **state, use_cache=True, **last_only)
        cache = output[cache_of]
        step = rules.choose(output.logits[:, -1], place, decoding.max_new_tokens)
        going &= ~torch.isin(step, ends)
        written[alive, place] = step
        lengths[alive] += going
        if stops is not None:
            going &= ~torch.tensor(stops.stand_in(written[alive, : place + 1].tolist()), device=device)
        left = int(going.sum())
        if not left:
            break
        if not writes_apart:
            state["attention_mask"] = torch.nn.functional.pad(state["attention_mask"], (0, 1), value=1)
            if "position_ids" in state:
                state["position_ids"] = state["position_ids"][:, -1:] + 1
        step_ids = step[:, None]
        if left <= KEEP_ABOVE * len(going):
            keep = going.nonzero().flatten()
            alive, going, step_ids = alive[keep], going[keep], step_ids[keep]
            cache.batch_select_indices(keep)
            for key, value in state.items():
                if key == "encoder_outputs":
                    value.last_hidden_state = value.last_hidden_state[keep]
                else:
                    state[key] = value[keep]
    return [row[:length] for row, length in zip(written.tolist(), lengths.tolist(), strict=True)]


def _library(
    model: Any, tokenizer: Any, rows: list[list[int]], decoding: DecodingSpec, seed: int, stops: Stops | None
) -> list[list[int]]:
    import torch

    writes_apart = model.config.is_encoder_decoder
    ids, mask = (part.to(model.device) for part in padded(rows, _pad_of(tokenizer), left=not writes_apart))
    settings = settings_for(model, tokenizer, decoding)
    before = model.generation_config
    model.generation_config = settings  # generate() takes from it whatever the settings leave open
    with torch.random.fork_rng(devices=[model.device] if model.device.type == "cuda" else []):
        torch.manual_seed(seed)
        try:
            output = model.generate(
                input_ids=ids,
                attention_mask=mask,
                generation_config=settings,
                **({"tokenizer": tokenizer} if settings.stop_strings else {}),
                **({} if stops is None else {"stopping_criteria": [_until_all(stops, ids, writes_apart)]}),
            )
        finally:
            model.generation_config = before
    texts = output[:, 1 if writes_apart else ids.shape[1] :].tolist()
    return [_until(text, set(ends_of(model, tokenizer))) for text in texts]


def _until_all(stops: Stops, ids: torch.Tensor, writes_apart: bool) -> Callable[..., bool]:
    """What `transformers` asks after each token: whether all texts have had an end."""
    begin = 1 if writes_apart else ids.shape[1]
    ended: set[int] = set()

    def has_ended(written: torch.Tensor, scores: Any, **more: Any) -> bool:
        ends = stops.stand_in(written[:, begin:].tolist())
        ended.update(row for row, ends_here in enumerate(ends) if ends_here)
        return len(ended) == len(ends)

    return has_ended


def _ended(text: list[int], stops: Stops) -> list[int]:
    """The text as far as the token with which an end stands in it."""
    ends = stops.stand_in([text[: place + 1] for place in range(len(text))])
    return text[: ends.index(True) + 1] if True in ends else text


def _until(text: list[int], ends: set[int]) -> list[int]:
    return next((text[:place] for place, token in enumerate(text) if token in ends), text)


def _pad_of(tokenizer: Any) -> int:
    pad = tokenizer.pad_token_id
    return pad if isinstance(pad, int) else tokenizer.eos_token_id
