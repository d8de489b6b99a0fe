"""The page as one HTML file: templates filled, styles and scripts inside, and a policy that lets nothing else run.

Every text goes through Jinja's autoescape; the data of the plots and examples are JSON in a script element that is not
run, written so that nothing in them can end it. The Content-Security-Policy names the hashes of the only style sheet
and the only script, and allows no request.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from harness.data.modalities import Shown
from harness.report.page.model import Page
from harness.report.page.text import counted

SCRIPTS = ("base.js", "table.js", "charts.js", "examples.js")
STYLES = ("page.css", "parts.css")
JSON_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def render(page: Page) -> str:
    """The HTML of the page; it needs no other file and no network."""
    from markupsafe import Markup

    style = "\n".join(static_text(name) for name in STYLES)
    script = "(() => {\n'use strict';\n" + "\n".join(static_text(name) for name in SCRIPTS) + "\n})();"
    html = (
        templates()
        .get_template("page.html.j2")
        .render(
            page=page,
            style=Markup(style),  # noqa: S704 - our own files
            script=Markup(script),  # noqa: S704
            policy=policy(style, script),
            data=Markup(json_for_html(_data(page))),  # noqa: S704 - escaped for its place
        )
    )
    return html.encode("utf-8", "replace").decode("utf-8")


def templates() -> Any:
    """The environment of the templates: everything is escaped, nothing undefined is passed over."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("harness.report.page"), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["counted"] = counted
    return environment


def policy(style: str, script: str) -> str:
    """A Content-Security-Policy (W3C CSP 3) that runs these two texts and requests nothing."""
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; img-src data:; "
        "media-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def json_for_html(value: Any) -> str:
    """JSON that is safe inside a script element: no `</script>`, `<!--` or line separator is left in it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return "".join(JSON_ESCAPES.get(letter, letter) for letter in text)


def _data(page: Page) -> Mapping[str, Any]:
    """Ids and texts stand once, in `texts`, items in `shown`, and are named by their number: many tables show the same
    ones.
    """
    charts = [*page.tradeoffs, *page.curves, *page.efficiency, *page.selective]
    pool: dict[str, int] = {}
    items: dict[tuple[str, str], int] = {}

    def place(item: Shown | None) -> int | None:
        return None if item is None else items.setdefault((item.kind, item.uri), len(items))

    examples = [
        {
            **view,
            "ids": [pool.setdefault(identifier, len(pool)) for identifier in view["ids"]],
            "texts": [[pool.setdefault(text, len(pool)) for text in row] for row in view["texts"]],
            "shown": [[place(item) for item in row] for row in view["shown"]],
            "others": [
                [*(pool.setdefault(text, len(pool)) for text in texts), place(item)]
                for *texts, item in view.get("others", [])
            ],
        }
        for view in page.examples
    ]
    drawings = {chart.key: chart.drawing for chart in charts}
    return {"charts": drawings, "examples": examples, "texts": list(pool), "shown": list(items)}


def static_text(name: str) -> str:
    """A static file of the pages."""
    from importlib.resources import files

    return files("harness.report.page").joinpath("static", name).read_text(encoding="utf-8").strip()
