"""The builder's form: what was sent, what is kept while something is wrong, and what the page needs to draw it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from segmentation.conditions import all_conditions
from segmentation.definition import Definition, InvalidDefinition, conditions_of, parse, read_json
from segmentation.forms import draw_rows, menu, patterns, read_rows
from segmentation.models import Segment
from segmentation.selectors import LiveCount, as_id, count_live
from segmentation.sentence import describe
from segmentation.vocabulary import Vocabulary
from workspaces.errors import DomainError
from workspaces.models import Workspace

# Parameters of the address that start a definition, so that other pages can link here: parameter → (condition, field).
STARTS = {
    "stage": ("stage", "stages"),
    "activity": ("activity", "flags"),
    "rfm": ("rfm_group", "groups"),
    "bits": ("rfm_bits", "classes"),
    "source": ("source", "sources"),
    "tag": ("tag", "tags"),
}
# Rules to begin with, where the page is still empty.
STARTERS: tuple[Definition, ...] = (
    {
        "all": [
            {"kind": "stage", "stages": ["habit", "paying", "advocate"]},
            {"kind": "activity", "flags": ["slipping"]},
        ]
    },
    {"all": [{"kind": "rfm_group", "groups": ["champions"]}]},
    {
        "all": [
            {"kind": "fact", "fact": "registered_on", "compare": "in_last", "days": 7},
            {"kind": "fact", "fact": "orders", "compare": "at_most", "number": 0},
        ]
    },
    {"all": [{"kind": "activity", "flags": ["dormant"]}, {"kind": "reachable", "channel": "sms"}]},
)
FIELDS = ("name", "goal")
ROW_BUTTONS = ("add", "remove", "duplicate", "preview")


@dataclass
class Form:
    """One visit of the builder. `definition` is as it was sent, possibly wrong; `problems` say where."""

    vocabulary: Vocabulary
    name: str = ""
    goal: str = "value"
    definition: Any = field(default_factory=dict)
    saves: bool = False
    previews: bool = False
    problems: list[DomainError] = field(default_factory=list)
    clean: Definition = field(default_factory=dict)

    @classmethod
    def of(cls, request: HttpRequest, workspace: Workspace, segment: Segment | None = None) -> Form:
        vocabulary = Vocabulary(workspace, segment)
        if request.method == "POST":
            return cls.sent(request, vocabulary)
        if segment is not None:
            return cls(vocabulary, segment.name, segment.goal, segment.definition)
        return cls.started(request, vocabulary)

    @classmethod
    def sent(cls, request: HttpRequest, vocabulary: Vocabulary) -> Form:
        """What the browser posted: rows of inputs, or the tree as JSON."""
        data = request.POST
        pressed = [name for name in ROW_BUTTONS if name in data]
        form = cls(
            vocabulary,
            data.get("name", ""),
            data.get("goal", "value"),
            saves=not pressed,
            previews="preview" in pressed,
        )
        if data.get("by") == "rows":
            form.definition = read_rows(data)
            return form
        form.read(data.get("definition", ""))
        return form

    @classmethod
    def started(cls, request: HttpRequest, vocabulary: Vocabulary) -> Form:
        """A new rule, from the address if it says anything."""
        form = cls(vocabulary, request.GET.get("name", "")[:100])
        pattern = as_id(request.GET.get("copy", ""))
        if pattern and (segment := Segment.objects.filter(pk=pattern).first()):
            form.name = _("%(name)s, copy") % {"name": segment.name}
            form.goal, form.definition = segment.goal, segment.definition
        elif "definition" in request.GET:
            form.read(request.GET["definition"])
        else:
            wanted = [(STARTS[name], request.GET[name]) for name in STARTS if request.GET.get(name)]
            nodes = [{"kind": kind, **extra(kind), values: text.split(",")} for (kind, values), text in wanted]
            form.definition = {"all": nodes} if nodes else {}
        form.previews = bool(form.definition)
        return form

    def read(self, text: str) -> None:
        try:
            self.definition = read_json(text) if text.strip() else {}
        except DomainError as error:
            self.definition, self.saves, self.problems = {}, False, [error]

    def refuse(self, error: DomainError) -> None:
        self.problems = error.problems if isinstance(error, InvalidDefinition) else [error]

    def count(self) -> LiveCount | None:
        """The count, for the first look and for readers without script; None when there is nothing to count."""
        if not (self.previews or self.vocabulary.segment) or self.problems or not self.definition:
            return None
        try:
            self.clean = parse(self.definition, self.vocabulary)
            return count_live(self.clean, self.vocabulary.workspace)
        except DomainError as error:
            self.refuse(error)
            return None

    def render(self, request: HttpRequest, title: str) -> HttpResponse:
        counted = self.count()
        status = 422 if self.problems and request.method == "POST" else 200
        shown = self.definition if isinstance(self.definition, dict) else {}
        rows = draw_rows(shown, self.vocabulary, self.problems)
        context = {
            "title": title,
            "summary": _("Choose who belongs; the number beside it is live."),
            "form": self,
            "segment": self.vocabulary.segment,
            "rows": rows,
            "starters": [] if shown or self.vocabulary.segment else starters(self.vocabulary),
            "patterns": patterns(self.vocabulary),
            "menu": menu(),
            "json": json.dumps(shown, ensure_ascii=False) if shown else "",
            "errors": {problem.path: problem.message for problem in self.problems if problem.path in FIELDS},
            # What is not shown at an input or at a row.
            "problems": [one for one in self.problems if one.path not in FIELDS and not (rows and "/" in one.path)],
            "counted": counted,
            "sentence": describe(self.clean, self.vocabulary) if counted else "",
            "unknown": unknown_events(self.clean, self.vocabulary) if counted else [],
            "lists": {
                "events": list(self.vocabulary.events),
                "tags": self.vocabulary.tags,
                "sources": self.vocabulary.sources,
            },
        }
        return render(request, "segmentation/builder.html", context, status=status)


def starters(vocabulary: Vocabulary) -> list[dict[str, str]]:
    """Each as a sentence, and as the query that opens the builder with it."""
    return [
        {"sentence": describe(rule, vocabulary), "query": urlencode({"definition": json.dumps(rule)})}
        for rule in STARTERS
    ]


def extra(kind: str) -> dict[str, Any]:
    """Defaults of the fields that a start of this condition does not name."""
    fields = all_conditions()[kind].fields
    return {field.name: field.default for field in fields if isinstance(field.default, str) and field.default}


def place_of(path: str, rule: Any) -> str:
    """The condition and the input that a path of a sent rule leads to, as the row names them; "" for a group."""
    for part in path.split("/")[1:]:
        if "kind" in rule:
            break
        rule = rule[int(part)] if isinstance(rule, list) else rule[part]
    condition = all_conditions().get(str(rule.get("kind"))) if isinstance(rule, dict) else None
    if condition is None:
        return ""
    labels = [field.label for field in condition.fields if field.name == path.rpartition("/")[2]]
    return " · ".join(map(str, [condition.label, *labels]))


def unknown_events(definition: Definition, vocabulary: Vocabulary) -> list[str]:
    """Events the rule counts that have never arrived: legal, and most often a slip of the pen."""
    named = [node["event"] for _path, node in conditions_of(definition) if node["kind"] == "event_count"]
    return [name for name in dict.fromkeys(named) if name not in vocabulary.events]
