"""Excel files as rows of texts, one at a time. Formulas are never evaluated: what Excel last showed is what is read.

A file from outside is not believed: what it says it unpacks to is limited before anything is unpacked, entities are
refused (defusedxml), and so is a sheet that claims more rows than there can be.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError
from xml.sax.saxutils import escape
from zipfile import BadZipFile, ZipFile

from defusedxml.common import DefusedXmlException
from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

MAX_ROWS = 1_048_576
MEGABYTE = 1024 * 1024
# Unpacked: sheets are read as a stream, their texts and everything else are held in memory.
MAX_SHEETS, MAX_TEXTS, MAX_OTHER = 1024 * MEGABYTE, 100 * MEGABYTE, 16 * MEGABYTE
# A real sheet is packed ten to fifty times; less than this is not worth a look.
MAX_RATIO, SMALL = 200, 16 * MEGABYTE
MAX_PARTS = 10_000
BROKEN = (
    BadZipFile, zlib.error, InvalidFileException, ParseError, DefusedXmlException, KeyError, ValueError, TypeError,
    AttributeError, IndexError, EOFError, NotImplementedError, RuntimeError, OverflowError,
)  # fmt: skip


class BadSheet(Exception):
    """`code` is `broken_xlsx` or `xlsx_bomb`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def is_xlsx(start: bytes) -> bool:
    return start.startswith(b"PK\x03\x04")


def check_size(path: Path) -> None:
    """Raise BadSheet for a file that would unpack to more than an honest one does."""
    try:
        with ZipFile(path) as packed:
            parts = packed.infolist()
    except BROKEN as error:
        raise BadSheet("broken_xlsx") from error
    sheets = texts = other = 0
    for part in parts:
        if part.file_size > SMALL and part.file_size > MAX_RATIO * part.compress_size:
            raise BadSheet("xlsx_bomb")
        if part.filename.startswith("xl/worksheets/"):
            sheets += part.file_size
        elif part.filename == "xl/sharedStrings.xml":
            texts += part.file_size
        elif not part.filename.startswith("xl/media/"):
            other += part.file_size
    if len(parts) > MAX_PARTS or sheets > MAX_SHEETS or texts > MAX_TEXTS or other > MAX_OTHER:
        raise BadSheet("xlsx_bomb")


def read_sheet(path: Path) -> Iterator[tuple[int, float, list[str]]]:
    """(row number, share of the sheet read so far, cells) of every row of the first visible sheet that is not empty.

    Cells behind the last one with a text are left out. Raises BadSheet.
    """
    check_size(path)
    with path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of parts that are of no interest here
        try:
            book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
            sheet = next(sheet for sheet in book.worksheets if sheet.sheet_state == "visible")
            rows = min(sheet.max_row or MAX_ROWS, MAX_ROWS)
            sheet.reset_dimensions()  # what the file claims of its width would be made up for in every row
            for number, values in enumerate(sheet.iter_rows(values_only=True, max_row=MAX_ROWS), 1):
                cells = [as_text(value) for value in values]
                while cells and not cells[-1].strip():
                    cells.pop()
                if cells:
                    yield number, min(number / rows, 1), cells
        except (*BROKEN, OSError, StopIteration) as error:
            raise BadSheet("broken_xlsx") from error


def mentions(path: Path, texts: Iterable[str]) -> bool:
    """Whether one of some texts stands anywhere in an Excel file, whose parts are packed. Raises BadSheet."""
    check_size(path)
    needles = [escape(text).encode() for text in texts]
    overlap = max(map(len, needles), default=0)
    try:
        with ZipFile(path) as packed:
            for part in packed.namelist():
                end = b""
                with packed.open(part) as content:
                    while block := content.read(MEGABYTE):
                        block = end + block
                        if any(needle in block for needle in needles):
                            return True
                        end = block[-overlap:]
    except (*BROKEN, OSError) as error:
        raise BadSheet("broken_xlsx") from error
    return False


def as_text(value: Any) -> str:
    """A cell as one would write it in a CSV file: times in ISO, whole numbers without a point."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        # Excel's fractions of a day miss the second by some microseconds.
        value = (value + timedelta(milliseconds=500)).replace(microsecond=0)
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    if isinstance(value, (date, time)):
        return value.isoformat()
    return str(value.total_seconds()) if isinstance(value, timedelta) else str(value)
