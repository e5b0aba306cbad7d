"""Files with a row per item of an order: the rows of one order become one row with the sum of their amounts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from users.csv_files import FileRow
from users.csv_mapping import REFUNDS, Mapping, read_amount
from users.ingest.normal import Refused


def sum_items(rows: Iterable[FileRow], mapping: Mapping, columns: Sequence[str]) -> Iterator[FileRow]:
    """One row per order, in the place of its first item; rows without an order number stay alone.

    The items of an order stand together in a file. Where they do not, the later ones are refused: added up apart, they
    would be read as a newer version of the order. An item whose amount cannot be read refuses its order. Items that are
    given back, or another event, are added up by themselves.
    """
    place = {role: columns.index(column) for column, role in mapping.roles.items() if column in columns}
    order, amount, person = (place[role] for role in ("order_id", "amount", "external_id"))
    closed: set[int] = set()

    def key(row: FileRow) -> object:
        line, _done, cells = row
        if isinstance(cells, Refused) or not cells[order].strip():
            return line
        refund = "refund" in place and cells[place["refund"]].strip().lower() in REFUNDS
        event = cells[place["event"]].strip() if "event" in place else ""
        return cells[person].strip(), cells[order].strip(), refund, event

    for found, items in groupby(rows, key):
        if not isinstance(found, tuple):
            yield from items
        elif (mark := hash(found)) in closed:
            line, done, _cells = next(items)
            yield line, done, Refused("order_apart", "The rows of one order do not stand together.", columns[order])
        else:
            closed.add(mark)
            yield merge(items, amount, columns[amount])


def merge(items: Iterator[FileRow], amount: int, column: str) -> FileRow:
    """Item by item: how many an order has depends on which column somebody took for its number."""
    line, done, cells = next(items)
    assert isinstance(cells, list)
    try:
        total = read_amount(cells[amount])
        for row in items:
            done = row[1]
            total += read_amount(row[2][amount])  # type: ignore[index]  # a row that cannot be read is in no order
    except Refused as problem:
        return line, done, Refused(problem.code, problem.message, column)
    return line, done, [str(total) if place == amount else cell for place, cell in enumerate(cells)]
