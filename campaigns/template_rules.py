"""The Liquid that campaigns may use: which tags and filters, and how much of each.

Templates are written by operators and filled with what strangers typed about themselves. Both are kept small here:
only the tags and filters listed exist, no value outgrows its cap, and ranges like (1..9) are no part of the language,
because their filters build them in memory before any limit counts. The limits of python-liquid come on top.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from liquid import Environment
from liquid.ast import Node
from liquid.builtin.expressions import FilteredExpression
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.exceptions import (
    BlockNestingError,
    ContextDepthError,
    LiquidError,
    LiquidSyntaxError,
    ResourceLimitError,
    UnknownFilterError,
)
from liquid.expression import Expression
from liquid.filter import with_context
from liquid.template import BoundTemplate
from liquid.token import TOKEN_CONTENT, TOKEN_ILLEGAL, TOKEN_OUTPUT

from workspaces.currencies import decimals_of, symbol_of

MAX_SOURCE = 256 * 1024  # characters of a template
MAX_MARK = 1000  # characters between {{ and }}, or {% and %}
MAX_CODE = 48 * 1024  # characters in all marks of a template together
MAX_OUTPUT = 1024 * 1024  # bytes of one rendered text
MAX_VALUE = 64 * 1024  # characters of one value on its way through filters
MAX_ITEMS = 1000  # items of one list
MAX_NUMBER = 10**18

TAGS = frozenset({
    TOKEN_CONTENT, TOKEN_OUTPUT, TOKEN_ILLEGAL,
    "if", "unless", "case", "for", "break", "continue", "assign", "capture", "comment", "cycle", "echo", "#",
})  # fmt: skip
FILTERS = (
    "abs", "append", "at_least", "at_most", "capitalize", "ceil", "compact", "concat", "default", "divided_by",
    "downcase", "escape", "escape_once", "first", "floor", "join", "last", "lstrip", "map", "minus", "modulo",
    "newline_to_br", "plus", "prepend", "remove", "remove_first", "replace", "replace_first", "reverse", "round",
    "rstrip", "size", "slice", "sort", "split", "strip", "strip_html", "strip_newlines", "sum", "times", "truncate",
    "truncatewords", "uniq", "upcase", "url_encode", "where",
)  # fmt: skip
# Filters that cost no more than their text is long; a template of these alone needs no child process.
SIMPLE_FILTERS = frozenset(
    {"append", "capitalize", "date", "default", "downcase", "escape", "money", "prepend", "strip", "truncate", "upcase",
     "url_encode"}
)  # fmt: skip

MARK_OPEN = re.compile(r"\{(?:\{|%-?\s*(?:(raw|doc)\b)?)")
DATE_MARK = re.compile(r"%-?[YymdHIMSpjBbAa]|%%")


class TemplateError(Exception):
    """A template that cannot be used, or cannot be rendered for one person.

    line: 1-based, None when it has no place. code: template_syntax, unknown_tag, unknown_filter, template_limit,
    too_large, invalid_string or template_error; of a link in it link_host or link_invalid. message: an English sentence
    with the particulars. field: the field of the content that it is in, "" while nobody has said so.
    """

    def __init__(self, line: int | None, message: str, code: str = "template_syntax") -> None:
        super().__init__(f"line {line}: {message}" if line else message)
        self.line, self.message, self.code, self.field = line, message, code, ""


class CampaignEnvironment(Environment):
    """python-liquid with the tags, filters and limits of this module."""

    block_nesting_limit = 20
    loop_iteration_limit = 10_000
    local_namespace_limit = 512 * 1024
    output_stream_limit = MAX_OUTPUT

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters()
        self.tags = {name: tag for name, tag in self.tags.items() if name in TAGS}
        self.filters = {name: _capped(name, self.filters[name]) for name in FILTERS}
        self.filters |= {"money": _capped("money", money), "date": _capped("date", format_date)}


def parse(source: str, html: bool) -> BoundTemplate:
    """Return the parsed template; raises TemplateError."""
    if len(source) > MAX_SOURCE:
        raise TemplateError(None, f"longer than {MAX_SOURCE} characters", "too_large")
    if "\0" in source or any("\ud800" <= char <= "\udfff" for char in source):
        raise TemplateError(None, "holds a character that is not text", "invalid_string")
    _check_marks(source)
    environment = _environment(html)
    try:
        template = environment.from_string(source)
        for node in walk(template.nodes):
            for expression in expressions(node):
                _check_expression(expression, environment)
    except (LiquidError, RecursionError) as problem:
        raise template_error(problem) from problem
    return template


def render_parsed(template: BoundTemplate, context: Mapping[str, Any]) -> str:
    """Return the text for one person; raises TemplateError. The context holds plain values only, see `plain`."""
    try:
        return template.render(context)
    except (LiquidError, RecursionError, ArithmeticError, ValueError, TypeError) as problem:
        raise template_error(problem) from problem
    except MemoryError as problem:
        raise TemplateError(None, "needs too much memory", "template_limit") from problem


def walk(nodes: list[Node]) -> Iterator[Node]:
    """Yield every node of a syntax tree, in the order of the source."""
    waiting = list(reversed(nodes))
    while waiting:
        node = waiting.pop()
        yield node
        waiting += reversed(list(node.children(None, include_partials=False)))  # type: ignore[arg-type]


def expressions(node: Node) -> Iterator[Expression]:
    """Yield every expression of one node, the inner ones too."""
    waiting = list(node.expressions())
    while waiting:
        expression = waiting.pop()
        yield expression
        waiting += list(expression.children())


def plain(value: Any) -> Any:
    """Return the value as text, numbers, dates, dicts and lists only: a template can reach nothing behind it."""
    if value is None or isinstance(value, (bool, int, float, Decimal, date)):
        return value
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return str(value)


@with_context
def money(value: Any, currency: str = "", *, context: Any) -> str:
    """Return minor units as money, `1999 | money` → ¥19.99; currency: the argument, or `currency` of the context."""
    if not isinstance(value, int) or isinstance(value, bool):
        return "" if value is None or not str(value) else str(value)
    code = str(currency or context.resolve("currency", default="") or "CNY").upper()
    digits = decimals_of(code)
    return f"{'-' if value < 0 else ''}{symbol_of(code)}{Decimal(abs(value)).scaleb(-digits):,.{digits}f}"


def format_date(value: Any, pattern: str = "%Y-%m-%d") -> Any:
    """Return a date in the given pattern; only plain marks count, no widths. What is not a date stays as it is."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return value
    if not isinstance(value, date):
        return value
    moment = value
    return DATE_MARK.sub(lambda match: moment.strftime(match.group()), str(pattern))


def template_error(problem: Exception) -> TemplateError:
    """Return our error for one of python-liquid's (or Python's, from inside a filter)."""
    if isinstance(problem, TemplateError):
        return problem
    message = str(problem.args[0]) if problem.args else type(problem).__name__
    if isinstance(problem, UnknownFilterError):
        code = "unknown_filter"
    elif isinstance(problem, (ResourceLimitError, BlockNestingError, ContextDepthError, RecursionError)):
        code = "template_limit"
    elif isinstance(problem, LiquidSyntaxError):
        code = "unknown_tag" if message.startswith("unexpected tag") else "template_syntax"
    else:
        code = "template_error"
    return TemplateError(_line(getattr(problem, "token", None)), message, code)


@functools.cache
def _environment(html: bool) -> CampaignEnvironment:
    return CampaignEnvironment(autoescape=html)


def _check_marks(source: str) -> None:
    """Refuse what python-liquid's lexer takes quadratic time for: open marks, endless marks, unclosed raw blocks."""
    position = code = 0
    while match := MARK_OPEN.search(source, position):
        closing = "}}" if source[match.start() + 1] == "{" else "%}"
        end = source.find(closing, match.start() + 2, match.start() + MAX_MARK)
        if match.group(1) or end < 0:
            line = source.count("\n", 0, match.start()) + 1
            if match.group(1):
                raise TemplateError(line, f"unexpected tag '{match.group(1)}'", "unknown_tag")
            raise TemplateError(line, f"'{match.group()[:2]}' without '{closing}' within {MAX_MARK} characters")
        position = end + 2
        code += position - match.start()
        if code > MAX_CODE:
            raise TemplateError(None, f"more than {MAX_CODE} characters of tags and outputs", "template_limit")


def _check_expression(expression: Expression, environment: Environment) -> None:
    """Refuse at once what would only show when the mail is sent."""
    if isinstance(expression, RangeLiteral):
        raise TemplateError(_line(expression.token), "ranges are not part of the language", "template_limit")
    if isinstance(expression, FilteredExpression):
        for used in expression.filters or ():
            used.validate_filter_arguments(environment)


def _line(token: Any) -> int | None:
    if token is None or token.start_index < 0:
        return None
    return int(token.source.count("\n", 0, token.start_index)) + 1


def _capped(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the filter with its input, arguments and result held to the caps."""
    growths: dict[str, Callable[..., int]] = {"replace": _replaced_size, "join": _joined_size}
    growth = growths.get(name)

    @functools.wraps(function)
    def capped(value: Any, *args: Any, **kwargs: Any) -> Any:
        for given in (value, *args):
            _check_size(given)
        if growth is not None and growth(value, *args) > MAX_VALUE:
            raise ResourceLimitError(f"{name} makes a text that is too long", token=None)
        result = function(value, *args, **kwargs)
        _check_size(result)
        return result

    return capped


def _check_size(value: Any) -> None:
    if isinstance(value, str):
        too_big = len(value) > MAX_VALUE
    elif isinstance(value, (list, tuple)):
        too_big = len(value) > MAX_ITEMS
    else:
        too_big = isinstance(value, int) and abs(value) > MAX_NUMBER
    if too_big:
        raise ResourceLimitError("value is too large", token=None)


def _replaced_size(value: Any, old: Any = "", new: Any = "") -> int:
    text = str(value)
    return len(text) + text.count(str(old)) * len(str(new))


def _joined_size(value: Any, separator: Any = " ") -> int:
    items = value if isinstance(value, (list, tuple)) else [value]
    return sum(len(str(item)) for item in items) + len(items) * len(str(separator))
