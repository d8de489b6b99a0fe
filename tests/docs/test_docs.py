"""The documentation: what a page gives as a shell block runs, in the order of the page, on the files that the page itself
gives; every other command line is one that the parser takes; Python blocks compile, and run; links lead somewhere.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import harness
from tests.command_line import shell_environment
from tests.conftest import ROOT
from tests.docs.commands import command_lines, complaint

DOCS = ROOT / "docs"
FENCE = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
PAGES = sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))
README = ROOT / "README.md"
README_BYTES = 12_000
FIRST_SCREEN = 12
OUTSIDE = ["README.md", "CONTRIBUTING.md", "results/README.md", "results/reference/README.md"]
TEXTS = {**{page: ROOT / page for page in OUTSIDE}, **{page: DOCS / page for page in PAGES}}
WITH_PYTHON = [page for page in PAGES if "\n```python\n" in (DOCS / page).read_text(encoding="utf-8")]
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
        assert title or language in ("sh", "text", "yaml", "json", "python"), (
            f"{page}: a {language} block without a title"
        )


def test_the_readme_is_short_and_begins_with_its_two_commands() -> None:
    text = README.read_text(encoding="utf-8")
    assert len(text.encode()) <= README_BYTES
    commands = [line for line in text.splitlines()[:FIRST_SCREEN] if line.startswith("    python3 -m venv .venv && ")]
    assert len(commands) == 2
    assert commands[0].endswith("&& .venv/bin/harness run --suite glue")
    assert commands[1].endswith("&& .venv/bin/python -m pytest")


@pytest.mark.parametrize("page", TEXTS)
def test_every_command_line_is_one_the_parser_takes(page: str) -> None:
    wrong = {
        " ".join(arguments): said
        for arguments in command_lines(TEXTS[page].read_text(encoding="utf-8"))
        if (said := complaint(arguments)) is not None
    }
    assert not wrong


def test_a_command_line_that_is_wrong_is_found() -> None:
    page = "    $ X=1 harness rum; .venv/bin/harness run --sweet glue && python -m harness list\n\n`harness run --task`, `harness`\n"
    verb, option, right, value = [complaint(arguments) for arguments in command_lines(page)]
    assert verb == "no verb 'rum'"
    assert option is not None and option.startswith("No such option: --sweet")
    assert right is None
    assert value == "Option '--task' requires an argument."


@pytest.mark.parametrize("page", ["README.md", *WITH_PYTHON])
def test_every_python_block_compiles(page: str) -> None:
    for language, _, content in FENCE.findall(TEXTS[page].read_text(encoding="utf-8")):
        if language == "python":
            compile(content, page, "exec")


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.skipif("run" not in dir(harness), reason="this version has no Python API")
@pytest.mark.parametrize("page", ["README.md", *WITH_PYTHON])
def test_every_python_block_without_a_title_runs(page: str, tmp_path: Path, machine_cache: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HARNESS_CACHE": str(machine_cache)}
    for language, title, content in FENCE.findall(TEXTS[page].read_text(encoding="utf-8")):
        if language == "python" and not title:
            done = subprocess.run(
                [sys.executable, "-c", content],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                timeout=900,
            )
            assert done.returncode == 0, f"{page}:\n{content}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_COMMANDS)
def test_every_command_of_a_page_runs(page: str, tmp_path: Path, machine_cache: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    environment = shell_environment(tmp_path, machine_cache)
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


@pytest.mark.parametrize("page", TEXTS)
def test_links_lead_somewhere(page: str) -> None:
    text = FENCE.sub("", TEXTS[page].read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, anchor = target.partition("#")
        file = (TEXTS[page].parent / path).resolve() if path else TEXTS[page]
        assert file.is_file(), f"{page} links to {target}"
        if anchor and file.suffix == ".md":
            assert anchor in anchors(file), f"{page} links to {target}"


def anchors(page: Path) -> set[str]:
    """The fragments that headings of a page can be linked by."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip()) for heading in headings}


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert [page for page in PAGES if f": {page}\n" not in navigation] == []
