"""Generation in batches of like length: greedy and by beams with loops of our own, samples by `transformers`.

The loops keep a key–value cache that a token is added to without the others being moved, and drop texts that have ended
from their batch, so that a batch costs what its unfinished texts cost; a text by itself is written several tokens a
pass where it repeats something (`prompt_lookup`). The texts are those of
`model.generate(do_sample=False)` with as many beams. A checkpoint whose `generation_config` says more than these loops
keep (`decoding_rules`) goes through `transformers` as well; a model of a runtime that decodes by itself
(`decodes_itself`) always does through its own `generate`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.core.decoding_spec import DecodingSpec
from harness.core.lazy import lazy
from harness.modeling.inference.batching import scoring_batches
from harness.modeling.inference.decoding_inputs import Prompts, cache_name, ends_of, pad_of, padded, start_of, takes
from harness.modeling.inference.decoding_rules import StepRules, step_rules
from harness.modeling.weights.positions import positions_of

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

beam_search = lazy("harness.modeling.inference.beam_search")
decoding_cache = lazy("harness.modeling.inference.decoding_cache")
prompt_lookup = lazy("harness.modeling.inference.prompt_lookup")

TOKENS = {"cpu": 16384, "cuda": 65536}
"""Tokens of a batch, prompts and what is written: a step of a small model costs as much for one text as for many."""

MOST, CACHE_BYTES = 8, 2**30
"""A batch of a small model has so many times the tokens, as long as its keys and values take no more bytes."""

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

    positions = positions_of(model, "decoder")
    generated: list[list[int]] = [[]] * len(prompts)
    was_training = model.training
    model.eval()
    done = 0
    lengths = [(len(prompt) + decoding.max_new_tokens) * decoding.num_beams for prompt in prompts]
    greedy = not decoding.do_sample and decoding.num_beams == 1
    by_library = decoding.do_sample or not _can_write(model, tokenizer, decoding, stops)
    longest = _taken(model, prompts) + decoding.max_new_tokens if prompts else 0
    fits = positions is None or longest <= positions
    budget = TOKENS[model.device.type] if by_library or not fits else budget_of(model)
    with torch.inference_mode():
        for indices in scoring_batches(lengths, budget):
            batch = [list(prompts[index]) for index in indices]
            room = None if positions is None else positions - _taken(model, batch)
            fitting = decoding if room is None or room >= decoding.max_new_tokens else _shorter(decoding, room)
            if not by_library:
                try:
                    texts = _write(model, tokenizer, batch, fitting, stops)
                except decoding_cache.UnfitError:
                    by_library = True
            if by_library:
                texts = _library(model, tokenizer, batch, fitting, seed + done, stops)
                if stops is not None and (greedy or hasattr(model, "decodes_itself")):
                    texts = [_ended(text, stops) for text in texts]
            for index, text in zip(indices, texts, strict=True):
                generated[index] = text
            done += len(indices)
            report(done / len(prompts))
    model.train(was_training)
    return generated


def budget_of(model: Any) -> int:
    """Tokens of a batch: more for a small model, whose steps cost as much for few texts as for many."""
    tokens, config = TOKENS[model.device.type], model.config
    width, layers = (getattr(config, name, None) for name in ("hidden_size", "num_hidden_layers"))
    if not isinstance(width, int) or not isinstance(layers, int):
        return tokens
    return min(MOST * tokens, max(tokens, CACHE_BYTES // (width * layers * 2 * 4)))


def _can_write(model: Any, tokenizer: Any, decoding: DecodingSpec, stops: Stops | None) -> bool:
    """Whether the loops here write what `transformers` would."""
    rules = step_rules(model, ends_of(model, tokenizer))
    if rules is None or hasattr(model, "decodes_itself"):
        return False
    if decoding.num_beams == 1:
        return True
    free = rules.first is None and rules.last is None and stops is None
    return free and decoding_cache.reads_by_interface(model)


def _write(
    model: Any, tokenizer: Any, rows: list[list[int]], decoding: DecodingSpec, stops: Stops | None
) -> list[list[int]]:
    """Raises decoding_cache.UnfitError where the model's attention turns out not to be read here."""
    rules = step_rules(model, ends_of(model, tokenizer)) or StepRules()
    reads = decoding_cache.reads_by_interface(model)
    if len(rows) == 1 and decoding.num_beams == 1 and reads and prompt_lookup.can_look_up(model):
        prompts = Prompts.of(model, tokenizer, rows, False, TOKENS[model.device.type])
        most = decoding.max_new_tokens
        return [prompt_lookup.greedy(model, prompts, rows[0], ends_of(model, tokenizer), rules, most, stops)]
    with decoding_cache.attention_of(model) if reads else nullcontext():
        if decoding.num_beams > 1:
            return _beams(model, tokenizer, rows, decoding, rules.never)
        cache = decoding_cache.cache_for(model) if reads else None
        return _greedy(model, tokenizer, rows, decoding, rules, stops, cache)


def _taken(model: Any, prompts: Sequence[Sequence[int]]) -> int:
    """Positions that are taken when a model starts to write."""
    return 0 if model.config.is_encoder_decoder else max(map(len, prompts))


def _shorter(decoding: DecodingSpec, room: int) -> DecodingSpec:
    return decoding.model_copy(update={"max_new_tokens": max(1, room)})


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
        "pad_token_id": pad_of(tokenizer),
        "decoder_start_token_id": start_of(model) if model.config.is_encoder_decoder else None,
        **({} if config.bos_token_id is not None else {"bos_token_id": tokenizer.bos_token_id}),
        **({} if decoding.length_penalty is None else {"length_penalty": decoding.length_penalty}),
        **sampling,
    }
    for name, value in chosen.items():
        setattr(config, name, value)
    return config


SAMPLING = ("temperature", "top_k", "top_p")


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


def _greedy(
    model: Any,
    tokenizer: Any,
    rows: list[list[int]],
    decoding: DecodingSpec,
    rules: StepRules,
    stops: Stops | None,
    cache: Any,
) -> list[list[int]]:
    import torch

    device = model.device
    ends = torch.tensor(ends_of(model, tokenizer), device=device)
    prompts = Prompts.of(model, tokenizer, rows, cache is not None, TOKENS[model.device.type])
    step_ids = prompts.tokens
    alive = torch.arange(len(rows), device=device)
    going = torch.ones(len(rows), dtype=torch.bool, device=device)
    written = torch.zeros((len(rows), decoding.max_new_tokens), dtype=torch.long, device=device)
    lengths = torch.zeros(len(rows), dtype=torch.long, device=device)
    cache_of = cache_name(model)
    last_only = {"logits_to_keep": 1} if takes(model, "logits_to_keep") else {}
    for place in range(decoding.max_new_tokens):
        output = model(**{prompts.name: step_ids, cache_of: cache}, **prompts.state, use_cache=True, **last_only)
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
        prompts.grow()
        step_ids = step[:, None]
        if left <= KEEP_ABOVE * len(going):
            keep = going.nonzero().flatten()
            alive, going, step_ids = alive[keep], going[keep], step_ids[keep]
            cache.batch_select_indices(keep)
            prompts.select(keep)
    return [row[:length] for row, length in zip(written.tolist(), lengths.tolist(), strict=True)]


def _beams(
    model: Any, tokenizer: Any, rows: list[list[int]], decoding: DecodingSpec, never: Sequence[int]
) -> list[list[int]]:
    """Raises decoding_cache.UnfitError where the model's attention is not that of `decoding_cache` throughout."""
    ends, beams = ends_of(model, tokenizer), decoding.num_beams
    prompts = Prompts.of(model, tokenizer, rows, True, TOKENS[model.device.type])
    search = beam_search.BeamSearch(
        beam_search.rules_for(settings_for(model, tokenizer, decoding), ends, never), len(rows), model.device
    )
    tree = decoding_cache.Tree(beams)
    cache_of, cache = cache_name(model), decoding_cache.cache_for(model, tree)
    last_only = {"logits_to_keep": 1} if takes(model, "logits_to_keep") else {}
    arguments, step_ids = prompts.state, prompts.tokens
    while True:
        output = model(**{prompts.name: step_ids, cache_of: cache}, **arguments, use_cache=True, **last_only)
        if tree.branches:
            tree.check()
        else:
            tree.branch(prompts.seen)
        tokens, parents = search.step(output.logits[:, -1].unflatten(0, (len(search.texts), -1)))
        left = int(search.going.sum())
        if not left:
            return [_until(text, set(ends)) for text in search.written()]
        tree.follow(parents)
        prompts.grow()
        if left <= KEEP_ABOVE * len(search.texts):
            keep = search.going.nonzero().flatten()
            tokens = tokens[keep]
            for each in (search, tree, prompts):
                each.select(keep)
            cache.batch_select_indices(keep)
        tree.grow()
        arguments, step_ids = prompts.of_beams(beams), tokens.view(-1, 1)


def _library(
    model: Any, tokenizer: Any, rows: list[list[int]], decoding: DecodingSpec, seed: int, stops: Stops | None
) -> list[list[int]]:
    import torch

    writes_apart = model.config.is_encoder_decoder
    ids, mask = (part.to(model.device) for part in padded(rows, pad_of(tokenizer), left=not writes_apart))
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
