"""Pretrained weights: found locally or on the hub, refused as pickles, fingerprinted by their bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.cached_facts import Hash
from harness.core.checksums import refuse_damaged
from harness.core.errors import HarnessError
from harness.core.hashing import hash_files, hash_json, states_of
from harness.core.reading import expanded, is_file, is_folder
from harness.core.specs import ModelSpec
from harness.core.store import Store
from harness.modeling.weights.adapter_files import is_adapter
from harness.modeling.weights.hub_weights import WANTED, from_hub
from harness.modeling.weights.settings import FILE, GRAPH, base_of, foreign_writer, home_of

FINISHED = ("*", "*/config.json", "*/model.safetensors")
"""What of a finished model's folder a score depends on."""


@dataclass(frozen=True)
class Weights:
    """A local folder of a pretrained model, and the hash of what is in it. `partial`: it may lack weights that its
    config asks for.
    """

    folder: Path
    fingerprint: str
    partial: bool = False

    @property
    def identity(self) -> str | dict[str, Any]:
        """What of it a result depends on."""
        return {"weights": self.fingerprint, "partial": True} if self.partial else self.fingerprint


def find(model_spec: ModelSpec, store: Store, partial: bool = False) -> Weights | None:
    """The weights a model spec starts from; None where it trains from scratch.

    Raises:
        HarnessError: nothing there, no safetensors in it, or the hub can't be reached (said within ten seconds).
    """
    if model_spec.pretrained is None:
        return None
    folder = folder_of(model_spec.pretrained, model_spec.revision)
    return Weights(folder, _fingerprint(folder, store), partial)


def find_finished(model_spec: ModelSpec, store: Store, partial: bool = False) -> Weights:
    """The folder of a model that is scored as it is: fine-tuned here or elsewhere, compressed or not.

    Raises:
        HarnessError: as `find` does, or a model spec that has to be trained.
    """
    if model_spec.pretrained is None:
        raise HarnessError(
            f"model {model_spec.name}: it has to be trained before it can be scored; give the folder of a finished "
            "model, or leave out --no-train"
        )
    folder = served_folder(model_spec.pretrained)
    return Weights(folder, _fingerprint(folder, store, FINISHED), partial)


def folder_of(name: str, revision: str | None = None) -> Path:
    """The local folder of a `save_pretrained` folder or a hub id. Raises HarnessError as `find` does."""
    local = expanded(name)
    if is_file(local):
        raise HarnessError(
            f"model {name}: a file; an ONNX graph is scored by `harness evaluate`, and all else takes the folder"
        )
    folder = local if is_folder(local) else from_hub(name, revision)
    check_folder(folder, name)
    refuse_damaged(folder)
    return folder


def served_folder(name: str) -> Path:
    """The local folder of a model that is to be served, compressed or not; of a graph with its tokenizer beside it the
    file. Raises HarnessError as `find` does.
    """
    local = expanded(name)
    if not is_folder(local) and not is_file(local):
        return folder_of(name)
    graphs = [] if any(local.glob("*.safetensors")) else [*local.glob(f"*{GRAPH}"), *local.glob(f"onnx/*{GRAPH}")]
    if (local / FILE).is_file():
        refuse_damaged(local)
        return local
    if local.suffix == GRAPH and local.is_file():
        return local
    if local.is_dir() and foreign_writer(local) is not None:
        return local
    if len(graphs) > 1:
        names = ", ".join(sorted(path.relative_to(local).as_posix() for path in graphs))
        raise HarnessError(f"model {name}: it holds several graphs, {names}; give the file of the one to score")
    return graphs[0] if graphs else folder_of(name)


def check_folder(folder: Path, name: str) -> None:
    """Raises HarnessError unless `folder` is a `save_pretrained` folder whose weights are safetensors."""
    if not folder.is_dir():
        raise HarnessError(f"model {name}: no such folder; give a save_pretrained folder or a hub id")
    if not (folder / "config.json").exists() and not is_adapter(folder):
        raise HarnessError(f"model {name}: no config.json in {folder}; it must be a save_pretrained folder")
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        pickles = [path.name for pattern in ("*.bin", "*.pt", "*.pth", "*.ckpt") for path in folder.glob(pattern)]
        contents = (
            f"only {', '.join(pickles[:3])}, a pickle, which can run code when loaded" if pickles else "no weights"
        )
        raise HarnessError(f"model {name}: found {contents}; save it again with safetensors (save_pretrained does)")


def refuse_empty_tokenizer(folder: Path, tokenizer: Any) -> None:
    """Without its files a tokenizer loads all the same, and knows its special tokens alone."""
    files = {file for key, file in tokenizer.vocab_files_names.items() if key != "tokenizer_config_file"}
    patterns = ("tokenizer.json", "*.model", "*.tiktoken", *files)
    if files and not any(path for pattern in patterns for path in folder.glob(pattern)):
        raise HarnessError(f"model {folder}: no tokenizer in it; save it there too (tokenizer.save_pretrained does)")


def _fingerprint(folder: Path, store: Store, wanted: Sequence[str] = WANTED) -> str:
    """Of the bytes of weights, config and tokenizer; kept in the store's cache under the states of the files."""
    files = sorted({path for pattern in wanted for path in home_of(folder).glob(pattern) if path.is_file()})
    if folder.is_file():  # a graph, with the files that its weights may lie in, and without other models beside it
        files = [path for path in files if path.suffix in (".json", ".txt", ".model")]
        files += sorted(path for path in folder.parent.glob(f"{folder.stem}*") if path.is_file())
    if wanted is FINISHED and (theirs := foreign_writer(folder)) is not None:
        beside = {path for file in theirs.files for path in file.parent.glob(f"{file.name}*")}
        files = sorted({*files, *beside})
    if is_adapter(folder):
        files += sorted({path for pattern in WANTED for path in base_of(folder).glob(pattern)})
    try:
        states = states_of(files)
        key = hash_json(["weights", [[path.name, *state] for path, state in zip(files, states, strict=True)]])
        return store.get_or_compute(key, lambda: hash_files(files), Hash)
    except OSError as error:
        raise HarnessError(f"model {folder}: cannot read {error.filename}: {error.strerror}") from None


def refuse_changed(folder: Path, fingerprint: str | None, store: Store) -> None:
    """Raises HarnessError where the weights are not those that a run was planned with, to start from or as finished."""
    if fingerprint is not None and fingerprint not in (
        _fingerprint(folder, store, names) for names in (FINISHED, WANTED)
    ):
        raise HarnessError(f"model {folder}: its files changed since the run was planned; run it again")
