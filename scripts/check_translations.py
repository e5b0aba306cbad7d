"""Fail when a sentence that a person can see has no Chinese: every msgid of templates and Python code must be in the
catalogue, translated, not fuzzy, and with the same placeholders. Pure Python, since not every machine has xgettext."""

import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import django
from babel.messages import Message
from babel.messages.extract import extract_python
from babel.messages.pofile import read_po
from django.conf import settings
from django.utils.translation.template import templatize

REPOSITORY = Path(__file__).resolve().parents[1]
CATALOGUE = REPOSITORY / "locale/zh_Hans/LC_MESSAGES/django.po"
PACKAGES = ("workspaces", "users", "lifecycle", "segmentation", "campaigns", "ops_platform")
FUNCTIONS = ["_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy"]
FUNCTIONS += ["pgettext", "pgettext_lazy", "npgettext", "npgettext_lazy"]
PLACEHOLDER = re.compile(r"%\(\w+\)[#0\- +]*[\d.]*[diouxXeEfFgGcrsa]|\{\w*\}")

Key = tuple[str | None, str]  # context, msgid


def main() -> int:
    """Print what is missing, with the place it is used at, and return 1 if anything is."""
    settings.configure(INSTALLED_APPS=[], USE_I18N=True)
    django.setup()
    used = dict(from_templates()) | dict(from_python())
    known = catalogue()
    problems = [f"{place}: {problem} {key[1]!r}" for key, place in used.items() if (problem := judge(known.get(key)))]
    print(*sorted(problems), sep="\n", end="\n" if problems else "")
    unused = len(known.keys() - used.keys())
    print(
        f"translations: {len(used)} sentences used, {len(problems)} to do, {unused} in the catalogue that nothing uses"
    )
    return 1 if problems else 0


def judge(message: Message | None) -> str:
    """Say what is wrong with a catalogue entry; empty when nothing is."""
    if message is None:
        return "not in the catalogue:"
    texts = message.string if isinstance(message.string, tuple) else (message.string,)
    if not all(texts):
        return "not translated:"
    if message.fuzzy:
        return "marked fuzzy:"
    sources = message.id if isinstance(message.id, tuple) else (message.id,)
    allowed = {name for source in sources for name in PLACEHOLDER.findall(source)}
    if any(set(PLACEHOLDER.findall(text)) - allowed for text in texts):
        return "placeholder that the source does not have:"
    return ""


def catalogue() -> dict[Key, Message]:
    """Read the Chinese catalogue; none yet is an empty one."""
    if not CATALOGUE.exists():
        return {}
    with CATALOGUE.open("rb") as file:
        messages = [message for message in read_po(file, locale="zh_Hans") if message.id]
    return {(message.context, message.id[0] if message.pluralizable else message.id): message for message in messages}


def from_templates() -> Iterator[tuple[Key, str]]:
    """Yield the sentences of templates; Django rewrites a template to calls of gettext, line by line."""
    folders = [REPOSITORY / "templates", *(REPOSITORY / name / "templates" for name in PACKAGES)]
    for path in sorted(path for folder in folders for path in folder.rglob("*") if path.is_file()):
        name = str(path.relative_to(REPOSITORY))
        code = templatize(path.read_text(encoding="utf-8"), origin=name)
        unindented = "\n".join(line.lstrip() for line in code.splitlines())  # or the tokenizer looks for blocks
        yield from sentences(unindented.encode(), name)


def from_python() -> Iterator[tuple[Key, str]]:
    """Yield the sentences of Python code."""
    for path in sorted(path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py")):
        if "migrations" not in path.parts:
            yield from sentences(path.read_bytes(), str(path.relative_to(REPOSITORY)))


def sentences(code: bytes, name: str) -> Iterator[tuple[Key, str]]:
    """Yield ((context, msgid), place) of each gettext call with literal text."""
    for line, function, arguments, _comments in extract_python(io.BytesIO(code), FUNCTIONS, [], {"encoding": "utf-8"}):
        given = arguments if isinstance(arguments, tuple) else (arguments,)
        with_context = "pgettext" in function
        context = given[0] if with_context else None
        msgid = given[1 if with_context else 0] if len(given) > with_context else None
        if msgid:
            yield (context, msgid), f"{name}:{line}"


if __name__ == "__main__":
    sys.exit(main())
