"""Files with a row per item of an order: the rows of one order become one row with the sum of their amounts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import groupby

from users.csv_files import FileRow
from users.csv_mapping import REFUNDS, Mapping, read_amount
from users.ingest.normal import Refused

Key = tuple[str, ...]
# So many events the items of one order may be: the first row of each is held until the last item.
MOST_KINDS = 100


def sum_items(rows: Iterable[FileRow], mapping: Mapping, columns: Sequence[str]) -> Iterator[FileRow]:
    """One row per order, in the place of its first item; rows without an order number stay alone.

    The items of an order stand together in a file. Where they do not, the later ones are refused: added up apart, they
    would be read as a newer version of the order. An item whose amount cannot be read refuses its order. Items that are
    given back, or another event, are added up by themselves, wherever among the others they stand.
    """
    place = {role: columns.index(column) for column, role in mapping.roles.items() if column in columns}
    order, amount, person = (place[role] for role in ("order_id", "amount", "external_id"))
    closed: set[int] = set()

    def key(row: FileRow) -> object:
        line, _done, cells = row
        if isinstance(cells, Refused) or not cells[order].strip():
            return line
        return cells[person].strip(), cells[order].strip()

    def kind(cells: list[str]) -> Key:
        refund = "refund" in place and cells[place["refund"]].strip().lower() in REFUNDS
        return str(refund), cells[place["event"]].strip() if "event" in place else ""

    for found, items in groupby(rows, key):
        if not isinstance(found, tuple):
            yield from items
        elif (mark := hash(found)) in closed:
            line, done, _cells = next(items)
            yield line, done, apart(columns[order])
        else:
            closed.add(mark)
            yield from merge(items, kind, (amount, columns[amount]), columns[order])


def apart(column: str) -> Refused:
    return Refused("order_apart", "The rows of one order do not stand together.", column)


def merge(
    items: Iterable[FileRow], kind: Callable[[list[str]], Key], amount: tuple[int, str], order: str
) -> Iterator[FileRow]:
    """Item by item: how many an order has depends on which column somebody took for its number."""
    place, column = amount
    firsts: dict[Key, tuple[int, list[str]]] = {}
    sums: dict[Key, Decimal | Refused] = {}
    done = 0
    for line, done, cells in items:
        assert isinstance(cells, list)  # a row that cannot be read is in no order
        found = kind(cells)
        if found not in firsts and len(firsts) == MOST_KINDS:
            yield line, done, apart(order)
            continue
        firsts.setdefault(found, (line, cells))
        sums[found] = add(sums.get(found, Decimal(0)), cells[place], column)
    for found, (line, cells) in firsts.items():
        total = sums[found]
        whole = [str(total) if n == place else cell for n, cell in enumerate(cells)]
        yield line, done, total if isinstance(total, Refused) else whole


def add(total: Decimal | Refused, text: str, column: str) -> Decimal | Refused:
    if isinstance(total, Refused):
        return total
    try:
        return total + read_amount(text)
    except Refused as problem:
        return Refused(problem.code, problem.message, column)
