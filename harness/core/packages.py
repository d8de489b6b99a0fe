"""Packages of others that an extra installs."""

from __future__ import annotations

import importlib.util

from harness.core.errors import HarnessError


def require_packages(*packages: str, extra: str) -> None:
    """Raises HarnessError, with the extra to install, where one is missing."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise HarnessError(f"{package} is not installed; pip install 'nlp-harness[{extra}]'")
