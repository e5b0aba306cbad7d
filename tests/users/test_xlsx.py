"""Excel files: read as CSV files are, dates and numbers right, and hostile ones refused before they do harm."""

from __future__ import annotations

import io
import re
import resource
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from openpyxl import Workbook

from tests.users.conftest import stored
from tests.users.test_imports import counts, queue, run_import
from users import xlsx_files
from users.csv_files import BadFile, guess_layout, read_rows
from users.csv_mapping import Mapping, guess_mapping
from users.imports import receive_file
from users.models import ImportRowError
from users.xlsx_files import as_text
from workspaces.errors import DomainError
from workspaces.scoping import workspace_scope

ROWS: list[list[Any]] = [
    ["user_id", "下单时间", "金额", "备注", None],
    ["u1", datetime(2026, 8, 1, 9, 30, 15), 12.5, "=1+1"],  # noqa: DTZ001 - Excel knows no zones
    [13800138000, date(2026, 8, 2), 3, "x", None],
    [],
    ["u3", date(2026, 8, 3), 7, None],
    ["u4", "soon", 7, None],
]


def write_book(path: Path, rows: list[list[Any]] = ROWS) -> Path:
    book = Workbook()
    for row in rows:
        book.active.append(row)
    book.create_sheet("another").append(["nothing", "of", "this"])
    book.save(path)
    return path


def rewrite(path: Path, changes: dict[str, Any]) -> None:
    """The same file with parts changed: name → the new content made of the old one."""
    with ZipFile(path) as packed:
        parts = {name: packed.read(name) for name in packed.namelist()}
    with ZipFile(path, "w", ZIP_DEFLATED) as packed:
        for name, content in parts.items():
            packed.writestr(name, changes[name](content) if name in changes else content)


def test_a_sheet_is_read_with_its_dates_and_without_evaluating_anything(tmp_path):
    path = write_book(tmp_path / "book")
    layout = guess_layout(path)
    assert layout.columns == ("user_id", "下单时间", "金额", "备注")
    assert [(line, cells) for line, _done, cells in read_rows(path, layout)] == [
        (2, ["u1", "2026-08-01 09:30:15", "12.5", ""]),  # a formula that nobody has computed yet
        (3, ["13800138000", "2026-08-02", "3", "x"]),
        (5, ["u3", "2026-08-03", "7", ""]),
        (6, ["u4", "soon", "7", ""]),
    ]
    assert [as_text(value) for value in (True, 1e20, 0.1, None)] == ["true", "1e+20", "0.1", ""]


@pytest.mark.parametrize(
    ("made", "shown"),
    [
        (0.1 + 0.2, "0.3"),
        (1.1 + 1.9 + 1e-15, "3"),
        (0.1 * 3 * 10, "3"),
        (9_123_456.7 + 0.1, "9123456.8"),
        (47_654_321.12 + 0.01, "47654321.13"),
        (-47_654_321.12 - 0.01, "-47654321.13"),
        (1234567890123456.0, "1234567890123456.0"),
        (1e-12, "1e-12"),
    ],
)
def test_a_number_is_read_with_the_fifteen_digits_that_are_shown(made, shown):
    assert as_text(made) == shown


def test_what_a_formula_made_is_read_as_it_is_shown_and_where_it_found_nobody_nobody_is_meant(acme, tmp_path):
    rows = [["user_id", "下单时间", "金额"]] + [[who, date(2026, 8, 1), paid] for who, paid in
            (("u1", 0.1 + 0.2), ("u2", 100 / 3), ("#N/A", 5.5), ("u3", 1e-12))]  # fmt: skip
    path = write_book(tmp_path / "book.xlsx", rows)
    roles = {"user_id": "external_id", "下单时间": "time", "金额": "amount"}
    file = run_import(acme, queue(acme, path, mapping=Mapping(roles, kind="orders")).pk)
    assert sorted(event.amount_minor for event in stored(acme)) == [30, 3333]
    with workspace_scope(acme):
        told = ImportRowError.objects.filter(file=file).order_by("line").values_list("line", "column", "code")
        assert list(told) == [(4, "user_id", "invalid_identifier"), (5, "金额", "invalid_amount")]


def test_an_excel_file_is_taken_in_once_like_any_other(acme, tmp_path):
    path = write_book(tmp_path / "book.xlsx")
    layout = guess_layout(path)
    mapping = guess_mapping(layout.columns, [cells for _line, _done, cells in read_rows(path, layout)][:3])
    assert mapping.kind == "orders"
    assert counts(run_import(acme, queue(acme, path, mapping=mapping).pk)) == ("done", 4, 3, 0, 1, 3)
    assert [event.amount_minor for event in stored(acme)] == [1250, 300, 700]
    assert counts(run_import(acme, queue(acme, path, mapping=mapping).pk))[2:4] == (0, 3)


def test_a_page_that_is_called_an_excel_file_is_no_table(acme, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    page = b"<table><tr><td>user_id</td>,<td>time</td></tr>\n<tr><td>u1</td>,<td>2026-08-01</td></tr></table>"
    with workspace_scope(acme):
        with pytest.raises(DomainError) as refused:
            receive_file(SimpleUploadedFile("Orders.XLSX", page), "Orders.XLSX")
        assert (refused.value.code, list(tmp_path.rglob("*.csv"))) == ("broken_xlsx", [])
        assert receive_file(SimpleUploadedFile("orders.csv", b"user_id,time\nu1,2026-08-01"), "orders.csv").pk


SHEET = "xl/worksheets/sheet1.xml"
LAUGHS = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({SHEET: lambda old: b"0" * 300 * 1024 * 1024}, "xlsx_bomb"),
        ({"xl/styles.xml": lambda old: old + b" " * 17 * 1024 * 1024}, "xlsx_bomb"),
        ({SHEET: lambda old: old.replace(b"<c ", b"<c><v>1</v></c>" * 200_000 + b"<c ", 1)}, "xlsx_bomb"),
        ({SHEET: lambda old: b'<?xml version="1.0" encoding="x"?>' + old}, "broken_xlsx"),
        ({SHEET: lambda old: LAUGHS + old.replace(b"soon", b"&b;")}, "broken_xlsx"),
        ({SHEET: lambda old: old[:200]}, "broken_xlsx"),
        ({"xl/workbook.xml": lambda old: b"no xml"}, "broken_xlsx"),
        ({"[Content_Types].xml": lambda old: b"<Types/>"}, "broken_xlsx"),
        ({SHEET: lambda old: old.replace(b'r="A2"', b'r="ZZZZZZ2"')}, "broken_xlsx"),
    ],
)
def test_hostile_and_broken_files_are_refused_without_unpacking_them(tmp_path, changes, code):
    path = write_book(tmp_path / "book.xlsx")
    rewrite(path, changes)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BadFile) as caught:
        list(read_rows(path, guess_layout(path)))
    assert caught.value.code == code
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


def test_rows_that_a_file_claims_to_have_further_down_are_not_counted_one_by_one_for_ever(tmp_path):
    path = write_book(tmp_path / "book.xlsx")
    rewrite(path, {SHEET: lambda old: old.replace(b'<row r="6"', b'<row r="99999999999"')})
    assert len(list(read_rows(path, guess_layout(path)))) == 3


def test_a_sheet_that_does_not_tell_its_size_is_looked_at_without_reading_all_of_it(tmp_path, monkeypatch):
    path = write_book(tmp_path / "book.xlsx", [["user_id", "n"], *([f"u{n}", n] for n in range(20_000))])
    rewrite(path, {SHEET: lambda old: re.sub(b"<dimension [^>]*>", b"", old)})
    unpacked = []
    read = xlsx_files.Unpacked.read
    monkeypatch.setattr(xlsx_files.Unpacked, "read", lambda *told: unpacked.append(read(*told)) or unpacked[-1])
    assert guess_layout(path).columns == ("user_id", "n") and sum(map(len, unpacked)) < 200_000
    last = list(read_rows(path, guess_layout(path)))[-1]
    assert last[0] == 20_001 and last[2] == ["u19999", "19999"] and sum(map(len, unpacked)) > 1_000_000


def test_rows_that_stand_in_another_order_are_all_read(tmp_path):
    path = write_book(tmp_path / "book.xlsx")
    rewrite(path, {SHEET: lambda old: old.replace(b'<row r="3"', b'<row r="9"')})
    assert [line for line, _done, _cells in read_rows(path, guess_layout(path))] == [2, 9, 5, 6]


def test_what_is_no_excel_file_but_a_zip_is_refused(tmp_path):
    packed = io.BytesIO()
    with ZipFile(packed, "w") as out:
        out.writestr("a.csv", "user_id,time\nu1,2026-08-01\n")
    (tmp_path / "a.xlsx").write_bytes(packed.getvalue())
    with pytest.raises(BadFile) as caught:
        guess_layout(tmp_path / "a.xlsx")
    assert caught.value.code == "broken_xlsx"
