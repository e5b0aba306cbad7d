"""Files that other people's programs wrote: read right, or refused with the line and the reason."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from users import csv_files
from users.csv_files import BadFile, Layout, Occurrences, fingerprints, guess_layout, read_rows
from users.csv_mapping import Mapping, RowReader, as_value, guess_mapping, guess_time_format, read_amount, read_time
from users.exports import csv_lines, safe_cell
from users.import_rows import ChunkReader
from users.ingest.normal import NormalEvent, NormalProfile, Refused
from workspaces.models import Workspace

NOW = datetime(2026, 9, 1, tzinfo=UTC)


@pytest.fixture
def file(tmp_path: Path) -> Any:
    def write(content: str | bytes) -> Path:
        path = tmp_path / "file.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def cells_of(path: Path, **choices: Any) -> list[Any]:
    return [cells for _line, _done, cells in read_rows(path, guess_layout(path, **choices))]


def test_the_guess_looks_at_the_beginning_of_a_file_alone(file, monkeypatch):
    monkeypatch.setattr(csv_files, "SAMPLE_LINES", 100)
    assert guess_layout(file("id,time\nu1,2026-08-01\n" + ",\n" * 500)).columns == ("id", "time")
    with pytest.raises(BadFile) as caught:
        guess_layout(file("\n" * 500 + "id,time\nu1,2026-08-01\n"))
    assert caught.value.code == "empty_file"


@pytest.mark.parametrize(
    ("content", "delimiter", "columns", "rows"),
    [
        ("id,time\nu1,2026-08-01\n", "comma", ("id", "time"), [["u1", "2026-08-01"]]),
        ("\ufeffid,time\nu1,2026-08-01\n", "comma", ("id", "time"), [["u1", "2026-08-01"]]),
        ("id;time;amount\nu1;2026-08-01;1,5\n", "semicolon", ("id", "time", "amount"), [["u1", "2026-08-01", "1,5"]]),
        ("id\ttime\nu 1\t2026-08-01 10:00\n", "tab", ("id", "time"), [["u 1", "2026-08-01 10:00"]]),
        ("id|time\nu1|2026-08-01\n", "pipe", ("id", "time"), [["u1", "2026-08-01"]]),
        (
            " 00004 0001 19970101  2  29.33\r\n 00021 0002 19970101  3  63.34\r\n",
            "whitespace",
            ("1", "2", "3", "4", "5"),
            None,
        ),
        ('id,note\nu1,"a, ""b""\nc"\n\n\nu2,x\n', "comma", ("id", "note"), [["u1", 'a, "b"\nc'], ["u2", "x"]]),
        (
            "id,time\r\nu1,2026-08-01\nu2,2026-08-02\r",
            "comma",
            ("id", "time"),
            [["u1", "2026-08-01"], ["u2", "2026-08-02"]],
        ),
        ("email\na@b.com\n", "comma", ("email",), [["a@b.com"]]),
        ("u1,2026-08-01,5\n", "comma", ("1", "2", "3"), [["u1", "2026-08-01", "5"]]),
        ("id,,time\nu1,x,2026-08-01\n", "comma", ("id", "2", "time"), [["u1", "x", "2026-08-01"]]),
    ],
)
def test_layouts_are_guessed(file, content, delimiter, columns, rows):
    path = file(content)
    layout = guess_layout(path)
    assert (layout.delimiter, layout.columns) == (delimiter, columns)
    assert rows is None or cells_of(path) == rows


def test_gb18030_is_read_as_such_and_never_as_mojibake(file):
    path = file("用户,金额\n张三,3.50\n".encode("gb18030"))
    assert guess_layout(path).encoding == "gb18030" and cells_of(path) == [["张三", "3.50"]]


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (b"", "empty_file", 0),
        (b"\n\n\n", "empty_file", 0),
        (b"email,name\n", "no_rows", 0),
        (b"email,email\na@b.c,d\n", "duplicate_column", 0),
        (b"email" + b"".join(b",c%d" % n for n in range(500)) + b"\n", "too_many_columns", 0),
        (b'email,name\na@b.com,"Bob\nc@d.com,Al\n', "malformed_csv", 2),
        (b"\xff\xfe\x80,1\n", "invalid_encoding", 0),
        ("id,time\nu1,x\n".encode("utf-16"), "invalid_encoding", 0),
        (b"\xd0\xcf\x11\xe0rest", "spreadsheet", 0),
        (b"PK\x03\x04rest", "broken_xlsx", 0),
        pytest.param(b"uid,at," * 300_000, "no_lines", 0, id="one line of two megabytes"),
    ],
)
def test_files_that_cannot_be_read_say_why(file, content, code, line):
    with pytest.raises(BadFile) as caught:
        cells_of(file(content))
    assert (caught.value.code, caught.value.line) == (code, line)


def test_a_bad_row_costs_only_itself_and_has_its_line(file):
    rows = list(
        read_rows(*(lambda path: (path, guess_layout(path)))(file('id,time\n"a"b,1\n"x\ny",2\nu3\nu4,1,2\nu5,3\n')))
    )
    told = [(line, cells.code if isinstance(cells, Refused) else cells) for line, _done, cells in rows]
    assert told == [
        (2, "malformed_csv"),
        (3, ["x\ny", "2"]),
        (5, "wrong_columns"),
        (6, "wrong_columns"),
        (7, ["u5", "3"]),
    ]


def test_identical_rows_are_counted_in_the_order_of_the_file_however_it_is_cut():
    rows = [f"u{n}" for n in range(1000)] + ["u5", "u5", "u7", "u7 ", "u5"]
    for size in (1, 3, 400, 2000):
        counted, occurrences = [], Occurrences()
        for start in range(0, len(rows), size):
            counted += occurrences.count(fingerprints(rows[start : start + size]))
        assert counted == [0] * 1000 + [1, 2, 1, 0, 3]


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_file_is_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(content)
    try:
        layout = guess_layout(path)
        rows = list(read_rows(path, layout))
        reader = RowReader(guess_mapping(layout.columns, []), layout.columns, "UTC", "CNY", NOW)
    except BadFile:
        return
    for _line, _done, cells in rows:
        try:
            if isinstance(cells, list) and {"external_id", "time"} <= set(reader.place):
                reader.read(cells, 0)
        except Refused:
            pass


# --- columns -------------------------------------------------------------------------------------------------------


def test_roles_are_guessed_by_name_in_both_languages():
    english = guess_mapping(["order_id", "id", "User ID", "Order Date", "Price", "note"], [])
    assert english.roles["User ID"] == "external_id" and english.roles["id"] == "property"
    assert (
        english.roles["order_id"] == "order_id"
        and english.roles["Order Date"] == "time"
        and english.roles["Price"] == "amount"
    )
    chinese = guess_mapping(["会员号", "下单时间", "实付金额", "订单号", "手机号", "备注"], [])
    assert list(chinese.roles.values()) == ["external_id", "time", "amount", "order_id", "phone", "property"]
    shop = guess_mapping(["会员编号", "付款时间", "实付款", "订单编号", "联系电话", "会员名"], [])
    assert list(shop.roles.values()) == ["external_id", "time", "amount", "order_id", "phone", "name"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["2026-08-01", "2026-08-01 10:00:00", "2026-08-01T10:00:00+08:00"], "iso"),
        (["20260801"], "iso"),
        (["2026/8/1", "2026/12/31"], "%Y/%m/%d"),
        (["31/08/2026", "01/02/2026"], "%d/%m/%Y"),
        (["08/31/2026", "01/02/2026"], "%m/%d/%Y"),
        (["03/04/2026", "05/06/2026"], "iso"),  # either way round: somebody has to say
        (["2026年8月1日"], "%Y年%m月%d日"),
        (["1700000000", "1700000001000"], "epoch"),
        (["45870", "45871.396"], "iso"),  # days of a spreadsheet, which would all be 1970
        (["soon"], "iso"),
        ([], "iso"),
    ],
)
def test_time_formats_are_guessed_only_when_one_fits(values, expected):
    assert guess_time_format(values) == expected


@pytest.mark.parametrize(
    ("text", "time_format", "expected"),
    [
        ("2026-08-01", "iso", "2026-08-01T04:00:00+00:00"),  # noon in Shanghai
        ("19970101", "%Y%m%d", "1997-01-01T04:00:00+00:00"),
        ("2026-08-01 00:30", "iso", "2026-07-31T16:30:00+00:00"),
        ("2026-08-01T00:30:00Z", "iso", "2026-08-01T00:30:00+00:00"),
        ("1700000000", "epoch", "2023-11-14T22:13:20+00:00"),
        ("1700000000123", "epoch", "2023-11-14T22:13:20.123000+00:00"),
        ("31/08/2026 23:59", "%d/%m/%Y %H:%M", "2026-08-31T15:59:00+00:00"),
    ],
)
def test_times_are_read_in_the_workspaces_zone_and_days_mean_noon(text, time_format, expected):
    assert read_time(text, time_format, "Asia/Shanghai") == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    ("text", "form"),
    [("03/04/2026", "iso"), ("2026-02-30", "iso"), ("", "iso"), ("nan", "epoch"), ("45870", "epoch"), ("x", "%Y%m%d")],
)
def test_what_is_no_time_is_refused(text, form):
    with pytest.raises(Refused):
        read_time(text, form, "UTC")


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("29.33", "29.33"),
        ("1,234.50", "1234.50"),
        ("¥86", "86"),
        ("-3", "-3"),
        (" 12 元", "12"),
        ("1,234,567", "1234567"),
        ("+1", "1"),
    ],
)
def test_amounts_as_people_write_them(text, amount):
    assert read_amount(text) == Decimal(amount)


@pytest.mark.parametrize("text", ["", "abc", "1,23", "1.2.3", "1e5", "--1", "12 34", "9" * 16, "NaN", "=1+1"])
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(Refused):
        read_amount(text)


def test_values_are_numbers_when_written_as_numbers():
    assert [as_value(text) for text in ("2", "2.50", "007", "-1", "1" * 20, "1e5", "x")] == [
        2,
        Decimal("2.50"),
        "007",
        -1,
        "1" * 20,
        "1e5",
        "x",
    ]


def reader(roles: dict[str, str], **options: Any) -> RowReader:
    return RowReader(Mapping(roles, **options), list(roles), "Asia/Shanghai", "CNY", NOW)


def test_a_row_becomes_an_event_and_news_about_the_person():
    columns = {
        "uid": "external_id",
        "t": "time",
        "a": "amount",
        "o": "order_id",
        "mail": "email",
        "n": "property:pieces",
        "x": "skip",
        "": "property",
    }
    told = reader(columns).read(["u1", "2026-08-01", "¥1,000.5", "o1", "A@B.com", "2", "?", ""], 0)
    event, profile = told
    assert isinstance(event, NormalEvent) and isinstance(profile, NormalProfile)
    assert event.properties == '{"pieces":2,"total":1000.5,"order_id":"o1"}' and (
        event.amount_minor,
        event.order_id,
    ) == (100050, "o1")
    assert profile.traits == {"email": "A@B.com"} and profile.at == event.at


def test_ids_keep_their_zeros_unless_told_to_be_numbers():
    roles = {"uid": "external_id", "t": "time"}
    assert reader(roles).read(["0001", "2026-08-01"], 0)[0].person.external_id == "0001"
    assert reader(roles, id_numbers=True).read(["0001", "2026-08-01"], 0)[0].person.external_id == "1"
    with pytest.raises(Refused) as caught:
        reader(roles, id_numbers=True).read(["9" * 4301, "2026-08-01"], 0)
    assert caught.value.code == "too_long"


@pytest.mark.parametrize(
    ("cells", "code", "column"),
    [
        (["", "2026-08-01", "1", ""], "missing_identifier", "uid"),
        (["null", "2026-08-01", "1", ""], "invalid_identifier", "uid"),
        (["u1", "soon", "1", ""], "invalid_timestamp", "t"),
        (["u1", "1969-12-31", "1", ""], "invalid_timestamp", "t"),
        (["u1", "2030-01-01", "1", ""], "invalid_timestamp", "t"),
        (["u1", "2026-08-01", "free", ""], "invalid_amount", "a"),
        (["u1", "2026-08-01", "1", "8.61381E+12"], "invalid_phone", "tel"),
    ],
)
def test_a_refused_row_names_its_column(cells, code, column):
    with pytest.raises(Refused) as caught:
        reader({"uid": "external_id", "t": "time", "a": "amount", "tel": "phone"}).read(cells, 0)
    assert (caught.value.code, caught.value.path) == (code, column)


def test_message_ids_tell_rows_apart_by_content_and_identical_rows_by_count():
    read = reader({"uid": "external_id", "t": "time"}).read
    cells = ["u1", "2026-08-01"]
    ids = {read(cells, 0)[0].message_id, read(cells, 1)[0].message_id, read(["u2", "2026-08-01"], 0)[0].message_id}
    assert len(ids) == 3 and read(list(cells), 0)[0].message_id in ids


@pytest.mark.parametrize("text", ["=1+1", "+1", "-2+3", "@SUM(1)", "\t=1", "\r=1", "＝1+1", " =1", "\0=1", "＠x"])
def test_cells_that_a_spreadsheet_would_run_are_made_text(text):
    assert safe_cell(text) == "'" + text


def test_numbers_and_plain_text_stay_and_excel_sees_utf_8():
    assert [safe_cell(value) for value in (-5, 2.5, None, "张三", "a=b")] == [-5, 2.5, None, "张三", "a=b"]
    assert "".join(csv_lines(["名"], [['a,"b"'], [-1]])) == '\ufeff名\r\n"a,""b"""\r\n-1\r\n'


ODD = [
    "",
    " ",
    "u1",
    "null",
    "0",
    "NaN",
    "-1",
    "007",
    "1.50",
    "¥1,000.5",
    "a\tb",
    "c:\\n",
    'q"',
    "美妆",
    "e\u0301",
    "x" * 300,
]
TIMES = [
    "2026-08-01",
    "2026-08-01T10:00:00+08:00",
    "2026-08-01T10:07:59+08:00",
    "2026-08-01 10:07:59",
    "2026/08/01 23:59:59",
]
TIMES += [
    "2026-08-01T10:07:59Z",
    "2026-08-01T10:07:59+05:45",
    "2026-08-01T24:07:59",
    "2026-08-01T10:60:59",
    "1970-01-01T00:30:00+01:00",
]
TIMES += ["2026-08-01 10:00:00.5", "soon", "1969-01-01", ""]
EVENTS = ["", "Bought", " Bought ", "x" * 201, "看"]


@pytest.mark.parametrize("extra", [{}, {"m": "message_id"}, {"m": "amount"}, {"m": "order_id"}, {"m": "skip"}])
@given(st.lists(st.tuples(*map(st.sampled_from, (ODD, TIMES, EVENTS, ODD, ODD))), min_size=1, max_size=30))
@settings(max_examples=40, deadline=None)
def test_rows_read_by_columns_are_what_they_are_one_by_one(extra, rows):
    columns = ["uid", "at", "what", "m", "p"]
    roles = {"uid": "external_id", "at": "time", "what": "event"} | extra
    layout = Layout("utf-8", "comma", True, tuple(columns))
    workspace = Workspace(id=UUID(int=7))

    def read(by_columns: bool) -> Any:
        reader = ChunkReader(workspace, Path(), layout, RowReader(Mapping(roles), columns, "UTC", "CNY", NOW), 50, 0)
        assert reader.columns.possible
        reader.columns.possible = by_columns
        batch = [(n, n, list(cells)) for n, cells in enumerate(rows)]
        joined = ["\x1f".join(cells) for cells in rows]
        chunk = reader.read(0, batch, joined, Occurrences().count(fingerprints(joined)))  # type: ignore[arg-type]
        names = {number: name for name, number in chunk.names.items()}
        told = zip(chunk.lines, chunk.who, chunk.times, chunk.events, chunk.numbers, chunk.rests, strict=True)
        events = sorted((*line[:4], names[line[4]], line[5]) for line in told)
        errors = sorted((line, problem.code, problem.path) for line, problem, _cells in chunk.errors)
        people = {pk: (at, reader.reader.person(chunk.external[pk])) for pk, at in chunk.people.items()}
        return events, errors, people

    assert read(True) == read(False)


def test_a_file_whose_only_row_cannot_be_read_is_opened_and_the_row_is_told(file):
    path = file('email,name\na@b.com,=HYPERLINK("http://evil","x")\n')
    [(line, _done, cells)] = read_rows(path, guess_layout(path))
    assert line == 2 and isinstance(cells, Refused) and cells.code == "malformed_csv"
