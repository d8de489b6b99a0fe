"""The other side of the benchmark: HF Trainer fine-tuning, as a command of its own.

`run_glue` sets things up as the public `run_glue.py` example does: every example padded to 128 tokens, batch 32,
torch's default number of threads. `tuned` is the same Trainer in the hands of somebody who knows this kind of machine:
padding to the longest of a batch, batches grouped by length, one thread. Both train one model after the other in one
process, so that imports are paid once, and write no intermediate checkpoints: where `run_glue.py` differs, this is the
faster choice. A vocabulary is made of the training texts, as harness does for a model from scratch.

    python -m tests.benchmarks.hf_baseline WORK.json --mode run_glue --seed 0 --out RESULT.json

WORK.json: `[{"task", "train", "dev" (jsonl of text, text_pair, label), "labels", "regression", "metric", "config",
"tokenizer" (a folder: how it cuts texts), "vocabulary" (a size), "training"}]`. RESULT.json: `[{"task", "model", "score", "seconds"}]`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

PADDED_LENGTH = 128
MODES = ("run_glue", "tuned")


def fit_and_score(job: dict, mode: str, seed: int, precision: str) -> float:
    """Fine-tune on the job's training split; the task's metric on its dev split."""
    import numpy as np
    from datasets import load_dataset
    from transformers import (
        AutoConfig,
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
        default_data_collator,
        set_seed,
    )

    from harness import metrics

    set_seed(seed)
    rows = [json.loads(line) for line in Path(job["train"]).read_text().splitlines()]
    texts = [row[name] for row in rows for name in ("text", "text_pair") if name in row]
    tokenizer = AutoTokenizer.from_pretrained(job["tokenizer"]).train_new_from_iterator(
        texts, job["vocabulary"], show_progress=False
    )
    values = dict(job["config"])
    config = AutoConfig.for_model(
        values.pop("model_type"),
        **values,
        vocab_size=len(tokenizer),
        pad_token_id=tokenizer.pad_token_id,
        num_labels=1 if job["regression"] else len(job["labels"]),
        problem_type="regression" if job["regression"] else "single_label_classification",
    )
    model = AutoModelForSequenceClassification.from_config(config)

    def encode(rows: dict) -> dict:
        pair = (rows["text"], rows["text_pair"]) if "text_pair" in rows else (rows["text"],)
        padding = "max_length" if mode == "run_glue" else False
        return tokenizer(*pair, padding=padding, max_length=PADDED_LENGTH, truncation=True)

    with tempfile.TemporaryDirectory() as scratch:
        files = {"train": job["train"], "dev": job["dev"]}
        data = load_dataset("json", data_files=files, cache_dir=scratch).map(encode, batched=True)
        training = job["training"]
        arguments = TrainingArguments(
            output_dir=scratch,
            seed=seed,
            use_cpu=True,
            num_train_epochs=training["epochs"],
            per_device_train_batch_size=training["batch_size"],
            per_device_eval_batch_size=training["batch_size"],
            learning_rate=training["learning_rate"],
            weight_decay=training["weight_decay"],
            warmup_steps=training["warmup_ratio"],
            train_sampling_strategy="group_by_length" if mode == "tuned" else "random",
            bf16=precision == "bf16",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        trainer = Trainer(
            model=model,
            args=arguments,
            train_dataset=data["train"],
            eval_dataset=data["dev"],
            processing_class=tokenizer,
            data_collator=default_data_collator if mode == "run_glue" else DataCollatorWithPadding(tokenizer),
        )
        trainer.train()
        predicted = trainer.predict(data["dev"])  # in the order of its own sampler, so with its own labels
        trainer.save_model(scratch)
    logits = predicted.predictions
    predictions = logits[:, 0] if job["regression"] else logits.argmax(axis=1)
    return metrics.get(job["metric"]).score(predictions, np.asarray(predicted.label_ids))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("work", type=Path)
    parser.add_argument("--mode", choices=MODES, required=True)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    if options.mode == "tuned":
        os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")
    results = []
    for job in json.loads(options.work.read_text()):
        start = time.perf_counter()
        score = fit_and_score(job, options.mode, options.seed, options.precision)
        seconds = time.perf_counter() - start
        results.append({"task": job["task"], "model": job["model"], "score": score, "seconds": round(seconds, 2)})
        print(f"{options.mode} {job['task']} {job['model']}: {score:.3f} in {seconds:.1f} s", file=sys.stderr)
    options.out.write_text(json.dumps(results))


if __name__ == "__main__":
    main()
