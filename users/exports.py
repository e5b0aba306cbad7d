"""CSV for people: what a spreadsheet may open. Exports for programs (`manage.py export_…`) are not guarded like this."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

# A cell that begins so is run as a formula by spreadsheets; a quote in front makes it text. Full-width forms count too.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")


def safe_cell(value: Any) -> Any:
    """The value, a text that a spreadsheet would run with a quote in front. Numbers stay numbers."""
    if isinstance(value, str) and value.lstrip(" ").startswith(FORMULA_STARTS):
        return "'" + value
    return value


def plain_text(text: str) -> str:
    """What `safe_cell` put a quote in front of, as it was."""
    return text[1:] if text[:1] == "'" and safe_cell(text[1:]) == text else text


def csv_lines(header: Sequence[Any], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """CSV text line by line, for a streaming answer. The byte order mark tells Excel that it is UTF-8."""
    line = io.StringIO()
    writer = csv.writer(line)
    line.write("\ufeff")
    for row in itertools.chain([header], rows):
        writer.writerow([safe_cell(value) for value in row])
        yield line.getvalue()
        line.seek(0)
        line.truncate()
