"""The command lines of a page, and whether the parser of the command line takes them. Nothing is run."""

from __future__ import annotations

import re
import shlex
from typing import Any

FENCED = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"^ {4}(\S.*)$", re.MULTILINE)
INLINE = re.compile(r"`([^`\n]*\bharness [^`\n]*)`")
SEPARATORS = {"&&", "||", "|", ";", "&", ">", "<", ">>"}


def command_lines(markdown: str) -> list[list[str]]:
    """The arguments of each `harness …` in shell, text and indented blocks, and in code within the text."""
    shell = [content for language, content in FENCED.findall(markdown) if language in ("sh", "text")]
    rest = FENCED.sub("", markdown)
    lines = [line for block in shell for line in block.replace("\\\n", " ").splitlines()]
    lines += INDENTED.findall(rest.replace("\\\n", " ")) + INLINE.findall(rest.replace("\\|", "|"))
    return [arguments for line in lines for arguments in _calls(line)]


def _calls(line: str) -> list[list[str]]:
    """What follows `harness` (or a path to it, or `-m harness`) in each command of a line; none where it is prose."""
    lexer = shlex.shlex(line.removeprefix("$ "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:
        return []
    calls: list[list[str]] = []
    command: list[str] = []
    for word in [*words, ";"]:
        if word not in SEPARATORS:
            command.append(word)
            continue
        while command and re.fullmatch(r"\w+=.*", command[0]):
            del command[0]
        if "-m" in command and command[command.index("-m") + 1 :][:1] == ["harness"]:
            calls.append(command[command.index("-m") + 2 :])
        elif command and command[0].rsplit("/", 1)[-1] == "harness":
            calls.append(command[1:])
        command = []
    return calls


def complaint(arguments: list[str]) -> str | None:
    """What the parser has against the arguments of a call: an unknown verb or option, an option without its value, a value
    that is no choice, too many arguments.
    """
    import typer

    from harness.cli.app import app

    command: Any = typer.main.get_command(app)
    rest = list(arguments)
    while rest and hasattr(command, "commands") and not rest[0].startswith("-"):
        name = rest.pop(0)
        if name not in command.commands:
            return f"no verb '{name}'"
        command = command.commands[name]
    parser = command.make_parser(command.context_class(command, info_name="harness"))
    try:
        values, left, _ = parser.parse_args(list(rest))
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        return str(error.format_message())
    if left and not hasattr(command, "commands"):
        return f"unexpected arguments {left}"
    for parameter in command.params:
        given = values.get(parameter.name)
        choices = getattr(getattr(parameter, "type", None), "choices", None)
        for value in given if isinstance(given, list | tuple) else [given]:
            if choices is not None and isinstance(value, str) and value not in {str(choice) for choice in choices}:
                return f"{parameter.name}: '{value}' is not one of {list(choices)}"
    return None
