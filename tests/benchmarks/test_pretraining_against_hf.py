"""Pretraining steps, harness against HF Trainer with DataCollatorForLanguageModeling, side by side in one process.

The same model, the same packed blocks of real text, batch, optimizer and thread count (one); both train the same number
of steps, in alternation, and the ratio of their tokens a second is the median over the rounds. Seconds are those of the
CPU: with one thread they are the time it takes on an idle machine, whatever else runs. The figures land in
pytest-benchmark's `extra_info` and in $HARNESS_BENCHMARK_OUT, if set. `HARNESS_BENCHMARK=full` takes the steps that the
README quotes.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from pathlib import Path

import numpy as np
import pytest

from harness.core.registry import load_registry
from harness.modeling.weights.building import build_config
from harness.pipeline.steps.pretraining_data import make_objective
from harness.training import tokenizers

FULL = os.environ.get("HARNESS_BENCHMARK") == "full"
STEPS, ROUNDS = (40, 5) if FULL else (3, 1)
VOCABULARY = 8000


def hf_train(model, tokenizer, blocks: np.ndarray, mlm: bool, batch_size: int, folder: Path) -> float:
    """CPU seconds for `STEPS` steps of HF Trainer as the public `run_mlm.py` and `run_clm.py` set it up."""
    from transformers import DataCollatorForLanguageModeling, Trainer, TrainingArguments

    arguments = TrainingArguments(
        output_dir=str(folder), max_steps=STEPS, per_device_train_batch_size=batch_size, learning_rate=1e-3,
        weight_decay=0.01, use_cpu=True, save_strategy="no", report_to="none", disable_tqdm=True,
        logging_strategy="no",
    )  # fmt: skip
    rows = [{"input_ids": row.tolist()} for row in blocks[: STEPS * batch_size]]
    collator = DataCollatorForLanguageModeling(tokenizer, mlm=mlm, mlm_probability=0.15)
    trainer = Trainer(model=model, args=arguments, train_dataset=rows, data_collator=collator)
    start = time.process_time()
    trainer.train()
    return time.process_time() - start


def harness_train(model, objective, blocks: np.ndarray, settings, folder: Path) -> float:
    from harness.training.pretraining import loop

    start = time.process_time()
    loop.train(model, objective, blocks, settings, "fp32", folder, lambda throughput: None, resume=False)
    return time.process_time() - start


@pytest.mark.slow
@pytest.mark.nightly
@pytest.mark.parametrize("name", ["bert-tiny-mlm", "gpt2-tiny-clm"])
def test_pretraining_against_hf_trainer(benchmark, name, real_data, tmp_path):
    """Asserts that both sides train; the ratio is reported, not asserted."""
    import torch

    from harness.training.objectives.vocabulary import tokens_of

    torch.set_num_threads(1)
    recipe = load_registry().model_spec(name)
    assert recipe.pretraining is not None and recipe.tokenizer is not None
    settings = recipe.pretraining.model_copy(update={"steps": STEPS, "block_size": 128, "batch_size": 32})
    recipe = recipe.model_copy(
        update={"pretraining": settings, "tokenizer": recipe.tokenizer.model_copy(update={"vocab_size": VOCABULARY})}
    )
    texts = [line for line in (real_data / "wikitext-2" / "valid.txt").read_text().splitlines() if line.strip()]
    tokenizer = tokenizers.train(recipe.tokenizer, texts, 128)
    tokens = tokens_of(tokenizer)
    objective = make_objective(recipe, tokens)
    encoded = tokenizer(texts, add_special_tokens=False)["input_ids"]
    stream = np.concatenate([[*row, tokens.end] for row in encoded])
    blocks = stream[: len(stream) // objective.raw_size * objective.raw_size].reshape(-1, objective.raw_size)
    config = build_config(recipe, tokenizer)
    seconds: dict[str, list[float]] = {"harness": [], "hf": []}

    def rounds() -> None:
        for index in range(ROUNDS):
            for side in ("harness", "hf") if index % 2 == 0 else ("hf", "harness"):
                torch.manual_seed(0)
                model = objective.build(config)
                if side == "harness":
                    seconds[side].append(harness_train(model, objective, blocks, settings, tmp_path / "ours"))
                else:
                    mlm = name.endswith("mlm")
                    packed = blocks[:, : settings.block_size]
                    seconds[side].append(hf_train(model, tokenizer, packed, mlm, settings.batch_size, tmp_path / "hf"))

    benchmark.pedantic(rounds, rounds=1, iterations=1)
    done = STEPS * settings.batch_size * settings.block_size
    ratios = [hf / ours for hf, ours in zip(seconds["hf"], seconds["harness"], strict=True)]
    report = {
        "recipe": name,
        "vocabulary": len(tokenizer),
        "tokens_per_second": {side: round(done / statistics.median(times)) for side, times in seconds.items()},
        "ratio": round(statistics.median(ratios), 2),
        "ratios": [round(ratio, 2) for ratio in ratios],
    }
    benchmark.extra_info.update(report)
    if os.environ.get("HARNESS_BENCHMARK_OUT"):
        Path(os.environ["HARNESS_BENCHMARK_OUT"]).with_suffix(f".{name}.json").write_text(json.dumps(report, indent=1))
    assert all(times and min(times) > 0 for times in seconds.values())
