"""`harness corpus report` and `harness corpus filter` from the command line."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

from tests.command_line import Harness

PROSE = "The harbour of the old town lies to the north, and the boats that came back with fish are tied to its wall."
OTHER = "Every spring the farmer paints the gate of his garden green, and the neighbours laugh about it."


def corpus(folder: Path) -> Path:
    path = folder / "pages.jsonl"
    texts = [PROSE, "Snow fell on the hills all night and nobody walked to the school that morning.", "short"]
    texts += ["<script>alert(1)</script> is no good name for a ship, said the old captain to his crew.", OTHER]
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    return path


def test_filter_prints_its_folder_and_says_why(harness: Harness, tmp_path: Path) -> None:
    result = harness("corpus", "filter", str(corpus(tmp_path)), "-o", str(tmp_path / "kept"))
    assert result.stdout.strip() == str(tmp_path / "kept")
    assert "too few characters 1" in result.stderr and "kept 4 of 5 documents (80.0 %)" in result.stderr
    assert (tmp_path / "kept/corpus.json").is_file()
    page = unescape((tmp_path / "kept/funnel.html").read_text(encoding="utf-8"))
    assert "too few characters" in page and "default-src 'none'" in page


def test_a_dry_run_writes_nothing(harness: Harness, tmp_path: Path) -> None:
    result = harness("corpus", "filter", str(corpus(tmp_path)), "--rules", "gopher", "--dry-run", "--json")
    found = json.loads(result.stdout)
    assert found["documents"] == 5 and found["kept"] == 0.0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pages.jsonl"]


def test_report_in_text_json_and_as_a_page(harness: Harness, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    result = harness("corpus", "report", str(corpus(tmp_path)), "--html", str(page))
    assert "5 documents" in result.stdout and "Heaps' law" in result.stdout
    html = page.read_text(encoding="utf-8")
    assert "<script>" not in html and "Vocabulary growth" in html
    assert not re.search(r"\sstyle=|\son\w+=", html), "the page's policy allows neither"
    assert str(tmp_path) not in html
    found = json.loads(harness("corpus", "report", str(corpus(tmp_path)), "--json").stdout)
    assert found["documents"] == 5 and found["labels"] is None


def test_bad_input_is_one_line(harness: Harness, tmp_path: Path) -> None:
    source = str(corpus(tmp_path))
    for arguments, message in (
        (("report", "nothing-here"), "no such file or folder"),
        (("report", source, "--text-column", "txt"), "Did you mean 'text'"),
        (("report", "sst3", "--data", "synthetic"), "unknown task 'sst3'"),
        (("filter", source), "-o FOLDER is missing"),
        (("filter", source, "-o", str(tmp_path)), "already there"),
        (("filter", source, "-o", str(tmp_path / "x"), "--rules", "fineweeb"), "Did you mean 'fineweb'"),
    ):
        result = harness("corpus", *arguments, code=2)
        assert message in result.stderr and result.stderr.count("\n") == 1, (arguments, result.stderr)
