"""A victim that is made by hand, 60 texts it knows, and a masked language model whose words are known."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast

from harness.core.predictions import Predictions
from harness.core.specs import TaskSpec
from harness.data.frame import Split

GOOD = ["good", "great", "lovely", "superb", "witty", "charming", "brilliant", "tender"]
BAD = ["bad", "awful", "dull", "boring", "clumsy", "dreadful", "stale", "tedious"]
PLAIN = [
    "film",
    "story",
    "scene",
    "actor",
    "music",
    "plot",
    "ending",
    "cast",
    "camera",
    "the",
    "a",
    "and",
    "of",
    "with",
    "very",
    "not",
    "7",
    "quite",
    "almost",
]
SYNONYMS = {
    "good": ["fine", "decent", "great"], "great": ["big", "large", "grand"], "lovely": ["pretty", "nice"],
    "superb": ["brave", "fine"], "witty": ["clever"], "charming": ["pretty", "magic"], "brilliant": ["bright", "glossy"],
    "tender": ["sore", "soft", "raw"], "bad": ["big", "spoilt"], "awful": ["frightful", "nasty"],
    "dull": ["matt", "blunt", "slow"], "boring": ["drilling"], "clumsy": ["heavy"], "dreadful": ["frightful"],
    "stale": ["old", "dry"], "tedious": ["long", "slow"], "film": ["movie", "picture"], "story": ["tale", "floor"],
    "plot": ["scheme"], "cast": ["mould"], "scene": ["view", "setting"],
}  # fmt: skip


def weight(word: str) -> float:
    """How much a word speaks for class 1: of words that nobody chose a little, by their letters."""
    if word in GOOD:
        return 1.0 + 0.1 * GOOD.index(word)
    if word in BAD:
        return -1.0 - 0.1 * BAD.index(word)
    return ((sum(map(ord, word)) * 37) % 101 - 50) / 300


def logits_of(text: str) -> tuple[float, float]:
    words = "".join(letter if letter.isalnum() else " " for letter in text.lower()).split()
    score = sum(weight(word) * (1 + 0.05 * math.sin(place)) for place, word in enumerate(words))
    return (-score, score)


class Victim:
    """Counts what it is asked."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.calls = 0

    def __call__(self, split: Split) -> Predictions:
        asked = [" ".join(fields) for fields in zip(*split.fields.values(), strict=True)]
        self.texts += asked
        self.calls += 1
        logits = np.asarray([logits_of(text) for text in asked], dtype=np.float32).reshape(len(asked), 2)
        return Predictions(logits.argmax(axis=1), {"logits": logits})


def probabilities(text: str) -> list[float]:
    """What the victim says of one text, in float32 logits and rounded as the attack has it."""
    logits = np.asarray(logits_of(text), dtype=np.float32).astype(np.float64)
    exponentials = np.exp(logits - logits.max())
    return [round(float(value), 6) for value in exponentials / exponentials.sum()]


def examples(count: int = 64, seed: int = 5) -> Split:
    """Texts of 5 to 14 words; one label in eight is wrong."""
    drawn = random.Random(seed)
    texts, labels = [], []
    for _ in range(count):
        label = drawn.randrange(2)
        words = [drawn.choice(GOOD if label else BAD) for _ in range(drawn.randint(1, 3))]
        words += [drawn.choice(PLAIN) for _ in range(drawn.randint(4, 11))]
        drawn.shuffle(words)
        words[0] = words[0].capitalize()
        texts.append(" ".join(words) + drawn.choice([".", "!", ""]))
        labels.append(label if drawn.random() > 0.125 else 1 - label)
    return Split(tuple(f"e{number}" for number in range(count)), {"text": tuple(texts)}, tuple(labels))


def task(attack: dict[str, Any], **more: Any) -> TaskSpec:
    values = {
        "name": "reviews", "family": "classification", "fields": {"text": "text", "label": "label"},
        "labels": ["negative", "positive"], "metrics": ["accuracy"], "attack": attack, **more,
    }  # fmt: skip
    return TaskSpec.model_validate(values)


VOCABULARY = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    ".",
    "!",
    *dict.fromkeys([*GOOD, *BAD, *PLAIN, "fine", "slow", "tale"]),
]


def save_tokenizer(vocabulary: Sequence[str], folder: Path) -> None:
    """One of whole words, laid out as BERT's."""
    tokenizer = Tokenizer(models.WordPiece({word: at for at, word in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]",
    ).save_pretrained(folder)  # fmt: skip


def masked_model(folder: Path) -> Path:
    """A small masked language model with random weights: what it says depends on the whole text."""
    save_tokenizer(VOCABULARY, folder)
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=len(VOCABULARY), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=64, initializer_range=0.5,
    )  # fmt: skip
    BertForMaskedLM(config).save_pretrained(folder)
    return folder
