"""The normal form: what every protocol and every importer turns its input into, and the rules all of them keep.

A checker returns the clean value or raises `Refused`, which refuses one item and never its neighbours.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from workspaces.currencies import decimals_of

MAX_DEPTH = 20
MAX_PROPERTIES = 255
MAX_NAME = 200
MAX_ID = 255
# Texts that appending makes a list grow to; those that came first stay.
MAX_LIST = 500
MAX_ITEM_BYTES = 32 * 1024
INT64 = 2**63
MAX_FLOAT = 1e15
NUMBERS = (int, float)
FIRST_AT = datetime(2000, 1, 1, tzinfo=UTC)
FIRST_HISTORY_AT = datetime(1970, 1, 1, tzinfo=UTC)
AHEAD = timedelta(hours=23)
# A difference of clocks below this is the time the request travelled; above the other, `sentAt` is not to be believed.
TRAVEL = timedelta(seconds=5)
MAX_SKEW = timedelta(days=366)

# What broken clients send for "nobody", and spreadsheets: taken as ids they would merge strangers into one person.
NOBODY = frozenset(
    "0 -1 00000000-0000-0000-0000-000000000000 anonymous distinct_id false guest id n/a nan nil none not_authenticated null"
    " true undefined unknown user_id userid #n/a #name? #null! #num! #ref! #value! #div/0!".split()
) | {"[object object]"}
AMOUNT_KEYS = ("total", "revenue", "value")
NO_AMOUNT = frozenset(AMOUNT_KEYS).isdisjoint
NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?\s*", re.ASCII)
MAX_EMAIL = 254
_ATOM = r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[^\W_](?:(?:[^\W_]|-){0,61}[^\W_])?"
EMAIL = re.compile(rf"(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+(?!\d+$){_LABEL}")
# The key of a kind of message that people may opt out of by itself.
TOPIC = r"[a-z0-9][a-z0-9_-]{0,39}"
OBJECT = msgspec.json.Decoder(dict[str, Any]).decode
# What `check_value` allows where nothing is nested; anything else is read again, slowly, to say what is wrong.
Whole = Annotated[int, Meta(ge=-INT64, le=INT64 - 1)]
Fraction = Annotated[float, Meta(gt=-MAX_FLOAT, lt=MAX_FLOAT)]
FLAT = msgspec.json.Decoder(dict[str, str | bool | Whole | Fraction | None]).decode
ENCODE = msgspec.json.Encoder(decimal_format="number").encode


class Refused(Exception):
    """One item cannot be taken. `code` is stable, `message` is for developers, `path` names the field."""

    def __init__(self, code: str, message: str, path: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.path = code, message, path

    def __reduce__(self) -> tuple[type[Refused], tuple[str, str, str]]:
        return Refused, (self.code, self.message, self.path)  # whole, also where it went from one process to another


class PersonKey(msgspec.Struct, frozen=True, gc=False):
    """Who: an id of the sender's, and whether it names a known user (True) or a visitor."""

    external_id: str
    identified: bool = True

    @property
    def kind(self) -> str:
        return "user" if self.identified else "anonymous"


class NormalEvent(msgspec.Struct, gc=False):
    """Something a person did. `properties` is JSON text; `client_at` is None when the message told no time."""

    person: PersonKey
    name: str
    message_id: str
    at: datetime
    client_at: datetime | None
    properties: str = "{}"
    amount_minor: int | None = None
    order_id: str | None = None


class Change(msgspec.Struct):
    """What a message does to attributes beside setting them: `add` numbers, `append` texts to lists, or `forget` all words
    told before. The message's id makes sure that it does so once."""

    kind: Literal["add", "append", "forget"]
    message_id: str = ""
    values: dict[str, Any] = {}


class Device(msgspec.Struct, frozen=True):
    """An app on a device that pushes can go to; `app` and `platform` are "" when unknown."""

    app: str
    token: str
    platform: str = ""


class NormalProfile(msgspec.Struct):
    """What was told about a person at `at`. A trait of None takes the attribute away; `firsts` only fill what is empty.

    `visitor`: the anonymous id that the same message carried. `passing`: every event repeats it, so that a value known
    already is not worth a write. `device`: what it was told from.
    """

    person: PersonKey
    at: datetime
    traits: dict[str, Any] = {}
    firsts: dict[str, Any] = {}
    visitor: str = ""
    passing: bool = False
    change: Change | None = None
    device: Device | None = None


class NormalAlias(msgspec.Struct):
    """One message that says two ids are one person: `person` is who they are from now on, `previous` who they were."""

    person: PersonKey
    previous: PersonKey
    at: datetime


Told = NormalEvent | NormalProfile | NormalAlias


class Reading(msgspec.Struct, gc=False):
    """What one item said, in the normal form; `note` for what was left out of it."""

    items: list[Told]
    note: Result | None = None


class Result(msgspec.Struct, gc=False):
    """What became of one item: accepted, duplicate, rejected, or erased as its person is; `code`, `message` and `path` say
    why or what was noted."""

    status: str
    code: str = ""
    message: str = ""
    path: str = ""


# Of most items, and always this one, so that a whole batch of them is seen at a glance.
ACCEPTED = Result("accepted")


def refused(problem: Refused) -> Result:
    return Result("rejected", problem.code, problem.message[:300], problem.path[:200])


def nfc(text: str) -> str:
    """One spelling for what looks the same, so that it is one id and one name."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def clean_text(value: Any, path: str, limit: int = MAX_ID) -> str:
    """A text or whole number as clean text, "" for None. Raises Refused for other types, control characters, excess."""
    if value is None:
        return ""
    if type(value) is str and len(text := value.strip()) <= limit and text.isascii() and text.isprintable():
        return text  # nearly everything that comes
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise Refused("invalid_type", "Expected a text.", path)
    text = nfc(value.strip())
    if not text.isprintable() and any(unicodedata.category(c) in ("Cc", "Cs") for c in text):
        raise Refused("invalid_string", "Control characters are not allowed here.", path)
    if len(text) > limit:
        raise Refused("too_long", f"At most {limit} characters.", path)
    return text


def clean_id(value: Any, path: str) -> str:
    """An id of a person; "" when absent. Raises Refused for ids that mean nobody."""
    text = clean_text(value, path)
    seen = text.isascii() or any(c.isprintable() and not c.isspace() for c in text)
    if text and (text.lower() in NOBODY or not seen):
        raise Refused("invalid_identifier", "This id does not name a person.", path)
    return text


def clean_name(value: Any, path: str = "event") -> str:
    """An event name. Raises Refused when it is missing."""
    text = clean_text(value, path, MAX_NAME)
    if not text:
        raise Refused("missing_event", "The event has no name.", path)
    return text


def clean_properties(properties: dict[str, Any] | None, path: str = "properties") -> dict[str, Any]:
    """The properties themselves once every rule holds. Raises Refused naming the property that breaks one."""
    if not properties:
        return {}
    if len(properties) > MAX_PROPERTIES:
        raise Refused("too_many_properties", f"At most {MAX_PROPERTIES} properties.", path)
    check_value(properties, path, 2)
    return properties


def check_value(value: Any, path: str, depth: int) -> None:
    """Refuse what PostgreSQL could not store or would blow up. `depth` counts the containers around and with the value."""
    kind = type(value)
    if kind is str:
        if "\0" in value:
            raise Refused("invalid_string", "NUL characters are not allowed.", path)
    elif kind is int:
        if not -INT64 <= value < INT64:
            raise Refused("number_out_of_range", "Whole numbers fit into 64 bits.", path)
    elif kind is float:
        if not -MAX_FLOAT < value < MAX_FLOAT:
            raise Refused("number_out_of_range", "Numbers are finite and below 1e15.", path)
    elif kind is dict or kind is list:
        if depth > MAX_DEPTH:
            raise Refused("too_deep", f"At most {MAX_DEPTH} levels.", path[:200])
        for key, inner in value.items() if kind is dict else enumerate(value):
            if kind is dict and "\0" in str(key):
                raise Refused("invalid_string", "NUL characters are not allowed.", path)
            # Texts and small numbers are most of what comes; they are not worth a call.
            told = type(inner)
            fine = "\0" not in inner if told is str else told in NUMBERS and -MAX_FLOAT < inner < MAX_FLOAT
            if not fine:
                check_value(inner, f"{path}.{key}", depth + 1)


def encode(properties: dict[str, Any]) -> str:
    """Properties as JSON text in one Unicode spelling."""
    return nfc(ENCODE(properties).decode()) if properties else "{}"


def read_properties(
    raw: bytes | msgspec.Raw, extra: dict[str, str], currency: str
) -> tuple[str, int | None, str | None]:
    """Properties of an event as JSON text, `extra` added where missing; and the amount and order id in them. Raises Refused.

    `raw` is an object as the decoder skipped it: well-formed, nothing else is known. Once checked, nearly all are stored as
    they came.
    """
    text, told = read_flat(raw) or read_nested(bytes(raw))
    if extra:
        text = encode(extra | told)
    money = None if NO_AMOUNT(told) else read_money(told, currency)
    return text, money, read_order_id(told) if "order_id" in told else None


def read_flat(raw: bytes | msgspec.Raw) -> tuple[str, dict[str, Any]] | None:
    """Properties that hold every rule, as text and decoded, in a third of the time of `read_nested`; None for all that are
    nested, escaped, many or wrong."""
    try:
        text = str(raw, "utf-8")
        if "\\" in text or "[" in text or text.rfind("{") != 0:
            return None
        told = FLAT(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if len(told) > MAX_PROPERTIES:
        return None
    return encode(told) if is_extreme(text) else nfc(text), told


def read_nested(raw: bytes) -> tuple[str, dict[str, Any]]:
    """As `read_flat`, whatever they are. Raises Refused."""
    if raw[:1] != b"{":
        if raw not in (b"", b"null"):
            raise Refused("invalid_type", "Expected an object.", "properties")
        raw = b"{}"
    told = clean_properties(decode_object(raw))
    text = raw.decode()
    if "\\u" in text or is_extreme(text):  # a character has one spelling
        return encode(told), told
    return nfc(text), told


def is_extreme(text: str) -> bool:
    """Whether JSON text may hold a number, such as 1e-20000 or 0e99999999999, that was read as nothing and that PostgreSQL
    refuses as it is written, with more than 16,383 decimals. Ids and words may look so: it is a glance, on every message."""
    return "e-" in text or "0e" in text or "E-" in text or "0E" in text or len(text) > 16_000


def decode_object(raw: bytes) -> dict[str, Any]:
    """Raises Refused."""
    try:
        return OBJECT(raw)
    except RecursionError as error:
        raise Refused("too_deep", f"At most {MAX_DEPTH} levels.", "properties") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if "out of range" in str(error):
            raise Refused("number_out_of_range", "Numbers are below 1e15.", "properties") from error
        raise Refused("invalid_json", "This is not JSON in UTF-8.", "properties") from error


def clean_traits(traits: dict[str, Any]) -> dict[str, Any]:
    """Checked traits in one Unicode spelling, so that the same news twice is the same."""
    return msgspec.json.decode(encode(traits)) if traits else {}


def that_fill(told: dict[str, Any]) -> dict[str, Any]:
    """Of values that only fill gaps those that are one: nothing fills none."""
    return {key: value for key, value in told.items() if value is not None}


def clean_email(value: Any) -> str:
    """An address mail can be sent to, its domain in lower case; "" for anything else.

    Stricter than RFC 5322 on purpose: no quoted local parts, no IP literals, nothing that could name a second address.
    """
    text = value.strip() if isinstance(value, str) else ""
    if len(text) > MAX_EMAIL or not EMAIL.fullmatch(text):
        return ""
    local, _, domain = text.rpartition("@")
    return f"{local}@{domain.lower()}"


def parse_time(value: Any, path: str = "timestamp") -> datetime | None:
    """A moment from ISO-8601 with an offset, or Unix seconds or milliseconds; None for None. Raises Refused."""
    if value is None:
        return None
    try:
        if isinstance(value, str):
            at = datetime.fromisoformat(value.strip())
            if at.tzinfo is not None:
                return at if at.tzinfo is UTC else at.astimezone(UTC)
        elif isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e14:
            return datetime.fromtimestamp(value / 1000 if value >= 1e11 else value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise Refused("invalid_timestamp", "Expected ISO-8601 with a time zone, such as 2026-08-31T09:00:00+08:00.", path)


def correct_time(client_at: datetime, sent_at: datetime | None, received_at: datetime) -> datetime:
    """When it happened by our clock: a client whose clock is off is off by as much in `sent_at`.

    Raises Refused outside [2000-01-01, received + 23 h].
    """
    skew = received_at - sent_at if sent_at else timedelta()
    try:
        at = client_at + skew if TRAVEL < abs(skew) <= MAX_SKEW else client_at
    except OverflowError:  # the year 9999 and a slow clock
        at = client_at
    if client_at < FIRST_AT or at < FIRST_AT or at > received_at + AHEAD:
        raise Refused("invalid_timestamp", "The time lies before 2000 or in the future.", "timestamp")
    return at


def check_history(at: datetime, received_at: datetime) -> datetime:
    """A time out of a file, which may be older than any device that sends. Raises Refused outside [1970, received + 23 h]."""
    if not FIRST_HISTORY_AT <= at <= received_at + AHEAD:
        raise Refused("invalid_timestamp", "The time lies before 1970 or in the future.", "timestamp")
    return at


def read_amount(value: Any) -> Decimal | None:
    """A number, or a text that is just a number, as an exact decimal; None for anything else."""
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, str) and NUMBER.fullmatch(value):
        return Decimal(value.strip())
    return None


def read_money(properties: dict[str, Any], currency: str) -> int | None:
    """The first readable of total, revenue, value in minor units, a half rounded away from zero; None without one.

    Raises Refused for an amount in another currency than the workspace's, whatever the event: its role may come later.
    """
    for key in AMOUNT_KEYS:
        if key not in properties or (amount := read_amount(properties[key])) is None:
            continue
        told = properties.get("currency")
        if told is not None and (not isinstance(told, str) or told.strip().upper() not in ("", currency)):
            raise Refused("other_currency", f"Amounts are in {currency}.", "properties.currency")
        if not abs(amount) < Decimal(MAX_FLOAT):
            raise Refused("number_out_of_range", "Amounts are below 1e15.", f"properties.{key}")
        return int(amount.scaleb(decimals_of(currency)).quantize(Decimal(1), ROUND_HALF_UP))
    return None


def read_order_id(properties: dict[str, Any]) -> str | None:
    """properties.order_id as text, None when missing or empty. Raises Refused when longer than 255 characters."""
    value = properties.get("order_id")
    if value is None or isinstance(value, bool) or not isinstance(value, (str, int, float, Decimal)):
        return None
    text = nfc(value) if isinstance(value, str) else str(value)
    if len(text) > MAX_ID:
        raise Refused("too_long", f"At most {MAX_ID} characters.", "properties.order_id")
    return text or None
