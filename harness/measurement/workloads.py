"""What models are given while they are timed: random tokens without padding, or a task's own examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import data
from harness.core.errors import HarnessError
from harness.core.lazy import lazy
from harness.core.specs import TaskSpec
from harness.modeling.heads import HEADS, EncodingContext
from harness.modeling.inference.batching import IGNORED, pad, scoring_batches
from harness.modeling.runtimes import RuntimeModel

if TYPE_CHECKING:
    import numpy as np

scoring = lazy("harness.modeling.inference.scoring")


NEW_TOKENS = 16
"""Tokens a generator writes in each call; the first is the prefill's, the others are decoding."""
TASK_EXAMPLES = 128
NAMES = {"image": "image", "audio": "sound"}


@dataclass(frozen=True)
class Workload:
    """What a call is given: `batch` rows of `length` tokens, or items of the modality `items`, or a task's examples."""

    name: str
    batch: int = 0
    length: int = 0
    task: Mapping[str, Any] | None = None
    data: str = ""
    items: str = ""

    @classmethod
    def grid(cls, batches: Sequence[int], lengths: Sequence[int]) -> list[Workload]:
        return [cls(f"{batch} × {length}", batch, length) for batch in batches for length in lengths]

    @property
    def padded_tokens(self) -> int:
        return self.batch * self.length


@dataclass(frozen=True)
class Work:
    """The batches of a call, each with arrays (b, t) int64 by input name; `tokens` and `examples` are those of all,
    padding not counted. `new_tokens` is how many a generator writes after each row, 0 for others. `amount` is how much
    the items hold in the unit of their modality.
    """

    batches: list[dict[str, np.ndarray]]
    tokens: int
    examples: int
    new_tokens: int = 0
    amount: float = 0.0
    notes: Mapping[str, Any] = field(default_factory=dict)

    def amounts(self) -> dict[str, dict[str, float]]:
        """Of a call by stage. A decoder reads the prompts, then writes all tokens but the first."""
        if not self.new_tokens:
            amount = {"amount": self.amount} if self.amount else {}
            return {"forward": {"tokens": self.tokens, "examples": self.examples, **amount}}
        return {
            "prefill": {"tokens": self.tokens, "examples": self.examples},
            "decode": {"tokens": self.examples * (self.new_tokens - 1), "examples": self.examples},
        }


@dataclass(frozen=True)
class Absent:
    """A cell that a model cannot be given, with the reason."""

    reason: str


def random_work(cell: Workload, model: RuntimeModel, writes: bool, room: int | None, seed: int) -> Work | Absent:
    """Rows of random tokens of the model's vocabulary, none of them special, as long as the cell says.

    Equal tokenizers are given equal rows. `room` is how many tokens the model has positions for.
    """
    import numpy as np

    new_tokens = NEW_TOKENS if writes else 0
    separate = writes and _reads_apart(model)
    longest = cell.length + (0 if separate else new_tokens)
    if room is not None and longest > room:
        after = f" and {new_tokens} more" if longest > cell.length else ""
        return Absent(f"{model.folder.name} has {room} positions, not {cell.length}{after}")
    special = set(model.tokenizer.all_special_ids)
    ordinary = np.asarray([token for token in range(vocabulary_of(model)) if token not in special], dtype=np.int64)
    random = np.random.default_rng([seed, cell.batch, cell.length])
    ids = ordinary[(random.random((cell.batch, cell.length)) * len(ordinary)).astype(np.int64)]
    inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    if not writes and "token_type_ids" in model.tokenizer.model_input_names:
        inputs["token_type_ids"] = np.zeros_like(ids)
    return Work([inputs], ids.size, cell.batch, new_tokens)


def task_work(cell: Workload, model: RuntimeModel, writes: bool, room: int | None, device: str) -> Work | Absent:
    """The first examples of a task's scored split in batches of like length, longest first, as they are scored on
    that type of device.
    """

    assert cell.task is not None
    task = TaskSpec.model_validate(cell.task)
    loaded = data.load(task, cell.data, TASK_EXAMPLES)
    split = loaded.split(task.eval[0])
    settings = model.settings
    if settings.head not in HEADS.names():
        return Absent(f"{model.folder.name} has no head for a task")
    reader = EncodingContext(task, loaded.labels, model.tokenizer, settings.max_length, 0, settings.fitted)
    try:
        encoded = HEADS.get(settings.head).encode(reader, split)
    except (KeyError, AssertionError, AttributeError, TypeError):
        return Absent(f"{model.folder.name} (head {settings.head}) cannot read {task.name}")
    columns: dict[str, Sequence[Sequence[int]]] = {
        name: encoded.columns[name]
        for name in ("input_ids", "attention_mask", "token_type_ids")
        if name in encoded.columns
    }
    new_tokens = 0
    if writes:
        new_tokens = NEW_TOKENS
        rows = columns["input_ids"]
        if not _reads_apart(model):
            rows = [_prompt(row, known, IGNORED) for row, known in zip(rows, encoded.columns["labels"], strict=True)]
            rows = [row[: room - new_tokens] for row in rows] if room is not None else rows
        columns = {"input_ids": rows, "attention_mask": [[1] * len(row) for row in rows]}
    lengths = [len(row) for row in columns["input_ids"]]
    pad_id = model.tokenizer.pad_token_id
    fills = {"input_ids": pad_id if isinstance(pad_id, int) else 0, "attention_mask": 0, "token_type_ids": 0}
    batches = [
        {
            name: tensor.numpy()
            for name, tensor in pad(
                [{name: rows[index] for name, rows in columns.items()} for index in indices],
                {name: fills[name] for name in columns},
            ).items()
        }
        for indices in scoring_batches(lengths, scoring.SCORING_TOKENS[device])
    ]
    if writes and not _reads_apart(model):
        batches = [_left_padded(batch) for batch in batches]
    return Work(batches, sum(lengths), len(lengths), new_tokens, notes={"fingerprint": split.fingerprint})


def vocabulary_of(model: RuntimeModel) -> int:
    """Token ids the model and its tokenizer both know: 0 … n - 1."""
    config = getattr(model.module, "config", None)
    known = getattr(config, "vocab_size", None)
    return min(len(model.tokenizer), known) if isinstance(known, int) else len(model.tokenizer)


def cells_of(batches: str, lengths: str) -> list[Workload]:
    """From `1,8,32` and `32,128,512`. Raises HarnessError where that is no list of positive numbers."""
    return Workload.grid(_numbers(batches, "--batch"), _numbers(lengths, "--length"))


def item_cells(batches: str, modality: str) -> list[Workload]:
    """From `1,8,32`. Raises HarnessError as `cells_of` does."""
    return [
        Workload(f"{batch} {NAMES[modality]}{'s' if batch > 1 else ''}", batch, 1, items=modality)
        for batch in _numbers(batches, "--batch")
    ]


def _numbers(text: str, flag: str) -> list[int]:
    try:
        values = list(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError:
        values = []
    if not values or min(values) < 1:
        raise HarnessError(f"{flag} {text}: give positive numbers with commas between them, e.g. 1,8,32")
    return values


def _reads_apart(model: RuntimeModel) -> bool:
    return bool(model.module.config.is_encoder_decoder)


def _prompt(row: Sequence[int], labels: Sequence[int], ignored: int) -> Sequence[int]:
    """What stands before the answer; the whole row where nothing does."""
    length = next((place for place, label in enumerate(labels) if label != ignored), len(row))
    return row[:length] or row


def _left_padded(batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Rows end together, so that all go on at the same place."""
    import numpy as np

    empty = (batch["attention_mask"] == 0).sum(axis=1)
    return {
        name: np.stack([np.roll(row, count) for row, count in zip(rows, empty, strict=True)])
        for name, rows in batch.items()
    }


def model_name(folder: Path) -> str:
    """How a folder is called in tables: its own name, that of a cell where it is a store's `model`."""
    return folder.parent.name[:12] if folder.name == "model" else folder.name
