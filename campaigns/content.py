"""What is in a message: Liquid templates compiled once and rendered per person.

A template of merge fields with simple filters, which most are, is split into pieces when it is compiled; filling it in
is a join. Everything else is rendered by python-liquid in a child process (`template_child`). Both give the same text.
What a person typed into a field is data: it is never parsed, and it is escaped when the template is HTML.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from django.utils.translation import gettext_lazy as _
from liquid import Environment, Markup
from liquid.ast import Node
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.expressions.arguments import PositionalArgument
from liquid.builtin.expressions.primitive import Literal
from liquid.builtin.output import OutputNode
from liquid.builtin.tags.echo_tag import EchoNode
from liquid.exceptions import LiquidError
from liquid.stringify import to_liquid_string
from liquid.template import BoundTemplate

from .template_child import CHILD
from .template_rules import (
    MAX_OUTPUT,
    SIMPLE_FILTERS,
    TemplateError,
    expressions,
    parse,
    plain,
    template_error,
    walk,
)

ERROR_SENTENCES = {
    "template_syntax": _("The template has a mistake in its syntax."),
    "unknown_tag": _("The template uses a tag that does not exist here."),
    "unknown_filter": _("The template uses a filter that does not exist here."),
    "template_limit": _("The template takes too much time or memory, or uses a range such as (1..9)."),
    "too_large": _("The text is too long."),
    "invalid_string": _("The text holds a character that cannot be sent."),
    "template_error": _("The template cannot be filled in for this user."),
}
"""What to tell an operator, by `TemplateError.code`."""

# Words that python-liquid gives a meaning of its own at the end of a path.
COMPUTED = frozenset({"size", "first", "last"})
CONTAINERS: tuple[type, ...] = (dict, list, tuple, Mapping)


@dataclass(frozen=True, slots=True)
class Output:
    """One merge field: the path to its value and the filters on it, with their arguments ready."""

    path: tuple[str | int, ...]
    filters: tuple[tuple[Callable[..., Any], tuple[Any, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template.

    required: paths, like user.name, that it prints with neither a `default` nor a test.
    parts: text and outputs in order, None when the template needs the whole language.
    """

    source: str
    html: bool
    required: tuple[tuple[str | int, ...], ...]
    parts: tuple[str | Output, ...] | None = field(repr=False)
    undefined: Callable[..., Any] = field(repr=False)


@functools.lru_cache(maxsize=64)
def compile_template(source: str, *, html: bool = False) -> Template:
    """Return the template, ready to render; `html` escapes every value. Raises TemplateError."""
    parsed = parse(source, html)
    uses = [use for uses in parsed.analyze(include_partials=False).globals.values() for use in uses]
    return Template(
        source=source,
        html=html,
        required=_required(parsed, {tuple(use.segments) for use in uses if _flat(use.segments)}),
        parts=_split(parsed.nodes, parsed.env),
        undefined=parsed.env.undefined,
    )


def render(template: Template, context: Mapping[str, Any]) -> str:
    """Return the text for one person; raises TemplateError. Objects in the context are seen as their text only."""
    if template.parts is None:
        return CHILD.render(template.source, template.html, plain(context))
    try:
        text = "".join(
            _one_newline(part if isinstance(part, str) else _fill(part, template, context)) for part in template.parts
        )
    except (LiquidError, ArithmeticError, ValueError, TypeError) as problem:
        raise template_error(problem) from problem
    if len(text.encode("utf-8", "replace")) > MAX_OUTPUT:
        raise TemplateError(None, "output is too long", "template_limit")
    return text


def _one_newline(text: str) -> str:
    """Ends of lines as the whole language prints them, whatever the system that they come from."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def missing(template: Template, context: Mapping[str, Any]) -> list[str]:
    """Return the merge fields that would come out empty, like ["user.name"]. Fields with a `default` do not count."""
    return [".".join(map(str, path)) for path in template.required if _is_empty(_look_up(context, path))]


class _Values:
    """The context, with the one method of python-liquid's that our filters use."""

    def __init__(self, context: Mapping[str, Any]) -> None:
        self._context = context

    def resolve(self, name: str, *, default: Any = None) -> Any:
        return plain(self._context.get(name, default))


def _fill(output: Output, template: Template, context: Mapping[str, Any]) -> str:
    value = _look_up(context, output.path)
    if value is None:
        value = template.undefined(str(output.path[-1]), token=None)
    for function, arguments in output.filters:
        if getattr(function, "with_context", False):
            value = function(value, *arguments, context=_Values(context))
        else:
            value = function(value, *arguments)
    return to_liquid_string(value, template.html)


def _look_up(context: Mapping[str, Any], path: Iterable[str | int]) -> Any:
    """Return the plain value at the path, in mappings by name and in lists by number; None where there is nothing."""
    found: Any = context
    for step in path:
        container: Any = found if isinstance(found, CONTAINERS) else ()
        try:
            found = container[step]
        except (KeyError, IndexError, TypeError):
            return None
    return plain(found)


def _split(nodes: list[Node], environment: Environment) -> tuple[str | Output, ...] | None:
    parts: list[str | Output] = []
    for node in nodes:
        if type(node) is ContentNode:
            parts.append(node.text)
        elif type(node) is OutputNode and (output := _output(node.expression, environment)):
            parts.append(output)
        else:
            return None
    return tuple(parts)


def _output(expression: Any, environment: Environment) -> Output | None:
    """Return the expression as an Output, or None when it needs the whole language."""
    if type(expression) is not FilteredExpression or not isinstance(expression.left, Path):
        return None
    path = expression.left.path
    if not _flat(path) or COMPUTED & {*path}:
        return None
    filters = []
    for used in expression.filters or ():
        if used.name not in SIMPLE_FILTERS or not all(
            isinstance(argument, PositionalArgument) and isinstance(argument.value, Literal) for argument in used.args
        ):
            return None
        function = environment.filters[used.name]
        if getattr(function, "with_environment", False):
            function = functools.partial(function, environment=environment)
        filters.append((function, tuple(_literal(argument.value, environment.autoescape) for argument in used.args)))
    return Output(cast(tuple[str | int, ...], tuple(path)), tuple(filters))


def _literal(expression: Any, html: bool) -> Any:
    """Return a literal's value; the operator wrote it, so in HTML its text counts as safe."""
    value = expression.value
    return Markup(value) if html and isinstance(value, str) else value


def _required(parsed: BoundTemplate, known: set[tuple[Any, ...]]) -> tuple[tuple[str | int, ...], ...]:
    printed: dict[tuple[Any, ...], None] = {}
    tested: set[tuple[Any, ...]] = set()
    for node in walk(parsed.nodes):
        output = next(iter(node.expressions()), None) if isinstance(node, (OutputNode, EchoNode)) else None
        left = output.left if isinstance(output, FilteredExpression) else None
        for expression in expressions(node):
            if isinstance(expression, Path) and expression is not left:
                tested.add(tuple(map(str, expression.path)))
        defaulted = isinstance(output, FilteredExpression) and any(f.name == "default" for f in output.filters or ())
        if isinstance(left, Path) and _flat(left.path) and not defaulted:
            printed[tuple(left.path)] = None
    return tuple(path for path in printed if path in known and tuple(map(str, path)) not in tested)


def _flat(path: Iterable[Any]) -> bool:
    return all(isinstance(step, (str, int)) for step in path)


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip()) or value in ([], {})
