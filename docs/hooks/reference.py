"""Pages that are made of the registry and of the command line itself, so that they cannot fall behind.

A line `<!-- registry: tasks -->` becomes the table of the tasks, `<!-- command line -->` the help of every verb. Links
to `results/reference`, which is not part of the site, become the paths of its files.
"""

from __future__ import annotations

import re
from typing import Any

MARK = re.compile(r"^<!-- registry: (\w+) -->$", re.MULTILINE)
COMMAND_LINE = "<!-- command line -->"
CARDS = "<!-- cards -->"
OUTSIDE = re.compile(r"\[([^\]]+)\]\((?:\.\./)+(results/reference/[^)#]+)(?:#[^)]*)?\)")


def on_page_markdown(markdown: str, **page: Any) -> str:
    """The hook that mkdocs calls for each page."""
    filled = MARK.sub(lambda match: table(match[1]), markdown)
    filled = OUTSIDE.sub(lambda match: path_of(match[1], match[2]), filled)
    for mark, made in ((COMMAND_LINE, command_line), (CARDS, cards)):
        filled = filled.replace(mark, made()) if mark in filled else filled
    return filled


def cards() -> str:
    """A section for each file of tasks: what it asks, size, licence, metrics, chance and published scores."""
    from harness.core.registry import load_registry
    from harness.report.text.cards import PUBLISHED, published_rows, task_rows

    registry = load_registry([])
    files: dict[Any, list[Any]] = {}
    for name, task in registry.tasks.items():
        files.setdefault(registry.origins["task", name], []).append(task)
    sections = []
    for tasks in files.values():
        first = tasks[0]
        title = f"## `{first.name}`" + (f" and {len(tasks) - 1} more" if len(tasks) > 1 else "")
        rows = [("tasks", ", ".join(f"`{task.name}`" for task in tasks))] if len(tasks) > 1 else []
        lines = ["| | |", "|---|---|", *(f"| {key} | {cell(text)} |" for key, text in [*rows, *task_rows(first)])]
        section = [title, first.description, "\n".join(lines)]
        if published := published_rows(tasks):
            header = [f"| {' | '.join(PUBLISHED)} |", "|---|---|---|---:|---|"]
            section.append("\n".join([*header, *(f"| {' | '.join(map(cell, row))} |" for row in published)]))
        sections.append("\n\n".join(section))
    return "\n\n".join(sections)


def path_of(text: str, path: str) -> str:
    """What stands in place of a link to a file of the repository."""
    return f"`{path}`" if path.startswith(text) else f"{text} (`{path}`)"


def table(kind: str) -> str:
    """What `harness list KIND` shows, as a Markdown table."""
    import json

    from harness.core.registry import load_registry
    from harness.report.text.listing import listing

    rows = json.loads(listing(load_registry([]), kind, as_json=True))
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if name != "source"]
    lines = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    return "\n".join([*lines, *(f"| {' | '.join(cell(row.get(name)) for name in names)} |" for row in rows)])


def cell(value: Any) -> str:
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    return str("" if value is None else value).replace("|", "\\|").replace("\n", " ")


def command_line() -> str:
    """Usage and options of every verb, from the parser."""
    import typer

    from harness.cli.app import app

    return "\n\n".join(verb(typer.main.get_command(app), "harness"))


def verb(command: Any, path: str) -> list[str]:
    """A section for a command, and those of the commands below it."""
    help_text = (command.help or "").split("\f")[0].strip()
    parts = [f"## `{path}`", help_text] if help_text else [f"## `{path}`"]
    options = [one for one in command.params if not getattr(one, "hidden", False)]
    if options and not hasattr(command, "commands"):
        lines = ["| option | |", "|---|---|"]
        lines += [f"| {usage(option)} | {cell(getattr(option, 'help', '') or '')} |" for option in options]
        parts.append("\n".join(lines))
    for name, below in sorted(getattr(command, "commands", {}).items()):
        if not below.hidden:
            parts += verb(below, f"{path} {name}")
    return parts


def usage(option: Any) -> str:
    names = [*option.opts, *option.secondary_opts]
    said = ", ".join(f"`{name}`" for name in names) if names[0].startswith("-") else f"`{names[0].upper()}`"
    return f"{said} `{option.metavar}`" if option.metavar else said
