"""Logs of inspect_ai: `.json`, or `.eval`, a zip of JSON files. A folder of logs is read as one.

Several epochs of an example are reduced as the log reduced them, or to their mean. What was not scored is left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.reading import is_file, read_bytes, read_object
from harness.exchange.files import SAMPLES, Archive, items, mapping, scalars, text
from harness.exchange.outcomes import (
    Examples,
    Outcome,
    ToolResults,
    content_hash,
    is_lower_better,
    number,
    optional_number,
    texts_in,
)
from harness.exchange.reader import ResultReader

UNKNOWN = ("training seed", "data fingerprint", "lineage")
WORDS = {"c": 1.0, "i": 0.0, "p": 0.5, "n": 0.0, "yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
"""Scores that are written as letters or words: correct, incorrect, partial, no answer."""
SPREADS = frozenset({"stderr", "bootstrap_stderr", "std", "var"})
"""Metrics that say how uncertain a score is, and are none."""
MEANS = ("accuracy", "mean")
"""Those whose standard error stands beside them."""
LOGS_AT_MOST = 1000


class InspectReader(ResultReader):
    """See the module."""

    def recognizes(self, path: Path) -> bool:
        if path.is_dir():
            return any(path.glob("*.eval"))
        if path.suffix == ".eval":
            return True
        return path.suffix == ".json" and b'"eval"' in _beginning(path) and b'"status"' in _beginning(path)

    def read(self, path: Path) -> ToolResults:
        files = [path] if is_file(path) else sorted(filter(is_file, [*path.glob("*.eval"), *path.glob("*.json")]))
        if not files:
            raise HarnessError(f"{path}: no .eval or .json log in it; that is what inspect_ai writes")
        if len(files) > LOGS_AT_MOST:
            raise HarnessError(
                f"{path}: {len(files):,} logs in it, at most {LOGS_AT_MOST:,} are read; name one of them"
            )
        outcomes: dict[tuple[str, str, str], Outcome] = {}
        notes: list[str] = []
        versions: dict[str, str] = {}
        for log in sorted((_log(file) for file in files), key=lambda log: text(mapping(log["eval"]).get("created"))):
            if log["status"] != "success":
                notes.append(f"{log['where']}: its status is {text(log['status'])}: it may not be whole")
            for outcome in _outcomes(log, notes):
                outcomes[outcome.model, outcome.task, outcome.metric] = outcome
            versions |= {name: text(version) for name, version in mapping(mapping(log["eval"]).get("packages")).items()}
        return ToolResults("inspect", str(path), tuple(outcomes.values()), UNKNOWN, tuple(notes), versions)


def _beginning(path: Path) -> bytes:
    try:
        return read_bytes(path, SAMPLES)[:4096]
    except HarnessError:
        return b""


def _log(path: Path) -> dict[str, Any]:
    """The parts of a log, whichever form it has."""
    if read_bytes(path, SAMPLES)[:2] == b"PK":
        with Archive(path) as archive:
            log = _of_archive(archive, path)
    else:
        log = read_object(path, SAMPLES, finite=False)
    if not isinstance(log.get("eval"), dict) or "status" not in log:
        raise HarnessError(f"{path}: neither 'eval' nor 'status' in it; that is what inspect_ai writes")
    return {**log, "where": str(path)}


def _of_archive(archive: Archive, path: Path) -> dict[str, Any]:
    names = archive.names()
    if "header.json" not in names:
        if "_journal/start.json" in names:
            raise HarnessError(f"{path}: the evaluation did not end: it has no header.json")
        raise HarnessError(f"{path}: no header.json in it; that is what inspect_ai writes")
    log = mapping(archive.json("header.json"))
    whole = [name for name in names if name.startswith("samples/") and name.endswith(".json")]
    samples = archive.json("summaries.json") if "summaries.json" in names else [archive.json(name) for name in whole]
    reductions = archive.json("reductions.json") if "reductions.json" in names else None
    return {**log, "samples": samples, "reductions": reductions}


def _outcomes(log: Mapping[str, Any], notes: list[str]) -> Iterator[Outcome]:
    results, spec = mapping(log.get("results")), mapping(log["eval"])
    config = mapping(spec.get("config"))
    for scored in map(mapping, items(results.get("scores"))):
        name, scorer = text(scored.get("name")), text(scored.get("scorer") or scored.get("name"))
        where = f"{log['where']}: {text(spec.get('task'))}, {name}"
        examples, left_out = _examples(log, scorer, name, text(scored.get("reducer")), where)
        if left_out:
            notes.append(f"{where}: {left_out} examples that were not scored are left out")
        metrics = {key: mapping(metric) for key, metric in mapping(scored.get("metrics")).items()}
        scores = {key: metric for key, metric in metrics.items() if text(metric.get("name")) not in SPREADS}
        spread = next((metrics[key] for key in ("stderr", "bootstrap_stderr") if key in metrics), {})
        stderr = optional_number(spread.get("value"), f"{where}/stderr")
        count = scored.get("scored_samples")
        if not isinstance(count, int) and isinstance(completed := results.get("completed_samples"), int):
            epochs = config.get("epochs")
            count = completed // (epochs if isinstance(epochs, int) and epochs > 0 else 1) - left_out
        for key, metric in scores.items():
            is_alone = len(scores) == 1
            yield Outcome(
                model=text(spec.get("model")),
                task=text(spec.get("task")),
                metric=name if is_alone and name else f"{name}/{key}",
                score=number(metric.get("value"), f"{where}/{key}"),
                stderr=stderr if is_alone or key in MEANS else None,
                n=int(number(count, where)) if isinstance(count, int) else None,
                version=text(spec.get("task_version")),
                greater_is_better=not is_lower_better(key),
                settings={
                    **scalars(spec.get("task_args")),
                    **scalars({name: config.get(name) for name in ("limit", "epochs")}),
                    **scalars(spec.get("model_generate_config")),
                },
                method="clustered" if mapping(spread.get("params")).get("cluster") else text(spread.get("name")),
                examples=examples,
            )  # fmt: skip


def _examples(log: Mapping[str, Any], scorer: str, name: str, reducer: str, where: str) -> tuple[Examples | None, int]:
    """Examples in the order of the log, and how many were not scored."""
    samples: dict[str, list[dict[str, Any]]] = {}
    for sample in map(mapping, items(log.get("samples"))):
        samples.setdefault(text(sample.get("id")), []).append(sample)
    if not samples:
        return None, 0
    reduced = _reductions(log, scorer, reducer)
    rows: list[tuple[str, float, str, str | None, str, str]] = []
    for id_, epochs in samples.items():
        numbers = [text(sample.get("epoch", 1)) for sample in epochs]
        if len(set(numbers)) < len(numbers):
            raise HarnessError(f"{where}: example {id_} stands there twice in one epoch")
        values = [
            value for sample in epochs if (value := _value(sample, scorer, name, f"{where}, example {id_}")) is not None
        ]
        given = _as_number(reduced.get(id_), name, f"{where}, example {id_}") if id_ in reduced else None
        if given is None and not values:
            continue
        first = epochs[0]
        score = given if given is not None else math.fsum(values) / len(values)
        asked = "\n".join(_input_texts(first.get("input")))
        target = " | ".join(texts_in(first.get("target")))
        answer = mapping(mapping(first.get("scores")).get(scorer)).get("answer")
        rows.append(
            (id_, score, target, answer if isinstance(answer, str) else None, asked, content_hash([asked, target]))
        )
    if not rows:
        return None, len(samples)
    ids, scores, labels, answers, inputs, contents = zip(*rows, strict=True)
    known = answers if all(answer is not None for answer in answers) else None
    return Examples(ids, scores, labels, known, inputs, contents), len(samples) - len(rows)


def _reductions(log: Mapping[str, Any], scorer: str, reducer: str) -> dict[str, Any]:
    """What several epochs of an example came to, by its id."""
    for reduction in map(mapping, items(log.get("reductions"))):
        if text(reduction.get("scorer")) == scorer and text(reduction.get("reducer")) == reducer:
            given = [mapping(sample) for sample in items(reduction.get("samples"))]
            return {text(sample["sample_id"]): sample.get("value") for sample in given if "sample_id" in sample}
    return {}


def _value(sample: Mapping[str, Any], scorer: str, name: str, where: str) -> float | None:
    score = mapping(sample.get("scores")).get(scorer)
    return _as_number(mapping(score).get("value"), name, where) if isinstance(score, dict) else None


def _as_number(value: Any, name: str, where: str) -> float | None:
    """None where it was not scored, which NaN stands for."""
    if isinstance(value, dict):
        value = value.get(name)
    if value is None or isinstance(value, list) or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        word = value.strip().lower()
        try:
            value = WORDS[word] if word in WORDS else float(word)
        except ValueError:
            return None
    return number(value, where)


def _input_texts(value: Any) -> Sequence[str]:
    """A question, or what the user and the system say in a conversation."""
    if isinstance(value, str):
        return [value]
    return [part for message in map(mapping, items(value)) for part in texts_in(message.get("content"))]


READER = InspectReader()
