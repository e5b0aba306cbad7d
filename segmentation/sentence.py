"""A definition as a sentence that a colleague would say: 「已付费且有流失风险」, "paying and slipping"."""

from __future__ import annotations

from typing import Any

from django.utils.translation import pgettext

from segmentation.conditions import get_condition
from segmentation.vocabulary import Vocabulary


def describe(definition: dict[str, Any], vocabulary: Vocabulary) -> str:
    """The whole rule in the reader's language; "" for an empty one. Groups inside groups are put in brackets."""
    if not definition:
        return ""
    sentence = _say(definition, vocabulary)
    return sentence[:1].upper() + sentence[1:]


def _say(node: dict[str, Any], vocabulary: Vocabulary) -> str:
    if "kind" in node:
        values = {name: value for name, value in node.items() if name != "kind"}
        return get_condition(node["kind"]).describe(values, vocabulary)
    if "not" in node:
        return pgettext("rule", "not (%(what)s)") % {"what": _say(node["not"], vocabulary)}
    mode, children = next(iter(node.items()))
    word = pgettext("rule", " and ") if mode == "all" else pgettext("rule", " or ")
    return word.join(_inside(child, vocabulary) if len(children) > 1 else _say(child, vocabulary) for child in children)


def _inside(node: dict[str, Any], vocabulary: Vocabulary) -> str:
    """A part of a group; a group of several in brackets, so that "and" and "or" cannot be misread."""
    said = _say(node, vocabulary)
    several = any(len(node.get(mode, ())) > 1 for mode in ("all", "any"))
    return pgettext("rule", "(%(what)s)") % {"what": said} if several else said
