"""What a report format is: how the tables of a leaderboard are written. Each is one module with one registered object.

`harness leaderboard --format NAME` asks for the format that is registered under NAME.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.core import plugins
from harness.core.errors import HarnessError
from harness.report.tables.layout import Layout
from harness.report.tables.table import Table

ALIASES = {"md": "markdown"}
OTHER_TABLES = ("markdown", "json")
"""The formats of tables other than the leaderboard itself."""


class ReportFormat:
    """A report format; one of one's own extends this class and is registered: `register("format", NAME, MyFormat())`.

    Attributes:
        stands_in_markdown: Whether its text may stand in a Markdown file, as `--update` puts it there.
    """

    stands_in_markdown = False

    def render(self, tables: Sequence[Table], layout: Layout) -> str:
        """The tables as text, without a line end after it. Names in them come from users: escape them.

        Args:
            tables: The tables, in their order.
            layout: The columns, order and groups that were asked for.

        Returns:
            The text.
        """
        raise NotImplementedError


FORMATS: plugins.Plugins[ReportFormat] = plugins.table("format")


def format_named(name: str) -> str:
    """The name of a registered format, an alias spelled out. Raises HarnessError, with a did-you-mean, for another."""
    name = ALIASES.get(name, name)
    FORMATS.check(name)
    return name


def check_other_table(flag: str, style: str) -> None:
    """Raises HarnessError for a format in which the table of a flag does not come."""
    if style not in OTHER_TABLES:
        raise HarnessError(f"{flag} comes as {' or '.join(OTHER_TABLES)}, not {style}")


def one_after_another(tables: Sequence[Table], layout: Layout, render: Callable[[Table, Layout], str]) -> str:
    """Each table by itself, with a blank line in between."""
    return "\n\n".join(render(table, layout).rstrip("\n") for table in tables)
