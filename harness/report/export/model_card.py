"""A Hugging Face model card of a model of a run: metadata with a `model-index`, and the text that a reader needs to
judge the numbers (Mitchell et al., 2019, Model Cards for Model Reporting).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.cell_records import CompressRecord, FitRecord, PretrainRecord, ScoreRecord
from harness.core.errors import HarnessError
from harness.core.hashing import short
from harness.core.source_names import SYNTHETIC
from harness.core.store import Store, write_atomically
from harness.core.text import origin_name
from harness.core.version import __version__
from harness.report.export.source import Model, fitted, made_by
from harness.report.tables import cautions
from harness.report.tables.formats import GENERATED, escaped, number
from harness.report.tables.table import MetricScore

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCard, ModelCardData

TAG = "nlp-harness"
CARD = "README.md"
PIPELINES = {
    "classification": "text-classification",
    "nli": "text-classification",
    "similarity": "text-classification",
    "question-answering": "question-answering",
    "summarization": "summarization",
    "token-classification": "token-classification",
    "translation": "translation",
    "language-modeling": "text-generation",
    "text-generation": "text-generation",
}
METRICS = {
    "pearson": "pearsonr",
    "spearman": "spearmanr",
    "squad_f1": "f1",
    "seqeval_f1": "f1",
    "seqeval_precision": "precision",
    "seqeval_recall": "recall",
}
"""Metrics that have another name on the hub."""


def make_card(store: Store, model: Model, license: str | None) -> ModelCard:
    """The card. Raises DamagedFileError where a record behind it is not what was written."""
    from huggingface_hub import ModelCard

    metadata = _metadata(model, license).to_yaml()
    return ModelCard(f"---\n{metadata}\n---\n\n{_text(store, model)}")


def write_card(card: ModelCard, path: Path) -> Path:
    """Write the card to a `.md` file, or as README.md of a folder; returns the file. It is read back first.

    Raises:
        HarnessError: a README.md of something else is there, or the file cannot be written.
    """
    if path.suffix == ".md":
        file = path
    else:
        file = path / CARD
        if file.exists() and TAG not in file.read_text(encoding="utf-8", errors="replace"):
            raise HarnessError(f"{file} is no model card of {TAG}; choose another folder, or name a file, e.g. card.md")
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HarnessError(f"cannot write {file}: {error.strerror}") from None
    write_atomically(file, str(card).rstrip("\n") + "\n")
    check(file)
    return file


def check(file: Path) -> None:
    """Raises HarnessError where the hub's own reader does not find the card's results in it."""
    from huggingface_hub import ModelCard

    try:
        loaded = ModelCard.load(file)
    except ValueError as error:
        raise HarnessError(f"{file}: not a model card: {error}") from None
    if TAG not in (loaded.data.tags or []):
        raise HarnessError(f"{file}: its metadata cannot be read back")


def _metadata(model: Model, license: str | None) -> ModelCardData:
    from huggingface_hub import ModelCardData

    records = [model.first(task) for task in model.records]
    base = records[0].model.pretrained
    on_hub = [hub_dataset(record)[0] for record in records if record.data.source == "hub"]
    metrics = dict.fromkeys(
        METRICS.get(metric_score.metric, metric_score.metric)
        for metric_scores in model.metric_scores.values()
        for metric_score in metric_scores
    )
    pipelines = {_pipeline(record) for record in records}
    return ModelCardData(
        model_name=model.name,
        license=license,
        library_name="transformers" if records[0].model.learner == "transformer" else None,
        base_model=base if base and origin_name(base) == base else None,
        datasets=list(dict.fromkeys(on_hub)) or None,
        metrics=list(metrics) or None,
        pipeline_tag=pipelines.pop() if len(pipelines) == 1 else None,
        tags=[TAG, *sorted({record.task.name for record in records})],
        eval_results=[result for task in model.metric_scores for result in _results(model, task)] or None,
    )


def _results(model: Model, task: str) -> Iterable[EvalResult]:
    from huggingface_hub import EvalResult

    record = model.first(task)
    dataset, config, revision = hub_dataset(record) if record.data.source == "hub" else (task, None, None)
    for metric_score in model.metric_scores[task]:
        prints = {record.split: record.data.fingerprint for record in model.records[task]}
        yield EvalResult(
            task_type=_pipeline(record),
            task_name=record.task.family,
            dataset_type=dataset,
            dataset_name=f"{task} ({GENERATED if record.data.source == SYNTHETIC else _place(record)})",
            dataset_config=config,
            dataset_split=metric_score.split,
            dataset_revision=revision or prints[metric_score.split],
            metric_type=METRICS.get(metric_score.metric, metric_score.metric),
            metric_name=metric_score.metric,
            metric_value=metric_score.estimate.value,
            metric_args={
                "low": metric_score.estimate.low,
                "high": metric_score.estimate.high,
                "level": 0.95,
                "n": metric_score.n,
                "seeds": len(metric_score.estimate.per_seed),
            },
        )


def _pipeline(record: ScoreRecord) -> str:
    return PIPELINES.get(record.task.family, "other")


def hub_dataset(record: ScoreRecord) -> tuple[str, str | None, str]:
    """Path, config and commit of `hub nyu-mll/glue:sst2@0123abc`."""
    name, _, revision = record.data.location.removeprefix("hub ").partition("@")
    path, _, config = name.partition(":")
    return path, config or None, revision


def _place(record: ScoreRecord) -> str:
    """The source; of a folder its last name alone: paths of a machine are nobody's business."""
    data = record.data
    return f"folder {Path(data.location).name}" if data.source == "folder" else data.location


def _text(store: Store, model: Model) -> str:
    parts = [f"# {escaped(model.name)}", _about(model), "## Scores", _scores(model)]
    parts += ["## Training", _training(store, model), "## Lineage", _lineage(store, model)]
    parts += ["## How to use", _usage(store, model), "## Environment", _environment(model)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _about(model: Model) -> str:
    records = [model.first(task) for task in model.records]
    tasks = ", ".join(f"`{_code(task)}`" for task in model.records)
    base = records[0].model.pretrained
    start = f" It starts from `{_code(origin_name(base))}`." if base else ""
    lines = [f"Scored on {tasks} by nlp-harness {__version__}, run `{_code(model.run.run)}`.{start}"]
    if any(record.data.source == SYNTHETIC for record in records):
        lines.append(
            "**Trained and scored on generated data. The scores are not those of the public benchmarks whose names the "
            "tasks have.**"
        )
    if len(model.records) > 1:
        lines.append("Each task has a model of its own, fine-tuned from the same start.")
    return "\n\n".join(lines)


def _scores(model: Model) -> str:
    rows = [
        [task, metric_score.split, metric_score.metric, _number(metric_score), len(metric_score.estimate.per_seed),
         metric_score.n, _chance(metric_score), short(_print(model, task, metric_score.split))]
        for task, metric_scores in model.metric_scores.items()
        for metric_score in metric_scores
    ]  # fmt: skip
    if not rows:
        return "The examples have no labels: there are predictions, no scores."
    note = (
        "With 95 % intervals: over the examples and, where there are several seeds, over the seeds (±: their standard "
        "deviation). Fractions are ×100. Data: the fingerprint of the examples trained on and scored; scores with "
        "other fingerprints do not compare."
    )
    table = _table(["task", "split", "metric", "score", "seeds", "n", "chance", "data"], rows)
    every = [record for records in model.records.values() for record in records]
    known = "\n".join(f"- {escaped(caution)}" for caution in cautions.of_model(every, model.metric_scores))
    return "\n\n".join([table, note, *([known] if known else [])])


def _number(metric_score: MetricScore) -> str:
    return number(metric_score.estimate, 100 if metric_score.is_fraction else 1)


def _chance(metric_score: MetricScore) -> str:
    if metric_score.chance is None:
        return "–"
    return f"{100 * metric_score.chance:.1f}" if metric_score.is_fraction else f"{metric_score.chance:.2f}"


def _print(model: Model, task: str, split: str) -> str:
    return next(record.data.fingerprint for record in model.records[task] if record.split == split)


def _training(store: Store, model: Model) -> str:
    rows = []
    notes: dict[str, None] = {}
    for task in model.records:
        record = model.first(task)
        fit = fitted(store, record)
        data = record.data
        if fit is None:
            rows.append([task, _place(record), "–", "not trained: shown examples, or none", "–"])
            continue
        settings = fit.training if record.model.learner == "transformer" else {}
        given = {key: value for key, value in settings.items() if value is not None and key != "augment"}
        settings_text = ", ".join(f"{key} {value}" for key, value in given.items())
        seeds = sorted({record.seed for record in model.records[task]})
        examples = _examples(fit)
        rows.append([task, _place(record), examples, settings_text or fit.model.learner, ", ".join(map(str, seeds))])
        for note in data.notes:
            notes[f"- {escaped(task)}: {escaped(note)}"] = None
    table = _table(["task", "data", "examples", "hyperparameters", "seeds"], rows)
    return "\n\n".join([table, *(["\n".join(notes)] if notes else [])])


def _examples(fit: FitRecord) -> str:
    """How many a model was trained on, with the copies that augmentation made of them."""
    made = fit.fit.augment
    if made is None:
        return str(fit.data.trained_on)
    copies = made.augmented + made.unchanged + made.refused
    each = " an epoch" if made.each == "epoch" else ""
    return f"{fit.data.trained_on}, augmented by {', '.join(made.operations)}: {copies} copies{each}"


def _lineage(store: Store, model: Model) -> str:
    """From the corpus to the score, each by the hash of what it was made from."""
    rows = []
    for task, records in model.records.items():
        for record in sorted(records, key=lambda record_of_model: (record_of_model.seed, record_of_model.split)):
            line = record.lineage
            steps = [f"corpus {short(_corpus(store, line.pretrain))}"] if line.pretrain else []
            steps += [f"weights {short(line.weights)}"] if line.weights else []
            steps += [f"{kind} {short(key)}" for kind, key in line.cells.items()]
            steps.append(f"score {short(record.cell)}")
            rows.append([task, record.split, record.seed, " → ".join(steps)])
    return _table(["task", "split", "seed", "cells"], rows)


def _corpus(store: Store, key: str) -> str:
    record = store.find(key, PretrainRecord)
    return record.data.fingerprint if record is not None else "unknown"


def _usage(store: Store, model: Model) -> str:
    record = model.first(next(iter(model.records)))
    made = made_by(store, record)
    if made is None:
        return "As its base; the prompt is in the task's file."
    if record.model.learner != "transformer":
        return "`harness run` makes it again; it is no `transformers` model."
    if isinstance(made, CompressRecord):
        method, runtime = made.compression.method, made.compression.runtime
        return (
            f"Compressed by `{_code(method)}`, served by {escaped(runtime)}; `transformers` alone does not load it:\n\n"
            "```python\nfrom harness.modeling.runtimes import open_model\n\nmodel = open_model(FOLDER)\n```"
        )
    return (
        "A `save_pretrained` folder:\n\n```python\nfrom transformers import pipeline\n\n"
        f'model = pipeline("{_pipeline(record)}", model=FOLDER)\n```'
    )


def _environment(model: Model) -> str:
    facts = model.first(next(iter(model.records))).environment
    versions = ", ".join(f"{name} {version}" for name, version in facts.versions.items() if version)
    return f"{escaped(facts.cpu.model)}, {facts.cores} cores, {facts.threads} thread(s). {escaped(versions)}."


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(escaped(str(cell)) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _code(text: str) -> str:
    """Inside backticks nothing but a backtick or a line's end ends it."""
    return " ".join(text.replace("`", "'").split())
