"""Reading files of rows that somebody else wrote: their encoding, delimiter and header guessed, every row with its line.

No database here. Faults of the whole file are `BadFile`; a row that cannot be read comes as `Refused`, and the next
rows go on.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

import numpy as np

from users.ingest.normal import Refused, nfc
from users.xlsx_files import BadSheet, is_xlsx, read_sheet

SAMPLE_ROWS = 50
# Lines looked at for those rows: most of a file may be blank lines, and somebody waits for the page.
SAMPLE_LINES = 50_000
MAX_COLUMNS = 255
DELIMITERS = {"comma": ",", "tab": "\t", "semicolon": ";", "pipe": "|", "whitespace": None}
# How an Excel file is read, in place of an encoding and of a delimiter.
XLSX = "xlsx"
ENCODINGS = ("utf-8-sig", "gb18030")
# Rows that are read in one go: few, for one of them may be large.
BLOCK = 100
# A file of rows has a line break within so many bytes; without one all of it would be held in memory as one row.
LONGEST_LINE = 1024 * 1024
BREAK = re.compile(r"\r\n|\r|\n")
NUMERIC = re.compile(r"[\s¥￥$€£]*[+-]?\d[\d.,:/\-TZ+ ]*%?\s*", re.ASCII)


class BadFile(Exception):
    """The file as a whole cannot be read. `code` is stable; `line` is where, 0 when it is everywhere."""

    def __init__(self, code: str, line: int = 0) -> None:
        super().__init__(code)
        self.code, self.line = code, line


@dataclass(frozen=True)
class Layout:
    """How a file is to be read. Columns without a header are called 1, 2, 3 …"""

    encoding: str
    delimiter: str
    header: bool
    columns: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, kept: dict[str, Any]) -> Layout:
        return cls(kept["encoding"], kept["delimiter"], kept["header"], tuple(kept["columns"]))


Row = tuple[int, list[str] | Refused]


def guess_layout(
    path: Path, delimiter: str | None = None, header: bool | None = None, encoding: str | None = None
) -> Layout:
    """Read the file's beginning; what is given is taken, the rest is guessed. Raises BadFile."""
    encoding = encoding or guess_encoding(path)
    if encoding == XLSX:
        delimiter = XLSX
    delimiter = delimiter or guess_delimiter(path, encoding)
    rows = first_rows(path, encoding, delimiter)
    if not rows:
        raise BadFile("empty_file")
    if header is None:
        header = looks_like_header(rows[0])
    columns = [nfc(name.strip()) for name in rows[0]] if header else [""] * len(rows[0])
    named = [name or str(n) for n, name in enumerate(columns, 1)]
    if len(named) > MAX_COLUMNS:
        raise BadFile("too_many_columns")
    if len(set(named)) < len(named):
        raise BadFile("duplicate_column")
    layout = Layout(encoding, delimiter, header, tuple(named))
    if header and next(read_rows(path, layout, SAMPLE_LINES), None) is None:  # one that cannot be read is told as such
        raise BadFile("no_rows")
    return layout


def guess_encoding(path: Path) -> str:
    """UTF-8 when the whole file is, else GB18030 when it is that. Raises BadFile: a wrong guess would be mojibake."""
    with path.open("rb") as raw:
        start = raw.read(4)
    if not start:
        raise BadFile("empty_file")
    if is_xlsx(start):
        return XLSX
    if start.startswith(b"\xd0\xcf\x11\xe0"):
        raise BadFile("spreadsheet")
    for encoding in ENCODINGS:
        if decodes(path, encoding):
            return encoding
    raise BadFile("invalid_encoding")


def decodes(path: Path, encoding: str) -> bool:
    """Raises BadFile for a line that is too long to be a row."""
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as raw:
        try:
            while part := raw.read(LONGEST_LINE):
                if b"\0" in part:
                    return False
                if len(part) == LONGEST_LINE and b"\n" not in part and b"\r" not in part:
                    raise BadFile("no_lines")
                decoder.decode(part)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def guess_delimiter(path: Path, encoding: str) -> str:
    """The one that cuts the first lines into the same number of columns, at least two; comma when none does."""
    best, most = "comma", 1
    for name in DELIMITERS:
        widths = {len(cells) for cells in first_rows(path, encoding, name)}
        # Whitespace cuts prose and times as well: only when nothing else cuts at all.
        if len(widths) == 1 and (width := widths.pop()) > most and (name != "whitespace" or most == 1):
            best, most = name, width
    return best


def first_rows(path: Path, encoding: str, delimiter: str) -> list[list[str]]:
    if encoding == XLSX:
        return [cells for _line, _done, cells in islice(sheet_rows(path), SAMPLE_ROWS)]
    with open_text(path, encoding) as text:
        rows = islice(chain.from_iterable(split_rows(islice(text, SAMPLE_LINES), delimiter)), SAMPLE_ROWS)
        try:
            return [cells for _line, cells in rows if isinstance(cells, list)]
        except UnicodeDecodeError as error:  # the one that somebody chose: a guess looks at the whole file
            raise BadFile("other_encoding") from error


def looks_like_header(first: list[str]) -> bool:
    """Rows of events hold a time or a number; a row of names holds neither, nor an address."""
    return not any(NUMERIC.fullmatch(cell) or "@" in cell for cell in first)


def open_text(path: Path, encoding: str) -> IO[str]:
    return path.open(encoding=encoding, newline="")


FileRow = tuple[int, int, list[str] | Refused]


def read_rows(path: Path, layout: Layout, lines: int | None = None) -> Iterator[FileRow]:
    """(line number, bytes read so far, cells) of every row below the header, or of those in the first `lines` lines.

    Raises BadFile for an open quote.
    """
    return chain.from_iterable(read_blocks(path, layout, lines))


def read_blocks(path: Path, layout: Layout, lines: int | None = None) -> Iterator[list[FileRow]]:
    """The same, BLOCK rows at a time."""
    width, header = len(layout.columns), layout.header
    if layout.encoding == XLSX:
        rows = islice(sheet_rows(path), int(header), lines)
        while block := list(islice(rows, BLOCK)):
            yield [(line, done, fit(cells + [""] * (width - len(cells)), width)) for line, done, cells in block]
        return
    with open_text(path, layout.encoding) as text:
        try:
            for told in split_rows(islice(text, lines), layout.delimiter):
                done = text.buffer.tell()  # type: ignore[attr-defined]
                yield [(line, done, fit(cells, width)) for line, cells in (told[1:] if header else told)]
                header = header and not told
        except UnicodeDecodeError as error:
            raise BadFile("other_encoding") from error


def fit(cells: list[str] | Refused, width: int) -> list[str] | Refused:
    if isinstance(cells, Refused) or len(cells) == width:
        return cells
    return Refused("wrong_columns", f"{len(cells)} cells instead of {width}.")


def sheet_rows(path: Path) -> Iterator[tuple[int, int, list[str]]]:
    """(row, bytes of the file that it stands for, cells) of an Excel file. Raises BadFile."""
    size = path.stat().st_size
    try:
        for line, share, cells in read_sheet(path):
            yield line, round(size * share), cells
    except BadSheet as problem:
        raise BadFile(problem.code) from problem


def split_rows(text: Iterable[str], delimiter: str) -> Iterator[list[Row]]:
    """(line number, cells) of every row that is not blank, some rows at a time."""
    if DELIMITERS[delimiter] is None:
        words = ((line, told.split()) for line, told in enumerate(text, 1))
        while block := list(islice(words, BLOCK)):
            yield [(line, cells) for line, cells in block if cells]
        return
    reader = csv.reader(text, delimiter=DELIMITERS[delimiter] or ",", strict=True, skipinitialspace=True)
    while True:
        began, found, problem = reader.line_num + 1, [], None
        try:
            found.extend(islice(reader, BLOCK))  # keeps what came before an error
        except csv.Error as error:
            problem = error
        lines = row_lines(found, began, reader.line_num, broken=problem is not None)
        rows: list[Row] = [
            (line, cells)
            for line, cells in zip(lines, found, strict=False)
            if cells and (cells[0].strip() or any(map(str.strip, cells)))
        ]
        if problem:
            if "unexpected end" in str(problem):
                raise BadFile("malformed_csv", lines[-1]) from problem
            rows.append((lines[-1], Refused("malformed_csv", "A quote is out of place, or a cell is too long.")))
        yield rows
        if not found and not problem:
            return


def row_lines(rows: list[list[str]], began: int, ended: int, *, broken: bool) -> Sequence[int]:
    """The line that each row begins in, and one more: where the next row begins, which may be `broken`."""
    if ended - began + 1 == len(rows) and not broken:
        return range(began, ended + 2)
    lines = [began]
    for cells in rows:
        lines.append(lines[-1] + 1 + sum(len(BREAK.findall(cell)) for cell in cells))
    return lines


def fingerprints(rows: list[str]) -> list[int]:
    """64 bits of each row's content; the same within one process only."""
    return [mark & 0xFFFF_FFFF_FFFF_FFFF for mark in map(hash, rows)]


class Occurrences:
    """How often each row of a file came before in it, told chunk by chunk while the file is read once.

    Rows are their fingerprints: 8 bytes a row, and a count only for those that repeat.
    """

    def __init__(self) -> None:
        self.known = np.empty(0, dtype=np.uint64)
        self.counts: Counter[int] = Counter()

    def count(self, prints: list[int]) -> list[int]:
        """For each of the next rows, how often the very same came before."""
        told = np.array(prints, dtype=np.uint64)
        fresh, _first, each = np.unique(told, return_index=True, return_counts=True)
        places = np.searchsorted(self.known, fresh)
        again = np.zeros(len(fresh), dtype=bool)
        inside = places < len(self.known)
        again[inside] = self.known[places[inside]] == fresh[inside]
        answer = [0] * len(prints)
        if repeated := set(fresh[again | (each > 1)].tolist()):
            self.number(prints, repeated, set(fresh[again].tolist()), answer)
        self.known = np.insert(self.known, places[~again], fresh[~again])
        return answer

    def number(self, prints: list[int], repeated: set[int], known: set[int], answer: list[int]) -> None:
        seen = set(known)
        for place, mark in enumerate(prints):
            if mark not in repeated:
                continue
            if mark in seen:
                self.counts[mark] += 1
            seen.add(mark)
            answer[place] = self.counts[mark]
