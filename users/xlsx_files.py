"""Excel files as rows of texts, one at a time. Formulas are never evaluated: what Excel last showed is what is read.

A file from outside is not believed: what it says it unpacks to is limited before anything is unpacked, entities are
refused (defusedxml), and so is a sheet that claims more rows than there can be, or a row that no sheet has.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import IO, Any
from xml.etree.ElementTree import ParseError
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

from defusedxml.common import DefusedXmlException
from openpyxl.reader.excel import ExcelReader
from openpyxl.styles.stylesheet import apply_stylesheet
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet._reader import DATA_TAG, ROW_TAG, WorkSheetParser
from openpyxl.xml.functions import iterparse

MAX_ROWS = 1_048_576
MEGABYTE = 1024 * 1024
# Unpacked: sheets are read as a stream, their texts and everything else are held in memory.
MAX_SHEETS, MAX_TEXTS, MAX_OTHER = 1024 * MEGABYTE, 100 * MEGABYTE, 16 * MEGABYTE
# A real sheet is packed ten to fifty times; less than this is not worth a look.
MAX_RATIO, SMALL = 200, 16 * MEGABYTE
MAX_PARTS = 10_000
# Excel shows fifteen digits and keeps more; an amount has no more decimals than these.
SHOWN_DIGITS, SHOWN_DECIMALS = 15, 10
# Of a sheet's XML from one row to the next: a row is held in memory, some thirty times as large.
MAX_ROW_BYTES = 2 * MEGABYTE
BROKEN = (
    BadZipFile, zlib.error, InvalidFileException, ParseError, DefusedXmlException, LookupError, ValueError, TypeError,
    AttributeError, EOFError, NotImplementedError, RuntimeError, OverflowError,
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
        if part.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise BadSheet("broken_xlsx")
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


class Unpacked:
    """The XML of a sheet, unpacked while it is read. `rows_at`: where the last row ended."""

    def __init__(self, packed: IO[bytes]) -> None:
        self.packed, self.seen, self.rows_at = packed, 0, 0

    def read(self, size: int = -1) -> bytes:
        part = self.packed.read(size)
        self.seen += len(part)
        if self.seen - self.rows_at > MAX_ROW_BYTES:
            raise BadSheet("xlsx_bomb")
        return part


def read_sheet(path: Path) -> Iterator[tuple[int, float, list[str]]]:
    """(row number, share of the sheet read so far, cells) of every row of the first visible sheet that is not empty.

    Cells behind the last one with a text are left out. Raises BadSheet.
    """
    check_size(path)
    with path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of parts that are of no interest here
        try:
            # Not load_workbook(), which reads through every sheet that does not tell its size.
            book = ExcelReader(file, read_only=True, data_only=True, keep_links=False)
            book.read_manifest()
            book.read_strings()
            book.read_workbook()
            apply_stylesheet(book.archive, book.wb)
            name = first_sheet(book)
            with book.archive.open(name) as packed:
                size = book.archive.getinfo(name).file_size
                for number, seen, values in read_values(book, Unpacked(packed)):
                    cells = [as_text(value) for value in values]
                    while cells and not cells[-1].strip():
                        cells.pop()
                    if cells:
                        yield number, min(seen / size, 1), cells
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


def first_sheet(book: ExcelReader) -> str:
    """The part that holds the first sheet one sees. Raises StopIteration when there is none."""
    return next(
        rel.target
        for sheet, rel in book.parser.find_sheets()
        if sheet.state == "visible" and rel.target in book.valid_files and "chartsheet" not in rel.Type
    )


def read_values(book: ExcelReader, source: Unpacked) -> Iterator[tuple[int, int, list[Any]]]:
    """(row number, bytes read so far, values) of every row, in the order of the file."""
    formats = {"date_formats": book.wb._date_formats, "timedelta_formats": book.wb._timedelta_formats}
    parser = WorkSheetParser(source, book.shared_strings, data_only=True, epoch=book.wb.epoch, **formats)
    for _event, element in iterparse(source):
        if element.tag == DATA_TAG:
            return
        if element.tag != ROW_TAG:
            continue
        number, cells = parser.parse_row(element)
        source.rows_at = source.seen
        element.clear()
        parser.row_dimensions.clear()  # heights and the like, kept for each row
        if 0 < number <= MAX_ROWS:
            values = [None] * max((cell["column"] for cell in cells), default=0)
            for cell in cells:
                values[cell["column"] - 1] = cell["value"]
            yield number, source.seen, values


def as_shown(value: float) -> float:
    """What a formula makes of 0.1 and 0.2 is kept as 0.30000000000000004, which nobody has seen."""
    rounded = round(value, SHOWN_DECIMALS) if abs(value) > 0.1**SHOWN_DECIMALS else value
    return float(f"{rounded:.{SHOWN_DIGITS}g}")


def as_text(value: Any) -> str:
    """A cell as one would write it in a CSV file: times in ISO, whole numbers without a point."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if not value.is_integer():
            value = as_shown(value)
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        # Excel's fractions of a day miss the second by some microseconds.
        value = (value + timedelta(milliseconds=500)).replace(microsecond=0)
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    if isinstance(value, (date, time)):
        return value.isoformat()
    return str(value.total_seconds()) if isinstance(value, timedelta) else str(value)
