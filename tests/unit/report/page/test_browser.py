"""The page in headless Chromium: every interaction, colours, widths, paper, and nothing on console or network."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.core.items import item_of_bytes
from harness.report.page import items
from harness.report.page.render import render
from tests.unit.report.page.given import HOSTILE, page

pytestmark = pytest.mark.slow

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
VIEWS = ("tables", "tradeoffs", "curves", "efficiency", "compression", "examples", "lineage", "runs")


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A browser of its own, with nothing of the user's."""
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install 'nlp-harness[test]'"
    )
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no chromium on this machine: apt-get install chromium, or name one in $CHROMIUM")
    with sync_api.sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"),
            executable_path=path,
            args=FLAGS,
            viewport={"width": 1280, "height": 800},
        )
        context.set_default_timeout(60_000)
        yield context
        context.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    found = {"plain": folder / "plain.html", "hostile": folder / "hostile.html"}
    found["plain"].write_text(render(page()), encoding="utf-8")
    found["hostile"].write_text(render(page(HOSTILE, f"task {HOSTILE}", HOSTILE, HOSTILE)), encoding="utf-8")
    return found


@pytest.fixture
def tab(chromium: Any) -> Iterator[Any]:
    """A fresh page that must end without a message on the console, an error, or a request but for its own file."""
    opened = chromium.new_page()
    said: list[str] = []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("dialog", lambda dialog: (said.append("dialog"), dialog.dismiss()))
    requests: list[str] = []
    opened.on("request", lambda request: requests.append(request.url))
    opened.set_viewport_size({"width": 1280, "height": 800})
    yield opened
    opened.close()
    assert said == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert sum(url.startswith("file:") for url in requests) <= 3, "one a time the page was opened"


@pytest.fixture
def shown(tab: Any, files: dict[str, Path]) -> Any:
    tab.goto(files["plain"].as_uri())
    return tab


def models(shown: Any) -> list[str]:
    return shown.locator("#t0 tbody[data-model]:visible .label").all_inner_texts()


def go(shown: Any, view: str) -> None:
    shown.locator(f"#tab-{view}").click()


def test_columns_sort_by_click_and_by_key_and_say_so(shown):
    head = shown.locator("#t0 thead th[data-col='1']")
    assert models(shown) == ["tfidf", "bert-demo", "bert-demo+int8"]
    head.locator("button").click()
    assert (head.get_attribute("aria-sort"), models(shown)[0]) == ("descending", "bert-demo")
    assert shown.locator("#t0 thead th[data-col='0']").get_attribute("aria-sort") == "none"
    shown.keyboard.press("Enter")
    assert (head.get_attribute("aria-sort"), models(shown)[0]) == ("ascending", "tfidf")
    assert shown.locator("#said").inner_text() == "sorted by a, ascending"


def test_what_costs_sorts_cheapest_first_and_what_is_missing_comes_last(shown):
    disk = shown.locator("#t0 thead th", has_text="disk")
    for direction, first in (("ascending", "bert-demo+int8"), ("descending", "bert-demo")):
        disk.locator("button").click()
        assert disk.get_attribute("aria-sort") == direction
        assert (models(shown)[0], models(shown)[-1]) == (first, "tfidf")


def test_models_are_filtered_as_one_types(shown):
    shown.locator("#t0 [data-filter]").fill("int8")
    assert models(shown) == ["bert-demo+int8"]
    assert shown.locator("#t0 [data-count]").inner_text() == "1 of 3 models"
    shown.locator("#t0 [data-filter]").fill("")
    assert len(models(shown)) == 3


def test_groups_of_columns_are_switched_by_key(shown):
    speed = shown.locator("#t0 [data-group-toggle='speed']")
    column = shown.locator("#t0 thead th[data-group='speed']").first
    assert speed.get_attribute("aria-pressed") == "true" and column.is_visible()
    speed.focus()
    shown.keyboard.press("Space")
    assert speed.get_attribute("aria-pressed") == "false" and not column.is_visible()
    assert shown.locator("#t0 thead th[data-group='memory']").is_visible()
    shown.keyboard.press("Space")
    assert column.is_visible()


def test_a_group_that_was_never_measured_is_off_and_says_not_measured_when_switched_on(shown):
    shown.locator("#tables [data-choose-table]").select_option("t1")
    speed = shown.locator("#t1 [data-group-toggle='speed']")
    assert speed.get_attribute("aria-pressed") == "false"
    speed.click()
    assert "not measured" in shown.locator("#t1 tbody [data-group='speed']").first.inner_text()


def test_tasks_can_be_left_out(shown):
    shown.locator("#t0 .menu summary").click()
    shown.locator("#t0 .menu label", has_text="b").locator("input").uncheck()
    assert not shown.locator("#t0 thead th[data-col='2']").is_visible()
    shown.keyboard.press("Escape")
    assert shown.locator("#t0 .menu").get_attribute("open") is None


def test_intervals_are_whiskers_or_numbers(shown):
    interval, whisker = (shown.locator(f"#t0 tbody [data-col='1'] {one}").first for one in (".interval", ".whisker"))
    assert whisker.is_visible() and not interval.is_visible()
    shown.locator("#t0 [data-numbers]").click()
    assert interval.is_visible() and not whisker.is_visible()


def test_details_of_a_model_open_and_close_by_key(shown):
    more = shown.get_by_role("button", name="Details of bert-demo", exact=True).first
    more.focus()
    shown.keyboard.press("Enter")
    detail = shown.locator(f"[id='{more.get_attribute('aria-controls')}']")
    assert more.get_attribute("aria-expanded") == "true" and detail.is_visible()
    assert "accuracy" in detail.inner_text() and "2.00×" not in detail.inner_text()
    shown.keyboard.press("Enter")
    assert not detail.is_visible()


def test_one_table_is_shown_or_all_of_them(shown):
    chooser = shown.locator("#tables [data-choose-table]")
    assert shown.locator(".board:visible").count() == 1
    chooser.select_option("")
    assert shown.locator(".board:visible").count() == 2


def test_views_are_tabs_that_arrows_walk_through(shown):
    assert shown.locator(".panel:visible").count() == 1
    shown.locator("#tab-tables").focus()
    for key, view in (
        ("ArrowRight", "tradeoffs"),
        ("End", "runs"),
        ("ArrowRight", "tables"),
        ("ArrowLeft", "runs"),
        ("Home", "tables"),
    ):
        shown.keyboard.press(key)
        assert shown.evaluate("document.activeElement.id") == f"tab-{view}"
        assert shown.locator(f"#tab-{view}").get_attribute("aria-selected") == "true"
        assert shown.locator(".panel:visible").get_attribute("id") == view
    assert shown.evaluate("location.hash") == "#tables"


def test_an_address_names_a_view(tab, files):
    tab.goto(f"{files['plain'].as_uri()}#lineage")
    assert tab.locator(".panel:visible").get_attribute("id") == "lineage"


def test_points_have_tooltips_by_pointer_and_by_key_that_escape_ends(shown):
    go(shown, "tradeoffs")
    tip = shown.locator("#tip")
    points = shown.locator("#tradeoffs figure:visible .mark")
    assert points.count() == 2 and not tip.is_visible()
    points.first.hover()
    assert tip.is_visible() and "weights on disk, MB: 1.1" in tip.inner_text()
    shown.mouse.move(2, 2)
    assert not tip.is_visible()
    shown.locator("#tradeoffs figure:visible select").last.focus()
    shown.keyboard.press("Tab")
    first = tip.inner_text()
    shown.keyboard.press("ArrowRight")
    assert tip.is_visible() and tip.inner_text() != first
    assert shown.evaluate("document.activeElement.getAttribute('aria-label')") == tip.inner_text()
    shown.keyboard.press("Escape")
    assert not tip.is_visible()


def test_plots_follow_the_chosen_axes(shown):
    go(shown, "tradeoffs")
    figure = shown.locator("#tradeoffs figure:visible")
    up, across = figure.locator("select").all()
    before = figure.locator(".mark").first.get_attribute("aria-label")
    across.select_option("examples_per_second")
    up.select_option("a")
    after = figure.locator(".mark").first.get_attribute("aria-label")
    assert "weights on disk" in before and "examples a second: 400" in after and "a, accuracy: 80.0" in after
    assert figure.locator("svg").get_attribute("aria-label").startswith("a, accuracy against examples a second")


def test_curves_have_marks_and_the_same_numbers_as_a_table(shown):
    go(shown, "curves")
    assert shown.locator("#curves .mark").count() > 10 and shown.locator("#curves .line").count() == 1
    shown.locator("#curves summary").click()
    assert "500" in shown.locator("#curves .grid").inner_text()
    go(shown, "efficiency")
    assert shown.locator("#efficiency .band").count() == 1
    assert "chance" in shown.locator("#efficiency svg").text_content()


def texts(shown: Any) -> list[str]:
    return shown.locator("#example-table tbody td.text").all_inner_texts()


def test_examples_are_filtered_by_right_and_wrong_and_by_flips(shown):
    go(shown, "examples")
    count = shown.locator("#example-count")
    assert count.inner_text() == "25 shown of 200 examples" and len(texts(shown)) == 25
    shown.locator("#example-a").select_option(label="bert-demo")
    shown.locator("#example-b").select_option(label="bert-demo+int8")
    shown.locator("#example-filter").select_option("wrong")
    assert count.inner_text() == "20 shown of 20 (A wrong)"
    assert {mark.strip() for mark in shown.locator("#example-table tbody td:nth-child(4) .mark").all_inner_texts()} == {
        "✗"
    }
    shown.locator("#example-filter").select_option("lost")
    assert count.inner_text() == "20 shown of 20 (flips: A right, B wrong)"
    rows = [row.locator(".mark").all_inner_texts() for row in shown.locator("#example-table tbody tr").all()]
    assert len(rows) == 20 and all([mark.strip() for mark in row] == ["✓", "✗"] for row in rows)
    shown.locator("#example-filter").select_option("won")
    assert count.inner_text() == "15 shown of 15 (flips: A wrong, B right)"


def test_examples_are_searched_and_more_are_shown_on_demand(shown):
    go(shown, "examples")
    shown.locator("#example-more").click()
    assert len(texts(shown)) == 50
    shown.locator("#example-search").fill("film 150")
    assert texts(shown) == ["a fine film 150"]
    assert "150 of 200 examples" in shown.locator("#example-note").inner_text()
    shown.locator("#example-search").fill("")
    shown.locator("#example-task").select_option(label="b")
    assert shown.locator("#example-count").inner_text() == "25 shown of 200 examples"


def test_images_are_seen_sounds_are_played_and_hostile_names_are_text(tab, tmp_path):
    import numpy as np

    soundfile = pytest.importorskip("soundfile", reason="soundfile is not installed")
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    picture, sound = io.BytesIO(), io.BytesIO()
    image.new("RGB", (8, 8), "red").save(picture, "PNG")
    soundfile.write(sound, np.sin(np.arange(8000) / 5), 16_000, format="WAV")
    found = page()
    fields = {
        "image": [item_of_bytes(picture.getvalue(), HOSTILE, "a.png")],
        "audio": [item_of_bytes(sound.getvalue(), "a.wav", "a.wav")],
    }
    family = SimpleNamespace(modality_of=lambda field: field)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(items.FAMILIES, "get", lambda name: family)
        showing = items.Gallery().show("both", fields, [0])
    view = dict(found.examples[0])
    rows = range(len(view["ids"]))
    view |= {
        "fields": list(fields), "texts": [[HOSTILE, "a.wav"] for _ in rows], "shown": [showing.rows[0] for _ in rows],
    }  # fmt: skip
    found_first = [0.1, 0, 0.9, 0, 0.8]
    view |= {
        "others": [["dev-7", HOSTILE, "another", showing.rows[0][1]]],
        "retrieved": [[found_first for _ in rows], None, *([found_first for _ in rows] for _ in view["models"][2:])],
    }
    file = tmp_path / "items.html"
    file.write_text(render(replace(found, examples=(view,))), encoding="utf-8")
    tab.goto(file.as_uri())
    go(tab, "examples")
    picture_shown = tab.locator("#example-table img").first
    assert picture_shown.evaluate("async (one) => (await one.decode(), one.naturalWidth)") == 8
    assert picture_shown.get_attribute("alt") == HOSTILE and tab.title() != "owned"
    sound_shown = tab.locator("#example-table audio").first
    seconds = "(one) => new Promise((done, fail) => { one.onloadedmetadata = () => done(one.duration); one.onerror = () => fail(one.error.message); one.preload = 'metadata'; one.load(); })"
    assert sound_shown.evaluate(seconds) == pytest.approx(0.5, abs=0.01)
    assert tab.locator("#example-table img").count() == 25 and HOSTILE in texts(tab)[0]
    first, caption = tab.locator("#example-table tbody tr").first.locator(".retrieved").all()
    assert first.locator("audio").get_attribute("aria-label") == HOSTILE == first.locator("bdi").inner_text()
    assert "0.9 where this pair has 0.1" in first.inner_text() and caption.locator("bdi").inner_text() == "another"
    silent = view["models"][1]["label"]
    assert f"What {silent} put first is not in the record" in tab.locator("#example-note").inner_text()


BACKGROUND = "getComputedStyle(document.body).backgroundColor"


def test_colours_follow_the_system_until_a_reader_chooses(shown):
    shown.emulate_media(color_scheme="light")
    light = shown.evaluate(BACKGROUND)
    shown.emulate_media(color_scheme="dark")
    dark = shown.evaluate(BACKGROUND)
    assert light != dark
    shown.get_by_role("button", name="light").click()
    assert shown.evaluate(BACKGROUND) == light
    shown.reload()
    assert shown.evaluate(BACKGROUND) == light, "the choice is kept"
    shown.get_by_role("button", name="auto").click()
    assert shown.evaluate(BACKGROUND) == dark
    assert shown.get_by_role("button", name="auto").get_attribute("aria-pressed") == "true"


CONTRASTS = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((one) => one / 255)
    .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4))
    .reduce((sum, one, at) => sum + one * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const [r, g, b, a = 1] = parse(getComputedStyle(one).backgroundColor);
      if (a > 0) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !element.checkVisibility() || element.closest('script, .unseen, .skip, option')) continue;
    const style = getComputedStyle(element);
    const [a, b] = [light(parse(element.namespaceURI.endsWith('svg') ? style.fill : style.color)), light(behind(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    found.push([contrast, element.textContent.trim().slice(0, 40)]);
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_contrast_enough(shown, scheme):
    shown.emulate_media(color_scheme=scheme)
    for view in VIEWS:
        go(shown, view)
        found = shown.evaluate(CONTRASTS)
        assert len(found) > 20
        assert [one for one in found if one[0] < 4.5] == [], view


def test_what_has_the_focus_is_outlined(shown):
    shown.locator("#tab-tables").focus()
    outlines = set()
    for _ in range(12):
        shown.keyboard.press("Tab")
        outlines.add(
            shown.evaluate(
                "(() => { const s = getComputedStyle(document.activeElement); return `${s.outlineStyle} ${s.outlineWidth}`; })()"
            )
        )
    assert outlines == {"solid 2px"}


def test_no_view_is_wider_than_a_phone_and_the_model_stays_in_sight(shown):
    shown.set_viewport_size({"width": 390, "height": 844})
    for view in VIEWS:
        go(shown, view)
        assert shown.evaluate("document.documentElement.scrollWidth") <= 390, view
        assert shown.evaluate("window.innerWidth") == 390, view
    go(shown, "tables")
    box = shown.locator("#t0 > .scroll")
    assert box.evaluate("(box) => box.scrollWidth > box.clientWidth"), "the table scrolls inside its box"
    box.evaluate("(box) => { box.scrollLeft = 300; }")
    assert shown.locator("#t0 tbody .label").first.bounding_box()["x"] < 60


def test_plots_keep_their_letters_legible_on_a_phone(shown):
    shown.set_viewport_size({"width": 390, "height": 844})
    go(shown, "tradeoffs")
    width, box = shown.locator("#tradeoffs figure:visible svg").evaluate(
        "(svg) => [svg.clientWidth, svg.viewBox.baseVal.width]"
    )
    assert width == pytest.approx(box, abs=2)


def test_paper_has_all_views_without_their_controls(shown):
    shown.emulate_media(media="print", color_scheme="dark")
    assert shown.locator("#tables").is_visible() and shown.locator("#lineage").is_visible()
    assert not shown.locator(".tabs").is_visible() and not shown.locator(".controls").first.is_visible()
    assert shown.evaluate(BACKGROUND) == "rgb(255, 255, 255)"
    assert shown.pdf(prefer_css_page_size=True)[:5] == b"%PDF-"


def test_hostile_names_and_texts_do_nothing_but_stand_there(tab, files):
    tab.goto(files["hostile"].as_uri())
    for view in VIEWS:
        go(tab, view)
    tab.locator("#example-a").evaluate("(list) => list.options.length")
    go(tab, "examples")
    assert HOSTILE in texts(tab)[0]
    go(tab, "tradeoffs")
    tab.locator("#tradeoffs figure:visible .mark").last.hover()
    assert HOSTILE in tab.locator("#tip").inner_text()
    assert tab.title() == "Leaderboard" and tab.locator("img").count() == 0
