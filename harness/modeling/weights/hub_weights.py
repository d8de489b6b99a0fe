"""A model's folder on the Hugging Face hub, in the local cache or fetched."""

from __future__ import annotations

from pathlib import Path

from harness import data
from harness.core.errors import HarnessError

WANTED = ("*.json", "*.safetensors", "*.txt", "*.model", "merges.txt")
"""Files fetched from the hub: configuration, safetensors, tokenizer. Never pickles, never code."""
SNAPSHOTS = "snapshots"
"""The folder of the hub's cache whose folders are commits."""


def from_hub(name: str, revision: str | None) -> Path:
    if name.count("/") > 1 or name.startswith((".", "/", "~")):
        raise HarnessError(f"model '{name}': no such folder; give a save_pretrained folder or a hub id")
    cached = _snapshot(name, revision, local_only=True)
    if cached is not None:
        return cached
    reason = data.hub_reachable()
    if reason is not None and Path(Path(name).parts[0]).is_dir():
        raise HarnessError(f"model {name}: no such folder; give a save_pretrained folder or a hub id")
    if reason is not None:
        raise HarnessError(
            f"model {name}: no such folder, not in the local cache, and the Hugging Face hub can't be reached "
            f"({reason}); give a local save_pretrained folder"
        )
    fetched = _snapshot(name, revision, local_only=False)
    assert fetched is not None
    return fetched


def _snapshot(name: str, revision: str | None, local_only: bool) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(name, revision=revision, allow_patterns=list(WANTED), local_files_only=local_only)
        )
    except HFValidationError as error:
        raise HarnessError(f"model '{name}' is no valid hub id: {' '.join(str(error).split())}") from None
    except LocalEntryNotFoundError as error:
        if local_only:
            return None
        raise HarnessError(f"model {name}: could not be fetched from the hub: {' '.join(str(error).split())}") from None
    except HfHubHTTPError as error:
        raise HarnessError(f"model {name}: the hub refuses it: {' '.join(str(error).split())[:200]}") from None
