"""A generative model in CTranslate2, called and made to generate as one of `transformers`. Imports torch: import it
inside functions.

It keeps no cache between calls: a call reads its rows from their beginning, and texts are decoded by CTranslate2
itself.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ctranslate2
import numpy as np
import torch
from transformers import AutoConfig, GenerationConfig, PretrainedConfig

from harness.core.errors import HarnessError
from harness.core.machine.waiting import Stopwatch
from harness.modeling.inference.decoding_inputs import start_of
from harness.modeling.inference.decoding_rules import rules_of
from harness.modeling.runtimes.base import RuntimeModel
from harness.modeling.weights.loading import HERE, load_tokenizer
from harness.modeling.weights.settings import Settings

VOCABULARIES = ("shared_vocabulary.json", "vocabulary.json")
ABSENT = -1e4
"""The logit of a token that the model does not have."""
RULES = {"suppress_tokens", "bad_words_ids", "min_new_tokens"}
"""What of a checkpoint's `generation_config` is kept here, beside where texts begin and end."""
RULES_APART = {*RULES, "min_length", "no_repeat_ngram_size", "forced_bos_token_id", "forced_eos_token_id"}
"""Of encoder–decoders: their input is not part of what is written, which these count."""
Rows = list[list[int]]


def refused_rules(generation: GenerationConfig, writes_apart: bool) -> str | None:
    """What a checkpoint's `generation_config` asks that CTranslate2 does not do as `transformers` does it; None for
    nothing.
    """
    rules = rules_of(generation)
    unknown_rules = sorted(set(rules) - (RULES_APART if writes_apart else RULES))
    forced = [name for name in ("forced_bos_token_id", "forced_eos_token_id") if isinstance(rules.get(name), list)]
    return next(iter([*unknown_rules, *forced]), None)


@dataclass(frozen=True)
class Encoded:
    """What an encoder–decoder is given to read: it is encoded with each call that writes."""

    rows: Rows


class Encoder:
    """Stands for the encoder, which CTranslate2 keeps inside."""

    def __call__(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> Encoded:
        return Encoded(_rows(input_ids, attention_mask))


class Ct2Writer:
    """Always predicts, on the CPU."""

    main_input_name = "input_ids"
    training = False
    decodes_itself = True
    _is_stateful = True  # as transformers calls models whose cache cannot go back; this one has none

    def __init__(self, folder: Path, config: PretrainedConfig, generation: GenerationConfig, threads: int) -> None:
        self.config, self.generation_config = config, generation
        self.device = torch.device("cpu")
        self.writes_apart = bool(config.is_encoder_decoder)
        names = next((folder / name for name in VOCABULARIES if (folder / name).is_file()), None)
        try:
            self._tokens: list[str] = json.loads((names or folder / VOCABULARIES[0]).read_text(encoding="utf-8"))
            self._open = partial(
                ctranslate2.Translator if self.writes_apart else ctranslate2.Generator,
                str(folder), device="cpu", inter_threads=1, intra_threads=threads,
            )  # fmt: skip
            self._model = self._open()
        except (RuntimeError, ValueError, OSError) as error:
            raise HarnessError(f"ctranslate2 cannot load {folder}: {' '.join(str(error).split())[:200]}") from None
        self._numbers = {token: number for number, token in enumerate(self._tokens)}

    def eval(self) -> Ct2Writer:
        return self

    def train(self, mode: bool = True) -> Ct2Writer:
        if mode:
            raise HarnessError("a model in ctranslate2 cannot be trained")
        return self

    def named_modules(self) -> Sequence[tuple[str, Any]]:
        return ()

    def get_encoder(self) -> Encoder:
        return Encoder()

    def get_input_embeddings(self) -> None:
        """None: they are inside of CTranslate2."""

    def __call__(self, *arguments: Any, **inputs: Any) -> SimpleNamespace:
        return self.forward(*arguments, **inputs)

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        decoder_input_ids: torch.Tensor | None = None,
        encoder_outputs: Encoded | None = None,
        use_cache: bool = False,
    ) -> SimpleNamespace:
        """The logits (b, t, vocabulary) of rows of ids that end with padding, or of what an encoder–decoder writes."""
        if not self.writes_apart:
            assert input_ids is not None
            logits = self._forwarded(_rows(input_ids, attention_mask), input_ids.shape[1])
        else:
            assert decoder_input_ids is not None
            encoded = encoder_outputs or Encoder()(input_ids, attention_mask)  # type: ignore[arg-type]
            logits = self._decoded(encoded.rows, decoder_input_ids.tolist())
        return SimpleNamespace(logits=torch.from_numpy(logits))

    def _forwarded(self, rows: Rows, length: int) -> np.ndarray:
        ids = np.zeros((len(rows), length), dtype=np.int32)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = row
        sizes = np.asarray([len(row) for row in rows], dtype=np.int32)
        given = (ctranslate2.StorageView.from_array(array) for array in (ids, sizes))
        logits = np.asarray(self._model.forward_batch(*given), dtype=np.float32)
        whole = np.zeros((len(rows), length, logits.shape[2]), dtype=np.float32)
        whole[:, : logits.shape[1]] = logits
        return whole

    def _decoded(self, sources: Rows, written: Rows) -> np.ndarray:
        """Each token after those before it, which the decoder is made to write first."""
        if any(row[0] != start_of(self) for row in written):
            raise HarnessError("a model in ctranslate2 begins what it writes with its own first token alone")
        length = len(written[0])
        results = self._model.translate_batch(
            self._sources(sources),
            target_prefix=[[self._tokens[number] for number in self._known(row[1:])] for row in written],
            beam_size=1,
            max_decoding_length=length,
            min_decoding_length=0,
            max_input_length=0,
            return_logits_vocab=True,
        )
        logits = np.zeros((len(sources), length, max(len(self._tokens), self.config.vocab_size)), dtype=np.float32)
        logits[..., len(self._tokens) :] = ABSENT
        for place, result in enumerate(results):
            for step, values in enumerate(result.logits[0][:length]):
                logits[place, step, : len(self._tokens)] = np.asarray(values, dtype=np.float32)[: len(self._tokens)]
        return logits

    def _known(self, row: Sequence[int]) -> list[int]:
        """Without padding that the model has no token for, which nothing real follows."""
        return [number if number < len(self._tokens) else 0 for number in row]

    def _sources(self, rows: Rows) -> list[list[str]]:
        """What is read. Raises HarnessError for a row of its end alone, which CTranslate2 passes over."""
        if any(set(row) <= {*_listed(self.generation_config.eos_token_id)} for row in rows):
            raise HarnessError("ctranslate2 reads no input that is empty; leave out what has no text")
        return self._as_tokens(rows)

    def _as_tokens(self, rows: Rows) -> list[list[str]]:
        return [[self._tokens[number] for number in row if number < len(self._tokens)] for row in rows]

    def generate(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        generation_config: GenerationConfig | None = None,
        **ignored: Any,
    ) -> Any:
        """Ids (b, t) as `transformers` gives them, filled up with a token that ends texts: those of the input first, or
        the token that an output begins with.
        """
        settings = generation_config or self.generation_config
        rows, ends = _rows(input_ids, attention_mask), _listed(settings.eos_token_id)
        keeps_logits = bool(settings.return_dict_in_generate)
        written, logits = self._written(rows, settings, ends, keeps_logits)
        longest = max(map(len, written), default=0)
        fill = ends[0] if ends else 0
        before = torch.full((len(rows), 1), start_of(self)) if self.writes_apart else input_ids
        after = torch.tensor([row + [fill] * (longest - len(row)) for row in written], dtype=torch.long)
        sequences = torch.cat([before, after.reshape(len(rows), longest)], dim=1)
        return SimpleNamespace(sequences=sequences, logits=logits) if keeps_logits else sequences

    def _written(
        self, rows: Rows, settings: GenerationConfig, ends: list[int], keeps_logits: bool
    ) -> tuple[Rows, tuple[torch.Tensor, ...]]:
        if refused := refused_rules(settings, self.writes_apart):
            raise HarnessError(f"ctranslate2 does not decode with the {refused} of the model's generation_config")
        most, rules = int(settings.max_new_tokens), rules_of(settings)
        options = self._options(settings, rules, ends) | {"return_logits_vocab": keeps_logits}
        if settings.do_sample:
            ctranslate2.set_random_seed(torch.initial_seed() % 2**31)
            self._model = self._open()  # threads that are there already go on drawing as before
        if self.writes_apart:
            forced = rules.get("forced_bos_token_id")
            prefix = None if forced is None else [[self._tokens[forced]]] * len(rows)
            least = max(int(rules.get("min_length", 1)) - 1, int(rules.get("min_new_tokens", 0)))
            results = self._model.translate_batch(
                self._sources(rows), target_prefix=prefix, max_decoding_length=most, min_decoding_length=least,
                max_input_length=0, no_repeat_ngram_size=int(rules.get("no_repeat_ngram_size", 0)), **options,
            )  # fmt: skip
            written = [[self._numbers[token] for token in result.hypotheses[0]] for result in results]
            last = rules.get("forced_eos_token_id")
            if last is not None:
                written = [[*row[: most - 1], int(last)] if len(row) >= most else row for row in written]
        else:
            results = self._model.generate_batch(
                self._as_tokens(rows), max_length=most, min_length=int(rules.get("min_new_tokens", 0)),
                include_prompt_in_result=False, **options,
            )  # fmt: skip
            written = [list(result.sequences_ids[0]) for result in results]
        steps = results[0].logits[0] if keeps_logits else ()
        logits = tuple(torch.from_numpy(np.array(step, dtype=np.float32)).reshape(1, -1) for step in steps)
        return [row[:most] for row in written], logits

    def _options(self, settings: GenerationConfig, rules: Mapping[str, Any], ends: list[int]) -> dict[str, Any]:
        never = [[int(number)] for number in rules.get("suppress_tokens", ())] + list(rules.get("bad_words_ids", ()))
        drawn = {
            "sampling_topk": int(settings.top_k or 0),
            "sampling_topp": float(1.0 if settings.top_p is None else settings.top_p),
            "sampling_temperature": float(1.0 if settings.temperature is None else settings.temperature),
        }
        return {
            "beam_size": int(settings.num_beams or 1),
            "length_penalty": float(1.0 if settings.length_penalty is None else settings.length_penalty),
            "suppress_sequences": self._as_tokens([row for row in never if max(row) < len(self._tokens)]) or None,
            "return_end_token": bool(settings.return_dict_in_generate),
            **({"end_token": ends} if ends else {}),
            **(drawn if settings.do_sample else {}),
        }

    def timed(self, ids: np.ndarray, mask: np.ndarray, new_tokens: int) -> tuple[float, float]:
        """Seconds until the first token of all rows is there, and for the `new_tokens` - 1 after it. No text ends."""
        rows = self._as_tokens(_rows(torch.from_numpy(ids), torch.from_numpy(mask)))
        steps: list[float] = []

        def note(result: Any) -> bool:
            steps.append(watch.seconds())
            return False

        options = {"beam_size": 1, "callback": note}
        watch = Stopwatch()
        if self.writes_apart:
            self._model.translate_batch(
                rows, max_decoding_length=new_tokens, min_decoding_length=new_tokens, max_input_length=0, **options
            )
        else:
            self._model.generate_batch(
                rows, max_length=new_tokens, min_length=new_tokens, include_prompt_in_result=False, **options
            )
        end = watch.seconds()
        first = steps[len(rows) - 1] if len(steps) >= len(rows) else end
        return first, end - first


@dataclass
class Ct2Model(RuntimeModel):
    def forward(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        known = inspect.signature(self.module.forward).parameters
        tensors = {name: torch.from_numpy(array) for name, array in inputs.items() if name in known}
        return {"logits": self.module(**tensors).logits.numpy()}


def open_writer(folder: Path, settings: Settings, threads: int) -> Ct2Model:
    """The model of a folder. Raises HarnessError where a file is missing or damaged."""
    torch.set_num_threads(threads)
    try:
        config = AutoConfig.from_pretrained(folder, **HERE)
        generation = GenerationConfig.from_pretrained(folder, **HERE)
    except (OSError, ValueError) as error:
        raise HarnessError(f"cannot load the model in {folder}: {' '.join(str(error).split())}") from None
    writer = Ct2Writer(folder, config, generation, threads)
    return Ct2Model("ctranslate2", folder, settings, load_tokenizer(folder), writer)


def _rows(ids: torch.Tensor, mask: torch.Tensor | None) -> Rows:
    """Without padding, on whichever side it is."""
    if mask is None:
        rows: Rows = ids.tolist()
        return rows
    return [row[real.bool()].tolist() for row, real in zip(ids, mask, strict=True)]


def _listed(ends: Any) -> list[int]:
    return [] if ends is None else [int(end) for end in ends] if isinstance(ends, list) else [int(ends)]
