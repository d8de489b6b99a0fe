"""The documentation: every command in it runs, in the order of its page, on the files that the page itself gives."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

DOCS = ROOT / "docs"
FENCE = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
PAGES = sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))
WITH_COMMANDS = [page for page in PAGES if "```sh" in (DOCS / page).read_text(encoding="utf-8")]


def blocks(page: str) -> list[tuple[str, str, str]]:
    """Language, title and content of each fenced block."""
    found = FENCE.findall((DOCS / page).read_text(encoding="utf-8"))
    return [(language, title, content) for language, title, content in found]


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_a_command_a_file_or_said_to_be_output(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    assert text.count("\n```") % 2 == (1 if text.startswith("```") else 0)
    for language, title, _ in blocks(page):
        assert title or language in ("sh", "text", "yaml", "json"), f"{page}: a {language} block without a title"


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_COMMANDS)
def test_every_command_of_a_page_runs(page: str, tmp_path: Path, machine_cache: Path) -> None:
    shims = tmp_path / "bin"
    shims.mkdir()
    (shims / "harness").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m harness "$@"\n')
    (shims / "harness").chmod(0o755)
    folder = tmp_path / "work"
    folder.mkdir()
    environment = {
        **os.environ,
        "PATH": f"{shims}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HARNESS_CACHE": str(machine_cache),
        "NO_COLOR": "1",
    }
    for language, title, content in blocks(page):
        if title:
            (folder / title).parent.mkdir(parents=True, exist_ok=True)
            (folder / title).write_text(content, encoding="utf-8")
        elif language == "sh":
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", content],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=900,
            )
            assert done.returncode == 0, f"{page}:\n{content}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="mkdocs-material is not installed: pip install -e '.[docs]'")
    pytest.importorskip("mkdocstrings", reason="mkdocstrings is not installed: pip install -e '.[docs]'")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    by_name = (tmp_path / "site" / "reference" / "registry" / "index.html").read_text(encoding="utf-8")
    assert "bert-tiny-mlm" in by_name and "span-corruption" in by_name and "<!-- registry" not in by_name
    assert "--from-scratch" in (tmp_path / "site" / "reference" / "cli" / "index.html").read_text(encoding="utf-8")


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+\.md)", (DOCS / page).read_text(encoding="utf-8")):
            assert (DOCS / page).parent.joinpath(target).resolve().is_file(), f"{page} links to {target}"
