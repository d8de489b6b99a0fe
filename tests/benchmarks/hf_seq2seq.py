"""The other side of the text-to-text benchmark: HF Seq2SeqTrainer with `predict_with_generate`.

`examples` is what the public `run_translation.py` and `run_summarization.py` do where nothing is said: batches of 8
texts in random order for training and in the order of the file for generation, the loss of the test set beside its
texts, fp32. `tuned` is the same trainer in the hands of somebody who knows it: batches of the model spec's size grouped by
length, in the precision that harness picks; generation in large batches of like length, without the loss. Tokenization
is on neither side's clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SOURCE_TOKENS, TARGET_TOKENS = 1024, 128
"""`max_source_length` and `max_target_length` of the examples."""

TUNED_EVAL_BATCH = 64
IGNORED = -100

MODES = ("examples", "tuned")


@dataclass(frozen=True)
class HFSide:
    """Seq2SeqTrainer in one of `MODES`. `training` is the model spec's, `precision` fp32 or bf16."""

    mode: str
    tokenizer: Any
    training: Any
    precision: str
    folder: Path

    def encode(self, prompts: Sequence[str], answers: Sequence[str]) -> Any:
        """The examples' `preprocess_function`: a dataset of input_ids, attention_mask and labels."""
        from datasets import Dataset

        def preprocess(rows: dict[str, list[str]]) -> Any:
            inputs = self.tokenizer(rows["prompt"], max_length=SOURCE_TOKENS, truncation=True)
            labels = self.tokenizer(text_target=rows["answer"], max_length=TARGET_TOKENS, truncation=True)
            return inputs | {"labels": labels["input_ids"]}

        raw = Dataset.from_dict({"prompt": list(prompts), "answer": list(answers)})
        return raw.map(preprocess, batched=True, remove_columns=["prompt", "answer"])

    def train(self, model: Any, dataset: Any, epochs: float, seed: int) -> float:
        """Fine-tune `model` in place; the mean training loss."""
        tuned = self.mode == "tuned"
        trainer = self._trainer(
            model,
            dataset,
            seed=seed,
            num_train_epochs=epochs,
            learning_rate=self.training.learning_rate,
            weight_decay=self.training.weight_decay,
            warmup_steps=self.training.warmup_ratio,
            lr_scheduler_type=self.training.schedule,
            max_grad_norm=self.training.max_grad_norm,
            bf16=tuned and self.precision == "bf16",
            **({"per_device_train_batch_size": self.training.batch_size} if tuned else {}),
            **({"train_sampling_strategy": "group_by_length"} if tuned else {}),
        )
        return trainer.train().training_loss

    def generate(self, model: Any, dataset: Any, beams: int | None, longest: int) -> list[list[int]]:
        """What `model` writes for each row, at most `longest` tokens with the end, in the order of `dataset`."""
        import numpy as np

        order = np.arange(len(dataset))
        more: dict[str, Any] = {}
        if self.mode == "tuned":
            order = np.argsort([-len(row) for row in dataset["input_ids"]], kind="stable")
            dataset = dataset.select(order).remove_columns("labels")
            more = {"per_device_eval_batch_size": TUNED_EVAL_BATCH}
        trainer = self._trainer(model, None, generation_max_length=longest + 1, **more)
        found = trainer.predict(dataset, max_length=longest + 1, num_beams=beams).predictions
        texts: list[list[int]] = [[]] * len(order)
        for place, row in zip(order.tolist(), found, strict=True):
            texts[place] = self._until_end(row[1:].tolist())
        return texts

    def _until_end(self, row: list[int]) -> list[int]:
        ends = {self.tokenizer.eos_token_id, IGNORED}  # the Trainer fills up with -100 between batches
        return next((row[:place] for place, token in enumerate(row) if token in ends), row)

    def _trainer(self, model: Any, dataset: Any, **settings: Any) -> Any:
        from transformers import (
            DataCollatorForSeq2Seq,
            DataCollatorWithPadding,
            PrinterCallback,
            Seq2SeqTrainer,
            Seq2SeqTrainingArguments,
        )

        arguments = Seq2SeqTrainingArguments(
            output_dir=str(self.folder), predict_with_generate=True, use_cpu=True, save_strategy="no",
            logging_strategy="no", report_to="none", disable_tqdm=True, **settings,
        )  # fmt: skip
        collator: Any = DataCollatorForSeq2Seq(self.tokenizer, model=model, label_pad_token_id=IGNORED)
        if self.mode == "tuned" and dataset is None:
            collator = DataCollatorWithPadding(self.tokenizer)  # the other wants labels
        trainer = Seq2SeqTrainer(
            model=model, args=arguments, train_dataset=dataset, processing_class=self.tokenizer, data_collator=collator
        )
        trainer.remove_callback(PrinterCallback)
        return trainer
