"""The other side of the start-up benchmark: one small cell as a script of torch and transformers, and nothing else.

python -m tests.benchmarks.bare_cell WORK.json 0       # WORK.json as `test_against_hf_trainer.export` writes it
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")


def main() -> None:
    """Train on the training split, print the accuracy on the other."""
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

    job, seed = json.loads(Path(sys.argv[1]).read_text())[0], int(sys.argv[2])
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(job["tokenizer"])
    values = dict(job["config"])
    config = AutoConfig.for_model(values.pop("model_type"), **values, vocab_size=len(tokenizer), num_labels=2)
    model = AutoModelForSequenceClassification.from_config(config)
    training = job["training"]
    optimizer = torch.optim.AdamW(model.parameters(), lr=training["learning_rate"] or 1e-4, fused=True)

    def batches(file: str, size: int, order: bool):
        rows = [json.loads(line) for line in Path(file).read_text().splitlines()]
        places = torch.randperm(len(rows)).tolist() if order else range(len(rows))
        for start in range(0, len(rows), size):
            chosen = [rows[place] for place in places[start : start + size]]
            encoded = tokenizer([row["text"] for row in chosen], padding=True, truncation=True, return_tensors="pt")
            yield encoded, torch.tensor([row["label"] for row in chosen])

    model.train()
    for _ in range(int(training["epochs"])):
        for encoded, labels in batches(job["train"], training["batch_size"], order=True):
            model(**encoded, labels=labels).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
    model.eval()
    right = count = 0
    with torch.inference_mode():
        for encoded, labels in batches(job["dev"], 64, order=False):
            right += int((model(**encoded).logits.argmax(1) == labels).sum())
            count += len(labels)
    model.save_pretrained(Path(sys.argv[1]).parent / "bare")
    print(right / count)


if __name__ == "__main__":
    main()
