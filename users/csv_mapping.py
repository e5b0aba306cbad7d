"""What the columns of a file mean, and a row read by it into the normal form. No database here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, time
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from typing import Any
from zoneinfo import ZoneInfo

from users.exports import plain_text
from users.import_kinds import KINDS, PROPERTY, ROLES, TRAITS
from users.ingest import normal
from users.ingest.normal import NormalEvent, NormalProfile, PersonKey, Refused
from users.traits import clean_phone, region_of

GUESSES = {
    "external_id": "external_id user_id userid uid customer_id customerid customer member_id memberid id"
    " 用户id 用户编号 用户 客户 客户id 客户编号 会员 会员号 会员编号 会员id",
    "event": "event event_name eventname 事件 事件名 行为",
    "time": "time timestamp event_time date datetime day created_at ordered_at paid_at order_date"
    " 时间 日期 下单时间 支付时间 付款时间 订单时间",
    "amount": "amount total revenue price dollar_value paid sales 金额 实付 实付金额 实付款 订单金额 支付金额 付款金额 应付金额",
    "order_id": "order_id orderid order order_no invoice invoiceno 订单 订单号 订单编号 订单id",
    "message_id": "message_id messageid event_id 消息id",
    "name": "name 姓名 名字 昵称 会员名 客户姓名 收货人",
    "email": "email mail 邮箱 电子邮箱",
    "phone": "phone mobile tel 手机 手机号 手机号码 电话 电话号码 联系电话",
    "city": "city 城市",
    "currency": "currency 币种 货币",
    "refund": "refund refunded is_refund 退款 是否退款",
    "locale": "locale language 语言",
    "zone": "zone timezone time_zone 时区",
    "registered_at": "registered_at registered registration_date signup_date 注册时间 注册日期 注册日",
    "tags": "tags labels 标签",
    "channel": "channel 渠道 通道",
    "opted_in": "opted_in opt_in consent subscribed 同意 是否同意 订阅",
    "consent_email": "email_opt_in email_consent 同意邮件",
    "consent_sms": "sms_opt_in sms_consent 同意短信",
    "consent_push": "push_opt_in push_consent 同意推送",
    "source": "source channel utm_source 来源 渠道 来源渠道",
}
ISO, EPOCH = "iso", "epoch"
TIME_FORMATS = (
    ISO,
    "%Y%m%d",
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%Y年%m月%d日",
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M",
    EPOCH,
)
# Numbers below it are the days of a spreadsheet (45870), and no moments in the first hours of 1970: this is March 1973.
FIRST_EPOCH = 100_000_000
NOON = time(12)
REFUNDED = "Order Refunded"
REFUNDS = frozenset("1 true yes y refund refunded returned 是 退款 已退款 退货".split())
AMOUNT = re.compile(r"([¥￥$€£]?\s*)?([+-]?(?:\d{1,15}|\d{1,3}(?:,\d{3}){1,4})(?:\.\d{1,10})?)\s*元?", re.ASCII)
SHORT = 40
PLAIN_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{1,10})?", re.ASCII)


@dataclass(frozen=True)
class Mapping:
    """`roles`: column → one of ROLES, `property`, `property:name` or `skip`. `event`: the name where no column tells it.
    `id_numbers`: ids are whole numbers, so that 0001 is 1. `sum_items`: a row is an item, the rows of an order are added
    up. Times without an offset are the workspace's; a day alone means its noon. `kind`: one of KINDS. `loosen`: take in
    what lets people be written to, too; an operator confirmed it."""

    roles: dict[str, str] = field(default_factory=dict)
    event: str = "Order Completed"
    time_format: str = ISO
    id_numbers: bool = False
    sum_items: bool = False
    kind: str = "events"
    loosen: bool = False

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def column_of(self, role: str) -> str | None:
        return next((column for column, given in self.roles.items() if given == role), None)

    def problem(self, columns: Sequence[str]) -> tuple[str, str] | None:
        """What is missing before rows can be read, as (code, role or column); None when nothing is."""
        kind = KINDS[self.kind]
        given = [role for role in self.roles.values() if role in ROLES]
        for column, role in self.roles.items():
            if column not in columns:
                return "unknown_column", column
            if role in ROLES and given.count(role) > 1:
                return "role_twice", role
            if role in ROLES and role not in kind.roles:
                return "other_kind", column
        for role in (*kind.required, *(("order_id", "amount") if self.sum_items else ())):
            if role not in given:
                return "missing_role", role
        if "event" in kind.roles and "event" not in given and not self.event.strip():
            return "missing_role", "event"
        return None


def guess_mapping(columns: Sequence[str], rows: Sequence[Sequence[str]], kind: str = "") -> Mapping:
    """Roles by the names of columns, what the file is about by its roles, the time format by trying it on the rows.

    Operators look it over.
    """
    kind = kind or guess_kind(columns)
    roles = dict.fromkeys(columns, KINDS[kind].others) | guess_roles(columns, KINDS[kind].roles)
    timed = [n for n, column in enumerate(columns) if roles[column] in ("time", "registered_at")]
    told = [row[timed[0]] for row in rows if len(row) > timed[0]] if timed else []
    return Mapping(roles, time_format=guess_time_format(told), kind=kind)


def guess_kind(columns: Sequence[str]) -> str:
    """What a file with such columns is about."""
    found = {name: set(guess_roles(columns, kind.roles).values()) for name, kind in KINDS.items()}
    if {"channel", "opted_in"} <= found["consents"]:
        return "consents"
    if "time" not in found["events"] and found["users"] & {"email", "phone", "name", "registered_at"}:
        return "users"
    return "orders" if "amount" in found["orders"] and "event" not in found["events"] else "events"


def guess_roles(columns: Sequence[str], possible: Sequence[str]) -> dict[str, str]:
    """Column → role, for the columns whose name says so."""
    plain = {re.sub(r"[\s\-]+", "_", column.strip().lower()): column for column in reversed(columns)}
    roles: dict[str, str] = {}
    for role in possible:
        found = (plain[name] for name in GUESSES[role].split() if name in plain and plain[name] not in roles)
        if column := next(found, None):
            roles[column] = role
    return roles


def guess_time_format(values: Sequence[str]) -> str:
    """The one format that reads every value; ISO when none does. Of day/month and month/day neither is guessed."""
    fitting = [f for f in TIME_FORMATS if values and all(reads(value, f) for value in values)]
    ambiguous = {f.replace("%d/%m", "").replace("%m/%d", "") for f in fitting if "/" in f and not f.startswith("%Y")}
    if len([f for f in fitting if f.startswith(("%d/", "%m/"))]) > len(ambiguous):
        fitting = [f for f in fitting if not f.startswith(("%d/", "%m/"))]
    return fitting[0] if fitting else ISO


def reads(value: str, time_format: str) -> bool:
    try:
        read_time(value, time_format, "UTC")
    except Refused:
        return False
    return True


def read_time(text: str, time_format: str, zone: str) -> datetime:
    """A cell as a UTC time. Raises Refused."""
    text = text.strip()
    try:
        if time_format == EPOCH:
            if (since := float(text)) < FIRST_EPOCH:
                raise ValueError
            at = normal.parse_time(since)
            assert at is not None
            return at
        if time_format == ISO:
            at, day_only = (
                datetime.fromisoformat(text.replace("/", "-") if text.count("/") == 2 else text),
                len(text) <= 10,
            )
            if text.isdigit() and len(text) != 8:
                raise ValueError
        else:
            at, day_only = datetime.strptime(text, time_format), "%H" not in time_format  # noqa: DTZ007 - zoned below
        if day_only:
            at = datetime.combine(at.date(), NOON)
        at = (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Refused("invalid_timestamp", "This is no time in the chosen format.") from error
    return at


def read_amount(text: str) -> Decimal:
    """A cell as an amount: 1234.5, 1,234.50 or ¥86. Raises Refused."""
    found = AMOUNT.fullmatch(text.strip())
    if not found:
        raise Refused("invalid_amount", "This is no amount.")
    return Decimal(found.group(2).replace(",", ""))


class RowReader:
    """Reads the rows of one file, in order, for one workspace's zone and currency."""

    def __init__(
        self, mapping: Mapping, columns: Sequence[str], zone: str, currency: str, received_at: datetime
    ) -> None:
        self.mapping, self.zone, self.currency, self.received_at = mapping, zone, currency, received_at
        self.columns = list(columns)
        self.place = {role: self.columns.index(c) for c, role in mapping.roles.items() if role in ROLES}
        given = [(n, c, mapping.roles.get(c, PROPERTY).partition(":")) for n, c in enumerate(self.columns)]
        self.kept = [(n, name or column) for n, column, (role, _colon, name) in given if role == PROPERTY]
        self.traits = [(trait, self.place[trait]) for trait in TRAITS if trait in self.place]
        self.has_money = "amount" in self.place or any(name in normal.AMOUNT_KEYS for _n, name in self.kept)
        self.has_order = "order_id" in self.place or any(name == "order_id" for _n, name in self.kept)
        # Files repeat their people, names and days: what a cell was read as is remembered for a while.
        self.person = lru_cache(50_000)(self.read_person)
        self.names = "refund" if "refund" in self.place else "event"
        self.name = lru_cache(5_000)(self.read_name)
        self.at = lru_cache(10_000)(self.read_at)

    def read(self, cells: list[str], occurrence: int) -> list[NormalEvent | NormalProfile]:
        """A row as an event, and what it tells about the person. Raises Refused whose path is the column.

        `occurrence` counts truly identical rows: two of them in a file are two events, the file again adds none.
        """
        role, place = "external_id", self.place
        try:
            person = self.person(cells[place["external_id"]] if "external_id" in place else "")
            role = "time"
            at = self.at(cells[place["time"]] if "time" in place else "")
            role = self.names
            name = self.name(cells[place[role]] if role in place else "")
        except Refused as problem:
            raise Refused(problem.code, problem.message, self.mapping.column_of(role) or "") from problem
        properties = self.read_properties(cells)
        text = normal.encode(properties)
        if len(text) > normal.MAX_ITEM_BYTES // 4 and len(text.encode()) > normal.MAX_ITEM_BYTES:
            raise Refused("event_too_large", "At most 32 KiB a row.")
        event = NormalEvent(
            person,
            name,
            self.read_message_id(cells) or self.make_message_id(name, cells, occurrence),
            at,
            at,
            text,
            normal.read_money(properties, self.currency) if self.has_money else None,
            normal.read_order_id(properties) if self.has_order else None,
        )
        traits = self.read_traits(cells) if self.traits else {}
        return [event, NormalProfile(person, at, traits)] if traits else [event]

    def cell(self, role: str, cells: list[str]) -> str:
        return cells[self.place[role]].strip() if role in self.place else ""

    def checked(self, role: str, cells: list[str], read: Any) -> Any:
        try:
            return read(self.cell(role, cells))
        except Refused as problem:
            column = self.mapping.column_of(role) or ""
            raise Refused(problem.code, problem.message, column) from problem

    def read_person(self, text: str) -> PersonKey:
        text = plain_text(text.strip())
        if self.mapping.id_numbers and text.isdecimal() and text.isascii():
            text = text.lstrip("0") or "0"  # of thousands of digits Python makes no number
        if not text:
            raise Refused("missing_identifier", "The row names no person.")
        return PersonKey(normal.clean_id(text, "external_id"))

    def read_name(self, text: str) -> str:
        """The event that a cell names, or, where it says whether this is a refund, the event that it is then."""
        if self.names == "refund":
            text = REFUNDED if text.strip().lower() in REFUNDS else ""
        return normal.clean_name(text.strip() or self.mapping.event)

    def read_currency(self, text: str) -> str:
        """Raises Refused for another currency than the workspace's."""
        if (text := text.strip().upper()) not in ("", self.currency):
            raise Refused("other_currency", f"Amounts are in {self.currency}.")
        return text

    def read_at(self, text: str) -> datetime:
        return normal.check_history(read_time(text, self.mapping.time_format, self.zone), self.received_at)

    def read_properties(self, cells: list[str]) -> dict[str, Any]:
        """Kept columns by their names, numbers as numbers; the amount as `total`, the order number as `order_id`."""
        told = {column: read_value(text) for n, column in self.kept if (text := cells[n].strip())}
        if "amount" in self.place and self.cell("amount", cells):
            told["total"] = self.checked("amount", cells, read_amount)
        if currency := self.checked("currency", cells, self.read_currency):
            told["currency"] = currency
        if self.has_order and (order := self.cell("order_id", cells)):
            told["order_id"] = order
        return normal.clean_properties(told)

    def read_traits(self, cells: list[str]) -> dict[str, Any]:
        """Attributes of the person. An address that is none refuses the row, so that somebody looks at it."""
        told = {trait: text for trait, place in self.traits if (text := cells[place].strip())}
        for trait, usable in (("email", normal.clean_email), ("phone", self.is_phone)):
            if trait in told and not usable(told[trait]):
                raise Refused(f"invalid_{trait}", "This is no address.", self.mapping.column_of(trait) or "")
        return normal.clean_traits(normal.clean_properties(told, "traits"))

    def is_phone(self, text: str) -> str:
        return clean_phone(text, region_of(self.currency))

    def read_message_id(self, cells: list[str]) -> str:
        if "message_id" not in self.place:
            return ""
        return self.checked("message_id", cells, lambda text: normal.clean_text(text, "message_id"))

    def make_message_id(self, name: str, cells: list[str], occurrence: int) -> str:
        content = "\x1f".join((name, str(occurrence), *cells))
        return "csv-" + blake2b(content.encode(), digest_size=16).hexdigest()


def read_value(text: str) -> Any:
    """`as_value`, remembered for short texts: the values of a column repeat."""
    return short_value(text) if len(text) < SHORT else as_value(text)


def as_value(text: str) -> Any:
    """A number when it is written as one would write a number; 007 and very long ones stay text."""
    if not PLAIN_NUMBER.fullmatch(text):
        return text
    return Decimal(text) if "." in text else int(text)


short_value = lru_cache(10_000)(as_value)
