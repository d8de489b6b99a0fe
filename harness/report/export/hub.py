"""Pushing a model with its card to a repository on the Hugging Face hub. Only on an explicit flag."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.atomic import scratch_folder
from harness.core.errors import HarnessError
from harness.modeling.merging import merged
from harness.report.export.model_card import CARD, write_card

if TYPE_CHECKING:
    from huggingface_hub import ModelCard


def push(card: ModelCard, folder: Path, repo: str, public: bool, say: Callable[[str], None]) -> str:
    """Upload a model's folder, an adapter merged into its base, with its card as README.md; returns the repository's
    address. A repository that is not there is made, private unless `public`; one that is there keeps its visibility.
    The token is that of `hf auth login` or HF_TOKEN.

    Raises:
        HarnessError: a bad name, no permission, or no answer.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise HarnessError(f"--push {repo}: {_line(error)}") from None
    with scratch_folder() as scratch:
        staged = scratch / "model"
        shutil.copytree(merged(folder, scratch), staged)
        (staged / CARD).unlink(missing_ok=True)
        write_card(card, staged)
        files = sorted(path.name for path in staged.iterdir())
        say(f"pushing {', '.join(files)} to {repo}")
        api = HfApi()
        try:
            api.create_repo(repo, private=not public, exist_ok=True)
            done = api.upload_folder(repo_id=repo, folder_path=staged, commit_message="Model and card of nlp-harness")
        except HfHubHTTPError as error:
            raise HarnessError(f"--push {repo}: the hub refused it: {_line(error)}") from None
        except Exception as error:  # that of the network library, which differs by the version of the hub's client
            raise HarnessError(f"--push {repo}: the hub cannot be reached or used: {_line(error)}") from None
    return str(done.repo_url)


def _line(error: Exception) -> str:
    """The first line that says something; never a token."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
