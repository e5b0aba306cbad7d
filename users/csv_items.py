"""Files with a row per item of an order: the rows of one order become one row with the sum of their amounts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import groupby

from users.csv_files import FileRow
from users.csv_mapping import Mapping, read_amount
from users.ingest.normal import Refused


def sum_items(rows: Iterable[FileRow], mapping: Mapping, columns: Sequence[str]) -> Iterator[FileRow]:
    """One row per order, in the place of its first item; rows without an order number stay alone.

    The items of an order stand together in a file. Where they do not, the later ones are refused: added up apart, they
    would be read as a newer version of the order. An item whose amount cannot be read refuses its order.
    """
    order, amount = (columns.index(mapping.column_of(role) or "") for role in ("order_id", "amount"))
    person = columns.index(mapping.column_of("external_id") or "")
    closed: set[int] = set()

    def key(row: FileRow) -> object:
        line, _done, cells = row
        alone = isinstance(cells, Refused) or not cells[order].strip()
        return line if alone else (cells[person].strip(), cells[order].strip())  # type: ignore[index]

    for found, group in groupby(rows, key):
        items = list(group)
        line, done, cells = items[0][0], items[-1][1], items[0][2]
        if isinstance(cells, Refused) or not isinstance(found, tuple):
            yield line, done, cells
            continue
        mark = hash(found)
        if mark in closed:
            yield line, done, Refused("order_apart", "The rows of one order do not stand together.", columns[order])
            continue
        closed.add(mark)
        yield (
            line,
            done,
            merge([item for _line, _done, item in items if isinstance(item, list)], amount, columns[amount]),
        )


def merge(items: list[list[str]], amount: int, column: str) -> list[str] | Refused:
    try:
        total = sum((read_amount(cells[amount]) for cells in items), Decimal(0))
    except Refused as problem:
        return Refused(problem.code, problem.message, column)
    return [str(total) if place == amount else cell for place, cell in enumerate(items[0])]
