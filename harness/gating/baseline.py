"""Accepted baselines: evidence in one compact JSON file for git, with a checksum of itself.

Predictions and references are canonical JSON, compressed by zlib, in base64. An example's id is not kept: the hash of
all ids of a split, in order, says whether another run is of the same examples.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
import zlib
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError, IncompatibleError, did_you_mean
from harness.core.hashing import canonical_json, hash_json
from harness.core.predictions import as_references, prediction_hash
from harness.core.reading import is_file
from harness.core.source_names import canonical_record
from harness.core.specs import Margins
from harness.core.store import write_atomically
from harness.data.source import asked_source
from harness.gating.run_results import Part, RunResults, Scored

if TYPE_CHECKING:
    import numpy as np

SCHEMA_VERSION = 2
READ = (1, 2)
"""Version 1 knew neither which model made the predictions nor the margins of suites."""
KIND = "harness-baseline"
FOLDER = Path("baselines") / "accepted"
NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
UNPACKED_AT_MOST = 2**28
"""Bytes one compressed column may grow to: a baseline is read from pull requests."""


def in_words(part: Part) -> bool:
    """Whether a part's references are texts."""
    return part.references.dtype.kind == "O"


def accept(evidence: RunResults, name: str, folder: Path = FOLDER, texts: bool = True) -> Path:
    """Write the baseline and return its file; one of this name is replaced. Without `texts`, tasks whose answers are
    texts are left out: they cannot be judged without them.

    Raises:
        HarnessError: a name that is no file name, a run with failures, or a folder that cannot be written.
    """
    if not NAME.match(name) or name == "latest":
        raise HarnessError(f"--name '{name}': use letters, digits, dots, dashes and underscores, and not 'latest'")
    if evidence.failures:
        (model, task, split, seed), cause = next(iter(evidence.failures.items()))
        raise HarnessError(
            f"run {evidence.name} has {len(evidence.failures)} scores missing, e.g. {model} on {task} {split} seed "
            f"{seed}: {cause}; a baseline must be whole, run it again"
        )
    if not texts:
        kept = {key: part for key, part in evidence.parts.items() if not in_words(part)}
        if not kept:
            raise HarnessError("--no-texts: every task of the run answers in texts; nothing would be left to judge by")
        scored = {key: one for key, one in evidence.scored.items() if key[1:3] in kept}
        evidence = replace(evidence, parts=kept, scored=scored)
    path = folder / f"{name}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HarnessError(f"cannot write to {folder}: {error.strerror}") from None
    content = {
        "schema_version": SCHEMA_VERSION,
        "kind": KIND,
        "name": name,
        "accepted": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "run": evidence.name,
        "created": evidence.created,
        "suites": {suite: list(averaged) for suite, averaged in evidence.suites.items()},
        "margins": {suite: one.model_dump(exclude_defaults=True) for suite, one in evidence.margins.items()},
        "models": list(evidence.models),
        "parts": [_part(part) for part in evidence.parts.values()],
        "scores": [
            {"model": model, "task": task, "split": split, "seed": seed, **_scored(one)}
            for (model, task, split, seed), one in evidence.scored.items()
        ],
        "environment": dict(evidence.environment),
        "data": evidence.data if evidence.data and not asked_source(evidence.data).is_path else None,
    }
    checked = {**content, "sha256": hash_json(content)}
    write_atomically(path, json.dumps(checked, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    return path


def _part(part: Part) -> dict[str, Any]:
    values = {one.name: getattr(part, one.name) for one in fields(part) if one.name != "ids"}
    return values | {"references": pack(part.references), "headline": list(part.headline), "labels": list(part.labels)}


def _scored(one: Scored) -> dict[str, Any]:
    values = {field.name: getattr(one, field.name) for field in fields(one)}
    return values | {"predictions": pack(one.predictions)}


def find(name: str, folder: Path = FOLDER) -> Path:
    """The file of a baseline given by its path or by its name. Raises IncompatibleError where there is none."""
    for path in (Path(name), folder / f"{name}.json"):
        if is_file(path):
            return path
    known = [path.stem for path in folder.glob("*.json")]
    hint = did_you_mean(name, known) if known else f" There is none in {folder}."
    raise IncompatibleError(f"no baseline '{name}'.{hint} Make one with `harness baseline accept RUN --name NAME`")


def load(path: Path) -> RunResults:
    """The evidence in a baseline's file, checked.

    Raises:
        IncompatibleError: the file is damaged, of an unknown schema, or no baseline.
    """

    content = read(path)
    try:
        parts = {(one["task"], one["split"]): _unpack_part(one) for one in content["parts"]}
        scored = {
            (one["model"], one["task"], one["split"], one["seed"]): _unpack_scored(one) for one in content["scores"]
        }
        for key, score in scored.items():
            if len(score.predictions) != parts[key[1:3]].n:
                raise ValueError("not one prediction an example")
            if prediction_hash(score.predictions) != score.prediction_hash:
                raise ValueError("predictions do not fit their hash")
        return RunResults(
            name=content["name"],
            created=content["created"],
            suites={suite: tuple(averaged) for suite, averaged in content["suites"].items()},
            models=tuple(content["models"]),
            parts=parts,
            scored=scored,
            failures={},
            environment=content["environment"],
            data=content["data"],
            margins={suite: Margins.model_validate(one) for suite, one in content.get("margins", {}).items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise IncompatibleError(
            f"baseline {path} is damaged: {type(error).__name__}: {error}; accept it again"
        ) from None


def read(path: Path) -> dict[str, Any]:
    """The JSON of a baseline, its checksum checked. Raises IncompatibleError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise IncompatibleError(f"cannot read baseline {path}: {error.strerror}") from None
    except ValueError:
        raise IncompatibleError(f"baseline {path} is damaged: not a whole JSON file; restore it from git") from None
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise IncompatibleError(f"{path} is no baseline; `harness baseline accept RUN --name NAME` writes one")
    if content.get("schema_version") not in READ:
        raise IncompatibleError(
            f"baseline {path} has schema {content.get('schema_version')!r}, this harness reads up to {SCHEMA_VERSION}; "
            "accept it again, or install the harness it was written by"
        )
    claimed = content.pop("sha256", None)
    if claimed != hash_json(content):
        raise IncompatibleError(
            f"baseline {path} is damaged: its content does not fit its checksum; restore it from git"
        )
    return canonical_record(content)


def _unpack_part(one: Mapping[str, Any]) -> Part:
    tuples = {"headline": tuple(one["headline"]), "labels": tuple(one["labels"])}
    return Part(**{**one, **tuples, "references": unpack(one["references"])})


def _unpack_scored(one: Mapping[str, Any]) -> Scored:
    since_2 = {"cell": one.get("cell"), "files": one.get("files")}
    values = {field.name: one[field.name] for field in fields(Scored) if field.name not in since_2} | since_2
    return Scored(**{**values, "predictions": unpack(one["predictions"])})


def pack(values: np.ndarray) -> str:
    """Numbers, strings or tuples of strings (n,) as text."""
    listed = [list(one) if isinstance(one, tuple) else one for one in values.tolist()]
    return base64.b64encode(zlib.compress(canonical_json(listed).encode(), 9)).decode()


def unpack(text: str) -> np.ndarray:
    """The array that was packed. Raises ValueError."""
    import numpy as np

    decompressor = zlib.decompressobj()
    try:
        raw = decompressor.decompress(base64.b64decode(text, validate=True), UNPACKED_AT_MOST)
    except (zlib.error, binascii.Error) as error:
        raise ValueError(str(error)) from None
    if not decompressor.eof:
        raise ValueError("a column is cut off or too large")
    values = json.loads(raw)
    if values and isinstance(values[0], list):
        return as_references(tuple(tuple(one) for one in values))
    return np.asarray(values, dtype=object if values and isinstance(values[0], str) else None)


def listed(folder: Path = FOLDER) -> list[tuple[Path, dict[str, Any] | str]]:
    """Each baseline's file with its JSON, or with what is wrong with it."""
    found: list[tuple[Path, dict[str, Any] | str]] = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append((path, read(path)))
        except IncompatibleError as error:
            found.append((path, str(error)))
    return found


def facts(evidence: RunResults) -> dict[str, Any]:
    """A baseline or run without its predictions, as JSON."""
    parts = []
    for part in evidence.parts.values():
        values = {one.name: getattr(part, one.name) for one in fields(part) if one.name not in ("ids", "references")}
        parts.append(values)
    scores = []
    for (model, task, split, seed), one in evidence.scored.items():
        scores.append({"model": model, "task": task, "split": split, "seed": seed, **_without_predictions(one)})
    return {
        "name": evidence.name,
        "created": evidence.created,
        "suites": {suite: list(averaged) for suite, averaged in evidence.suites.items()},
        "margins": {suite: one.model_dump(exclude_defaults=True) for suite, one in evidence.margins.items()},
        "models": list(evidence.models),
        "parts": parts,
        "scores": scores,
        "failures": [
            {"model": model, "task": task, "split": split, "seed": seed, "cause": cause}
            for (model, task, split, seed), cause in evidence.failures.items()
        ],
        "environment": dict(evidence.environment),
    }


def _without_predictions(one: Scored) -> dict[str, Any]:
    return {field.name: getattr(one, field.name) for field in fields(one) if field.name != "predictions"}
