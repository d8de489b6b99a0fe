"""Results of lm-evaluation-harness: `results_*.json`, and `samples_*.jsonl` where `--log_samples` was given.

A folder as `--output_path` names it, one below it for a single model, or a results file. Of several evaluations of one
model and task the newest is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.reading import is_file, read_object
from harness.exchange.files import items, json_lines, mapping, scalars, text
from harness.exchange.outcomes import (
    Examples,
    Outcome,
    ToolResults,
    content_hash,
    is_lower_better,
    number,
    optional_number,
    texts_in,
    unique_ids,
)
from harness.exchange.reader import ResultReader

RESULTS, SAMPLES = "results_", "samples_"
STDERR = "_stderr"
UNKNOWN = ("training seed", "data fingerprint", "lineage")


class LmEvalReader(ResultReader):
    """See the module."""

    def recognizes(self, path: Path) -> bool:
        files = _result_files(path) if path.is_dir() else [path] if path.suffix == ".json" else []
        return any("results" in values and _is_of_lm_eval(values) for values in map(_peeked, files[:3]))

    def read(self, path: Path) -> ToolResults:
        files = [path] if is_file(path) else _result_files(path)
        if not files:
            raise HarnessError(f"{path}: no results_*.json in it or in a folder below it; that is what lm_eval writes")
        newest: dict[tuple[str, str, str, str], Outcome] = {}
        versions: dict[str, str] = {}
        replaced = 0
        for file in files:
            content = read_object(file, finite=False)
            if not isinstance(content.get("results"), dict):
                raise HarnessError(f"{file}: no object 'results' in it; that is what lm_eval writes")
            for outcome in _outcomes(file, content):
                key = (outcome.model, outcome.task, outcome.metric, outcome.filter)
                replaced += key in newest
                newest[key] = outcome
            versions |= {name: version for name in ("lm_eval", "transformers")
                         if (version := text(content.get(f"{name}_version")))}  # fmt: skip
        notes = (f"{path}: {replaced} older scores of the same models and tasks are not read",) if replaced else ()
        return ToolResults("lm_eval", str(path), tuple(newest.values()), UNKNOWN, notes, versions)


def _result_files(folder: Path) -> list[Path]:
    """Oldest first, by the date in their names."""
    files = [*folder.glob(f"{RESULTS}*.json"), *folder.glob(f"*/{RESULTS}*.json")]
    return sorted(filter(is_file, files), key=lambda file: (file.name, str(file)))


def _peeked(file: Path) -> dict[str, Any]:
    try:
        return read_object(file, finite=False)
    except HarnessError:
        return {}


def _is_of_lm_eval(content: Mapping[str, Any]) -> bool:
    return "config_general" not in content and bool({"configs", "n-shot", "lm_eval_version"} & set(content))


def _outcomes(file: Path, content: dict[str, Any]) -> list[Outcome]:
    model = (
        text(content.get("model_name")) or text(mapping(content.get("config")).get("model_args")) or file.parent.name
    )
    groups = {name for name, members in mapping(content.get("group_subtasks")).items() if members}
    outcomes = []
    for task, scores in content["results"].items():
        if task in groups or not isinstance(scores, dict):
            continue
        samples = _samples(file, task)
        for key, value in scores.items():
            name, _, kept = key.partition(",")
            if key == "alias" or name.endswith(STDERR) or isinstance(value, str | list | dict):
                continue
            if "," not in key and key in ("sample_len", "sample_count", "name"):
                continue
            outcomes.append(_outcome(file, content, model, task, name, kept, value, samples))
    return outcomes


def _outcome(
    file: Path, content: dict[str, Any], model: str, task: str, metric: str, kept: str, value: Any,
    samples: Sequence[dict[str, Any]],
) -> Outcome:  # fmt: skip
    where = f"{file}: {task}, {metric}"
    scores = content["results"][task]
    counts = mapping(mapping(content.get("n-samples")).get(task))
    config = mapping(content.get("config"))
    examples = _examples(f"{file}: samples of {task}", samples, metric, kept)
    count = counts.get("effective", scores.get("sample_len"))
    greater = mapping(mapping(content.get("higher_is_better")).get(task)).get(metric)
    settings = {
        "num_fewshot": mapping(content.get("n-shot")).get(task),
        "limit": config.get("limit"),
        "model_revision": config.get("model_revision"),
        "dtype": config.get("model_dtype"),
        "chat_template": content.get("chat_template_sha"),
        "fewshot_seed": config.get("fewshot_seed"),
    }
    n = int(number(count, f"{where}, n-samples")) if isinstance(count, int) else len(examples) if examples else None
    stderr = scores.get(f"{metric}{STDERR},{kept}" if kept else f"{metric}{STDERR}")
    return Outcome(
        model=model,
        task=task,
        metric=metric,
        score=number(value, where),
        stderr=optional_number(stderr, f"{where}{STDERR}"),
        n=n,
        filter="" if kept == "none" else kept,
        version=text(mapping(content.get("versions")).get(task)),
        greater_is_better=greater if isinstance(greater, bool) else not is_lower_better(metric),
        settings=scalars(settings),
        method="interval" if content.get("model_source") == "harness" else "",  # of this package's own export
        examples=examples,
    )


def _samples(file: Path, task: str) -> list[dict[str, Any]]:
    """Those of a task, of the same moment as the results."""
    moment = file.stem.partition("_")[2]
    path = file.parent / f"{SAMPLES}{task}_{moment}.jsonl"
    if not is_file(path):
        return []
    lines = []
    for at, sample in json_lines(path):
        if "doc_id" not in sample:
            raise HarnessError(f"{path}, line {at}: no doc_id; that is what lm_eval writes for each example")
        lines.append({**sample, "where": f"{path}, line {at}"})
    return lines


def _examples(where: str, samples: Sequence[dict[str, Any]], metric: str, kept: str) -> Examples | None:
    rows = [sample for sample in samples if metric in sample and text(sample.get("filter", "none")) == (kept or "none")]
    if not rows:
        return None
    ids = unique_ids([text(row["doc_id"]) for row in rows], where)
    pairs = [_pair(row[metric]) for row in rows]
    inputs = tuple(_asked(row) for row in rows)
    contents = tuple(content_hash(texts_in(row.get("doc"))) for row in rows)
    if all(pair is not None for pair in pairs):  # of metrics that need all examples at once: f1, mcc
        labels, predictions = zip(*(pair for pair in pairs if pair is not None), strict=True)
        return Examples(ids, None, labels, predictions, inputs, contents)
    if any(isinstance(row[metric], list | dict | str | None) for row in rows):
        return None
    scores = tuple(number(row[metric], f"{row['where']}: {metric}") for row in rows)
    labels = tuple(text(row.get("target")) for row in rows)
    return Examples(ids, scores, labels, tuple(_answer(row) for row in rows), inputs, contents)


def _pair(value: Any) -> tuple[str, str] | None:
    """Label and prediction, where a sample has them in place of a score: whole numbers."""
    both = isinstance(value, list) and len(value) == 2 and all(isinstance(item, int) for item in value)
    return (str(int(value[0])), str(int(value[1]))) if both else None


def _answer(row: dict[str, Any]) -> str:
    """The first answer as it was scored: a text, or the choice of the greatest log-likelihood."""
    answers = items(row.get("filtered_resps"))
    likelihoods = [_likelihood(answer) for answer in answers]
    if len(answers) > 1 and all(value is not None for value in likelihoods):
        return str(max(range(len(answers)), key=lambda at: likelihoods[at] or 0.0))
    first = answers[0] if answers else ""
    return text(first[0] if isinstance(first, list) and first else first)


def _likelihood(answer: Any) -> float | None:
    """Of an answer of `loglikelihood`: its sum, and whether it is what greedy decoding gives."""
    if not isinstance(answer, list) or len(answer) != 2:
        return None
    try:
        return float(answer[0])
    except (TypeError, ValueError):
        return None


def _asked(row: dict[str, Any]) -> str:
    first = mapping(mapping(row.get("arguments")).get("gen_args_0")).get("arg_0")
    return text(first) if isinstance(first, str) else " / ".join(texts_in(row.get("doc")))


READER = LmEvalReader()
