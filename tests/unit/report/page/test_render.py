"""The page as a file: it asks nothing of anybody, runs only its own script, and reads no data as markup."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import os
import re
import subprocess
import sys
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import pytest

from harness.report.page.render import json_for_html, render
from tests.unit.report.page.given import HOSTILE, page


class Elements(HTMLParser):
    """All elements with their attributes, and the text of scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self.texts: list[str] = []
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag in self.raw:
            self._inside = tag
            self.raw[tag].append("")

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside:
            self.raw[self._inside][-1] += data
        else:
            self.texts.append(data)


@pytest.fixture(scope="module")
def plain() -> Elements:
    return Elements(render(page()))


@pytest.fixture(scope="module")
def hostile() -> Elements:
    return Elements(render(page(HOSTILE, f"task {HOSTILE}", HOSTILE, HOSTILE)))


def test_nothing_in_the_page_is_requested_from_elsewhere(plain):
    links = [
        (tag, value)
        for tag, own in plain.found
        for name, value in own.items()
        if name in ("src", "href", "action", "data")
    ]
    assert links and all(value.startswith("#") or (tag == "link" and value.startswith("data:")) for tag, value in links)
    assert not {"img", "iframe", "object", "embed", "form", "base", "video", "audio"} & {tag for tag, _ in plain.found}
    assert not re.search(
        r"url\(|@import|fetch\(|XMLHttpRequest|import\(|WebSocket|sendBeacon",
        "".join(plain.raw["style"] + plain.raw["script"][1:]),
    )


def test_the_policy_names_the_only_style_and_script_and_allows_no_request(plain):
    policy = next(own["content"] for tag, own in plain.found if own.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    digest = {
        name: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for name, text in (("style", plain.raw["style"][0]), ("script", plain.raw["script"][1]))
    }
    assert rules["default-src"] == "'none'" and rules["base-uri"] == "'none'" and rules["form-action"] == "'none'"
    assert rules["img-src"] == rules["media-src"] == "data:"
    assert rules["style-src"] == f"'sha256-{digest['style']}'"
    assert rules["script-src"] == f"'sha256-{digest['script']}'"
    assert len(plain.raw["style"]) == 1 and len(plain.raw["script"]) == 2
    assert "unsafe" not in policy


def test_no_attribute_runs_or_styles_anything(plain, hostile):
    for elements in (plain, hostile):
        assert not [
            (tag, name) for tag, own in elements.found for name in own if name == "style" or name.startswith("on")
        ]


def test_scripts_write_text_and_never_markup(plain):
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", plain.raw["script"][1]
    )


def test_names_tasks_texts_and_notes_are_text_wherever_they_stand(plain, hostile):
    assert {tag for tag, _ in hostile.found} == {tag for tag, _ in plain.found}
    assert [tag for tag, _ in hostile.found] == [tag for tag, _ in plain.found], "no element more or less"
    text = "".join(hostile.texts)
    assert text.count(HOSTILE) > 10
    data = json.loads(hostile.raw["script"][0])
    assert any(HOSTILE in one for one in data["texts"])
    assert any(model["label"] == HOSTILE for view in data["examples"] for model in view["models"])


def test_json_cannot_end_its_element_and_reads_as_it_was():
    value = {"a": "</script><!--<script>", "b": ["\u2028\u2029&", "é 中"]}
    text = json_for_html(value)
    assert not re.search(r"[<>&\u2028\u2029]", text)
    assert json.loads(text) == value


def test_half_a_surrogate_does_not_break_the_page():
    assert "?" in render(dataclasses.replace(page(), title="a \ud800 title"))


def test_every_view_that_has_something_has_a_tab_and_no_other():
    full = Elements(render(page()))
    tabs = [own["href"] for tag, own in full.found if own.get("role") == "tab"]
    assert tabs == ["#tables", "#tradeoffs", "#curves", "#efficiency", "#compression", "#examples", "#lineage", "#runs"]
    bare = Elements(
        render(dataclasses.replace(page(), tradeoffs=(), curves=(), efficiency=(), compression=(), examples=()))
    )
    assert [own["href"] for tag, own in bare.found if own.get("role") == "tab"] == ["#tables", "#lineage", "#runs"]


def test_an_installed_wheel_has_the_templates_styles_and_scripts(tmp_path):
    from hatchling.builders.wheel import WheelBuilder  # type: ignore[import-not-found]

    root = Path(__file__).resolve().parents[4]
    wheel = next(WheelBuilder(str(root)).build(directory=str(tmp_path), versions=["standard"]))
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    code = (
        "import harness; from harness.report.page.model import Page; from harness.report.page.render import render; "
        "print(harness.__file__); print(len(render(Page('t', 'now', '0', ()))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    place, size = done.stdout.split()
    assert place.startswith(str(tmp_path)) and int(size) > 20_000


def test_tables_have_captions_scopes_and_a_sort_state(plain):
    heads = [own for tag, own in plain.found if tag == "th"]
    assert heads and all(own.get("scope") in ("row", "col") for own in heads)
    sorts = [own["aria-sort"] for own in heads if "aria-sort" in own]
    assert sorts.count("descending") == len(page().sections) and "none" in sorts


def test_ids_are_unique_and_references_to_them_exist(plain):
    ids = [own["id"] for _, own in plain.found if own.get("id")]
    assert len(ids) == len(set(ids))
    for _, own in plain.found:
        for name in ("aria-controls", "aria-labelledby"):
            assert own.get(name) is None or own[name] in ids
