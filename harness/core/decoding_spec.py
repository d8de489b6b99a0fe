"""How text comes out of a model, as a task says."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from harness.core.strict_spec import Strict


class DecodingSpec(Strict):
    """How text comes out of a model, for the families that answer in words.

    A generative model: at most `max_new_tokens`, greedily, by a beam search of `num_beams` (`length_penalty` > 0
    favours longer texts; left out, it is the checkpoint's), or with `do_sample` drawn at a `temperature` from the
    `top_k` likeliest tokens (0: all) that hold `top_p` of the probability. All else is as the checkpoint's
    `generation_config` has it: tokens that are forced, suppressed or begin and end a text, n-grams that must not come
    back. A model that extracts: the best of `n_best` spans of at most `max_answer_length` tokens, over windows of the
    context that overlap by `doc_stride` tokens. A free generation goes on from the first `prompt_words` words. The
    likelihood of a text by a masked language model is that of each token while it alone is masked (`original`; Salazar
    et al. 2020), or while those after it in its word are too (`within-word-l2r`; Kauf & Ivanova 2023).
    """

    max_new_tokens: int = Field(default=64, ge=1, le=32768)
    num_beams: int = Field(default=1, ge=1, le=64)
    length_penalty: float | None = None
    do_sample: bool = False
    temperature: float = Field(default=1.0, gt=0)
    top_k: int = Field(default=0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    n_best: int = Field(default=20, ge=1)
    max_answer_length: int = Field(default=30, ge=1)
    doc_stride: int = Field(default=128, ge=1)
    prompt_words: int = Field(default=8, ge=1)
    pseudo_likelihood: Literal["original", "within-word-l2r"] = "original"

    @model_validator(mode="after")
    def _one_way(self) -> DecodingSpec:
        if self.do_sample and self.num_beams > 1:
            raise ValueError("do_sample and num_beams: give one or the other")
        for name in () if self.do_sample else ("temperature", "top_k", "top_p"):
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name} goes with do_sample")
        if self.length_penalty is not None and self.num_beams == 1:
            raise ValueError("length_penalty goes with num_beams")
        return self
