"""An adapter's folder as peft lays it out, ours or anybody's: `adapter_config.json`, `adapter_model.safetensors`, and
the weights it belongs to, which lie elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from harness.core.errors import HarnessError
from harness.core.hashing import hash_files, states_of
from harness.core.reading import expanded, is_folder, read_object
from harness.core.strict_spec import Strict, parse
from harness.modeling.weights.config_file import CONFIG
from harness.modeling.weights.hub_weights import SNAPSHOTS, from_hub

ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
MERGED_BY_ADDITION = ("LORA", "IA3", "ADALORA", "LOHA", "LOKR", "OFT", "BOFT", "VERA")
"""What peft calls adapters that change layers and nothing else: they can be merged into weights."""
MAPPINGS = {
    "SEQ_CLS": "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES",
    "TOKEN_CLS": "MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES",
    "QUESTION_ANS": "MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES",
    "CAUSAL_LM": "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES",
    "SEQ_2_SEQ_LM": "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES",
}
"""The lists of `transformers` for what peft calls tasks."""
CLASSIFIERS = ("classifier.out_proj.weight", "classifier.weight", "score.weight", "classification_head.out_proj.weight")


class AdapterBase(Strict):
    """The weights that an adapter belongs to: a folder or hub id with the commit; of a results folder the cell as well;
    and the hash of the weights' bytes, which are checked against it.
    """

    name: str
    revision: str | None = None
    cell: str | None = None
    weights: str | None = None


class AdapterFile(BaseModel):
    """What is read of an `adapter_config.json`; all else in it is peft's."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=(), strict=True)

    peft_type: str
    task_type: str | None = None
    base_model_name_or_path: str | None = None
    revision: str | None = None


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter instead of weights."""
    return (folder / ADAPTER_CONFIG).is_file()


def read_adapter(folder: Path) -> AdapterFile:
    """Raises HarnessError for a damaged file, or a kind of adapter that is not served."""
    file = folder / ADAPTER_CONFIG
    adapter = parse(AdapterFile, read_object(file), str(file))
    if adapter.peft_type not in MERGED_BY_ADDITION:
        raise HarnessError(
            f"model {folder}: an adapter of kind {adapter.peft_type}, of {', '.join(MERGED_BY_ADDITION)} are served"
        )
    return adapter


def foreign_base(folder: Path) -> AdapterBase:
    """The base of an adapter that peft alone has written, as it names it. Raises HarnessError where it names none."""
    adapter = read_adapter(folder)
    if not adapter.base_model_name_or_path:
        raise HarnessError(f"{folder / ADAPTER_CONFIG}: base_model_name_or_path is missing: whose adapter it is")
    return AdapterBase(name=adapter.base_model_name_or_path, revision=adapter.revision)


def base_for(folder: Path, name: str | None) -> AdapterBase:
    """What an adapter that is trained on the weights of a folder says of them; `name` is what they are asked for by."""
    place, found_on_hub = folder.resolve(), folder.parent.name == SNAPSHOTS
    in_store = place.name == "model" and len(place.parent.name) == 64 and place.parents[2].name == "cells"
    return AdapterBase(
        name=name if found_on_hub and name else str(place),
        revision=folder.name if found_on_hub else None,
        cell=place.parent.name if in_store else None,
        weights=weights_hash(folder),
    )


def base_folder(folder: Path, base: AdapterBase) -> Path:
    """The local folder of the weights that an adapter belongs to: in the results folder it lies in, at the path it
    names, on the hub.

    Raises:
        HarnessError: no such weights, or others than it was trained on.
    """
    places = [expanded(base.name), folder / base.name]
    if base.cell is not None:
        cells = (parent / "cells" for parent in folder.resolve().parents)
        places = [*(place / base.cell[:2] / base.cell / "model" for place in cells), *places]
    place = next((place for place in places if is_folder(place)), None)
    if place is None:
        try:
            place = from_hub(base.name, base.revision)
        except HarnessError as error:
            raise HarnessError(f"model {folder}: an adapter whose base is not there: {error}") from None
    if is_adapter(place):
        raise HarnessError(
            f"model {folder}: its base {place} is an adapter itself; `harness compress --method merge` merges that"
        )
    if base.weights is not None and weights_hash(place) != base.weights:
        raise HarnessError(f"model {folder}: its base {place} has other weights than the adapter was trained on")
    return place


def weights_hash(folder: Path) -> str:
    """Of the bytes of a folder's weights and config, read once while they are the same."""
    files = tuple(sorted([*folder.glob("*.safetensors"), *folder.glob(CONFIG)]))
    try:
        return _hash(files, json.dumps(states_of(files)))
    except OSError as error:
        raise HarnessError(f"model {folder}: cannot read {error.filename}: {error.strerror}") from None


@lru_cache(maxsize=16)
def _hash(files: tuple[Path, ...], states: str) -> str:
    return hash_files(files)


def derived_config(folder: Path, base: Mapping[str, Any]) -> dict[str, Any]:
    """The config of a model that an adapter without one makes of its base: with the head for peft's task, and as many
    classes as the head in the adapter has outputs.
    """
    task = read_adapter(folder).task_type
    if task is None:
        return dict(base)
    if task not in MAPPINGS:
        raise HarnessError(f"model {folder}: an adapter for {task}, of {', '.join(MAPPINGS)} are served")
    from transformers.models.auto import modeling_auto

    architecture = getattr(modeling_auto, MAPPINGS[task]).get(base.get("model_type"))
    if architecture is None:
        raise HarnessError(f"model {folder}: a {base.get('model_type')} has no head for {task}")
    config = {**base, "architectures": [architecture]}
    outputs = _outputs(folder) if task in ("SEQ_CLS", "TOKEN_CLS") else None
    if outputs is not None and outputs != len(base.get("id2label") or ()):
        names = {str(index): f"LABEL_{index}" for index in range(outputs)}
        config |= {"id2label": names, "label2id": {name: int(index) for index, name in names.items()}}
    return config


def _outputs(folder: Path) -> int | None:
    """How many outputs the classifier has that an adapter holds; None where it holds none."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder / ADAPTER_WEIGHTS, "np") as file:
            names = list(file.keys())
            for ending in CLASSIFIERS:
                for name in names:
                    if name.endswith(ending):
                        return int(file.get_slice(name).get_shape()[0])
    except (OSError, SafetensorError) as error:
        raise HarnessError(f"model {folder}: cannot read {ADAPTER_WEIGHTS}: {' '.join(str(error).split())}") from None
    return None
