"""What `tests/benchmarks/gpu.py` measures in its own process: matrix products, pretraining, fine-tuning.

Times are of the clock, with the GPU waited for at both ends: on a GPU processor time says little. Model FLOP
utilization (MFU; Chowdhery et al. 2022) is 6 × weights in use × tokens a second, 2 × where nothing is trained, over the
peak of the chip. Embedding tables, output layers tied to them and attention's own products are not counted.
"""

from __future__ import annotations

import copy
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from transformers import TrainerCallback, TrainingArguments

from harness.core.pretraining_specs import PretrainingSpec
from harness.core.specs import TrainingSpec
from harness.modeling.heads import HEADS, EncodingContext
from harness.modeling.inference.batching import DataCollator, TokenizedDataset
from harness.training.objectives.mlm import MaskedLM, MlmOptions
from harness.training.objectives.vocabulary import tokens_of
from harness.training.pretraining import loop
from harness.training.trainer import fine_tune
from tests.unit.modeling.heads import given

PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12}
"""Dense bf16 FLOP/s of chips, by their vendor's datasheets."""
BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LENGTHS = {"as SST-2's": (13.3, 0.6, 32), "as MNLI's": (39.0, 0.45, 256)}
"""Rows of token ids that are made up: their mean length, the deviation of its logarithm, and rows a step."""
LEARNING_RATE = 1e-4

Gemm = Mapping[str, float]
"""Measured rates of a large product by precision, FLOP/s; empty where there are none."""


@dataclass(frozen=True)
class Setting:
    """Where it is measured, and how much.

    Attributes:
        device: A GPU, or the CPU where the lines are tried out.
        small: Sizes that a CPU computes in seconds.
        rounds: Rounds in which two sides take turns.
    """

    device: torch.device
    small: bool
    rounds: int

    @property
    def precision(self) -> str:
        return "fp32" if self.device.type == "cpu" else "bf16"

    @property
    def vocabulary(self) -> int:
        return 500 if self.small else 30_522

    @property
    def peak(self) -> float | None:
        """By the datasheet, where the chip is a known one."""
        name = torch.cuda.get_device_name() if self.device.type == "cuda" else ""
        return next((flops for chip, flops in PEAKS.items() if chip in name), None)

    def wait(self) -> None:
        """Until the GPU has done all it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def seconds(self, call: Callable[[], Any]) -> float:
        self.wait()
        started = time.perf_counter()
        call()
        self.wait()
        return time.perf_counter() - started

    def forget_memory(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def peak_memory(self) -> int | None:
        """Bytes that tensors took at most since memory was forgotten."""
        return torch.cuda.max_memory_allocated() if self.device.type == "cuda" else None


def weights_in_use(model: torch.nn.Module) -> int:
    """Parameters that every token is multiplied with, as the pretraining loop counts them."""
    return loop._weights_in_use(model)


def utilization(setting: Setting, flops: float, precision: str, gemm: Gemm) -> dict[str, Any]:
    """A rate of floating-point operations, and what fraction of the chip's it is."""
    fractions = {"of_peak": setting.peak if precision == "bf16" else None, "of_gemm": gemm.get(precision)}
    return {"tflops": flops / 1e12} | {name: flops / of for name, of in fractions.items() if of}


def products(setting: Setting) -> dict[str, Any]:
    """The rate of a large product of random matrices in bf16 and in fp32 (FLOP/s)."""
    size = 512 if setting.small else 8192
    rates = {}
    for name, kind in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        a, b = (torch.randn(size, size, device=setting.device, dtype=kind) for _ in range(2))
        for _ in range(3):
            a @ b
        calls = [setting.seconds(lambda a=a, b=b: [a @ b for _ in range(5)]) / 5 for _ in range(5)]
        rates[name] = 2 * size**3 / statistics.median(calls)
    return {"size": size, "flops_per_second": rates}


def wordpieces(size: int) -> Any:
    """A tokenizer of so many made-up words."""
    words = {word: number for number, word in enumerate((*SPECIAL, *(f"w{n}" for n in range(size - len(SPECIAL)))))}
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True))
    backend = Tokenizer(WordPiece(words, unk_token="[UNK]"))
    inputs = ["input_ids", "token_type_ids", "attention_mask"]
    return transformers.PreTrainedTokenizerFast(tokenizer_object=backend, model_input_names=inputs, **names)


def bert(setting: Setting, auto_class: str, **settings: Any) -> Any:
    """A BERT of random weights, of the base size; without dropout, as pretraining has none."""
    torch.manual_seed(0)
    sizes = TINY if setting.small else BASE
    dropouts = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0} | settings
    config = transformers.BertConfig(vocab_size=setting.vocabulary, pad_token_id=0, **sizes, **dropouts)
    return getattr(transformers, auto_class).from_config(config)


class _Marks(TrainerCallback):
    """When steps of HF's Trainer ended: once it is warm, and at the end."""

    def __init__(self, setting: Setting, warm: int) -> None:
        self._setting, self._warm = setting, warm
        self.times: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        if state.global_step in (self._warm, state.max_steps):
            self._setting.wait()
            self.times.append(time.perf_counter())


def arguments(setting: Setting, folder: str, **settings: Any) -> TrainingArguments:
    """HF's Trainer as somebody sets it up who knows GPUs: fused AdamW, its data loaded by workers."""
    return TrainingArguments(
        output_dir=folder, bf16=setting.precision == "bf16", use_cpu=setting.device.type == "cpu", optim="adamw_torch_fused",
        dataloader_num_workers=0 if setting.small else 4, save_strategy="no", report_to="none", disable_tqdm=True,
        logging_strategy="no", weight_decay=0.01, seed=0, **settings,
    )  # fmt: skip


def pretraining(setting: Setting, gemm: Gemm, compile: bool = False) -> list[dict[str, Any]]:
    """Masked LM of BERT-base by the pretraining loop and, not compiled, by HF's Trainer: tokens a second and MFU."""
    shapes, steps = (((16, 8),), 6) if setting.small else (((128, 512), (512, 128)), 40)
    tokenizer = wordpieces(setting.vocabulary)
    rows = []
    for block_size, batch_size in shapes:
        random = np.random.default_rng(0)
        blocks = random.integers(len(SPECIAL), setting.vocabulary, (steps * batch_size, block_size))
        line = {"work": f"masked LM, blocks of {block_size}, {batch_size} a step", "precision": setting.precision}
        ours = partial(_pretrained, setting, tokenizer, blocks, batch_size, steps, compile)
        rows.append(line | {"by": "harness, compiled" if compile else "harness"} | _rated(setting, ours, gemm))
        if not compile:
            theirs = partial(_pretrained_by_trainer, setting, tokenizer, blocks, batch_size, steps)
            rows.append(line | {"by": "HF Trainer"} | _rated(setting, theirs, gemm))
    return rows


def _rated(setting: Setting, train: Callable[[], tuple[float, int, dict[str, Any]]], gemm: Gemm) -> dict[str, Any]:
    setting.forget_memory()
    speed, weights, facts = train()
    return {
        "tokens_per_second": speed, "weights_in_use": weights, "peak_memory": setting.peak_memory(),
        **utilization(setting, 6 * weights * speed, setting.precision, gemm), **facts,
    }  # fmt: skip


def _pretrained(
    setting: Setting, tokenizer: Any, blocks: np.ndarray, batch_size: int, steps: int, compile: bool
) -> tuple[float, int, dict[str, Any]]:
    """Tokens a second of the pretraining loop once it is warm, between two moments when it has read its losses."""
    spec = PretrainingSpec(
        objective="mlm", steps=steps, block_size=blocks.shape[1], batch_size=batch_size, learning_rate=LEARNING_RATE,
        precision=setting.precision, compile=compile, checkpoint_every=10_000,
    )  # fmt: skip
    objective = MaskedLM(MlmOptions(pairs=0.0), tokens_of(tokenizer), blocks.shape[1])
    model = bert(setting, "AutoModelForMaskedLM").to(setting.device)
    marks: list[tuple[int, float]] = []
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        outcome = loop.train(
            model, objective, blocks, spec, setting.precision, Path(folder),
            lambda throughput: marks.append((throughput.step, time.perf_counter())), resume=False,
        )  # fmt: skip
    (first, began), (last, ended) = marks[1 if len(marks) > 2 else 0], marks[-1]
    facts = {"first_step_seconds": marks[0][1] - started, "loss": [outcome.losses[0], outcome.losses[-1]]}
    tokens = batch_size * blocks.shape[1]
    return (last - first) * tokens / (ended - began), weights_in_use(model), facts


def _pretrained_by_trainer(
    setting: Setting, tokenizer: Any, blocks: np.ndarray, batch_size: int, steps: int
) -> tuple[float, int, dict[str, Any]]:
    model = bert(setting, "AutoModelForMaskedLM")
    data = [{"input_ids": row} for row in blocks.tolist()]
    marks = _Marks(setting, warm=min(5, steps // 2))
    with tempfile.TemporaryDirectory() as folder:
        given_arguments = arguments(
            setting, folder, max_steps=steps, per_device_train_batch_size=batch_size, learning_rate=LEARNING_RATE
        )
        collator = transformers.DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15)
        trainer = transformers.Trainer(
            model=model, args=given_arguments, train_dataset=data, data_collator=collator, callbacks=[marks]
        )
        trainer.train()
    began, ended = marks.times
    tokens = (steps - marks._warm) * batch_size * blocks.shape[1]
    return tokens / (ended - began), weights_in_use(model), {}


def fine_tuning(
    setting: Setting, gemm: Gemm, chosen: Iterable[str] = tuple(LENGTHS), compile: bool = False
) -> list[dict[str, Any]]:
    """A classifier on BERT-base, by the fine-tuning loop and by HF's Trainer in turn, rows and padding alike."""
    tokenizer = wordpieces(setting.vocabulary)
    rows = []
    for name in chosen:
        mean, deviation, batch_size = LENGTHS[name]
        steps = 4 if setting.small else 60
        batch_size = 8 if setting.small else batch_size
        data = _made_up(steps * batch_size, mean, deviation, setting.vocabulary)
        start = bert(setting, "AutoModelForSequenceClassification", num_labels=2)
        ours = partial(_fine_tuned, setting, tokenizer, start, data, batch_size, compile)
        theirs = partial(_fine_tuned_by_trainer, setting, tokenizer, start, data, batch_size)
        contestants = {"harness, compiled": ours} if compile else {"harness": ours, "HF Trainer": theirs}
        times = in_turn(setting, contestants)
        tokens, weights = sum(map(len, data["input_ids"])), weights_in_use(start)
        for by, seconds in times.items():
            speed = tokens / statistics.median(seconds)
            rows.append(
                {
                    "work": f"classifier, lengths {name}, {batch_size} rows a step, {steps} steps", "by": by,
                    "precision": setting.precision, "tokens_per_second": speed, "weights_in_use": weights,
                    "seconds": seconds, **utilization(setting, 6 * weights * speed, setting.precision, gemm),
                }
            )  # fmt: skip
    return rows


def in_turn(setting: Setting, contestants: Mapping[str, Callable[[], Any]]) -> dict[str, list[float]]:
    """Seconds of each round, after one that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for call in contestants.values():
        call()
    for number in range(setting.rounds):
        order = list(contestants.items())
        for name, call in order if number % 2 == 0 else reversed(order):
            times[name].append(setting.seconds(call))
    return times


def _made_up(count: int, mean: float, deviation: float, vocabulary: int) -> dict[str, list[Any]]:
    """Rows of token ids whose lengths are drawn, with a class each."""
    random = np.random.default_rng(0)
    lengths = np.clip(random.lognormal(np.log(mean) - deviation**2 / 2, deviation, count).astype(int), 4, 128)
    ids = [random.integers(len(SPECIAL), vocabulary, length).tolist() for length in lengths]
    return {
        "input_ids": ids, "attention_mask": [[1] * len(row) for row in ids],
        "token_type_ids": [[0] * len(row) for row in ids], "labels": random.integers(0, 2, count).tolist(),
    }  # fmt: skip


def _fine_tuned(
    setting: Setting, tokenizer: Any, start: Any, data: dict[str, list[Any]], batch_size: int, compile: bool
) -> None:
    head = HEADS.get("sequence-classification")
    task = given.task("classification", labels=["a", "b"])
    reader = EncodingContext(task, ("a", "b"), tokenizer, 128)
    training = TrainingSpec(
        epochs=1, batch_size=batch_size, learning_rate=LEARNING_RATE, precision=setting.precision, compile=compile
    )
    encoded = TokenizedDataset(data, list(map(len, data["input_ids"])))
    fine_tune(
        copy.deepcopy(start), partial(DataCollator.of, tokenizer), encoded, lambda model, batch: head.loss(model, batch, reader), 1.0, training, 0,
        lambda fraction: None,
    )  # fmt: skip


def _fine_tuned_by_trainer(
    setting: Setting, tokenizer: Any, start: Any, data: dict[str, list[Any]], batch_size: int
) -> None:
    rows = [dict(zip(data, values, strict=True)) for values in zip(*data.values(), strict=True)]
    multiple = 8 if setting.device.type == "cuda" else None
    with tempfile.TemporaryDirectory() as folder:
        given_arguments = arguments(
            setting, folder, num_train_epochs=1, per_device_train_batch_size=batch_size, learning_rate=LEARNING_RATE,
            train_sampling_strategy="group_by_length",
        )  # fmt: skip
        transformers.Trainer(
            model=copy.deepcopy(start), args=given_arguments, train_dataset=rows, processing_class=tokenizer,
            data_collator=transformers.DataCollatorWithPadding(tokenizer, pad_to_multiple_of=multiple),
        ).train()  # fmt: skip
