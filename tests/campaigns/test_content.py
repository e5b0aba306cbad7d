"""Templates, links and plain text. Needs no database and no settings."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from campaigns import template_rules
from campaigns.content import ERROR_SENTENCES, compile_template, missing, render
from campaigns.markup import add_open_pixel, html_to_text, rewrite_links
from campaigns.template_child import CHILD
from campaigns.template_rules import TemplateError


def rendered(source: str, context: dict[str, Any] | None = None, *, html: bool = False) -> str:
    return render(compile_template(source, html=html), context or {})


# --- templates ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "context", "expected"),
    [
        ("你好，{{ user.name }}！", {"user": {"name": "小明"}}, "你好，小明！"),
        ("你好，{{ user.name | default: '朋友' }}！", {"user": {"name": ""}}, "你好，朋友！"),
        ("{{ user.nothing.at.all }}|", {}, "|"),
        ("{{ spend | money }}", {"spend": 123456}, "¥1,234.56"),
        ("{{ spend | money }}", {"spend": -5, "currency": "USD"}, "-$0.05"),
        ("{{ spend | money: 'JPY' }}", {"spend": 1999}, "JP¥1,999"),
        ("{{ spend | money: 'XXX' }}", {"spend": 1999}, "XXX 19.99"),
        ("{{ spend | money: 'VND' }}", {"spend": 1999}, "VND 1,999"),
        ("{{ spend | money: 'KWD' }}", {"spend": -1999}, "-KWD 1.999"),
        ("{{ spend | money }}|", {"spend": None}, "|"),
        ("{{ at | date: '%Y年%-m月%-d日' }}", {"at": datetime(2026, 8, 31, 9, tzinfo=UTC)}, "2026年8月31日"),
        ("{{ at | date: '%Y年' }}", {"at": "2026-08-31T09:00:00+00:00"}, "2026年"),
        ("{{ at | date }}", {"at": date(2026, 8, 31)}, "2026-08-31"),
        ("{{ at | date: '%Y' }}", {"at": "昨天"}, "昨天"),
        ("{{ n }}{{ d }}{{ t }}{{ l }}", {"n": 3, "d": Decimal("1.50"), "t": True, "l": ["a", "b"]}, "31.50trueab"),
        ("{% if vip %}尊贵的{% endif %}{{ name }}", {"vip": True, "name": "小明"}, "尊贵的小明"),
        (
            "{% for o in orders %}{{ o.title }}；{% endfor %}",
            {"orders": [{"title": "书"}, {"title": "灯"}]},
            "书；灯；",
        ),
        ("{% assign n = name | upcase %}{{ n }}{% comment %}x{% endcomment %}", {"name": "li"}, "LI"),
        ("{{ orders.first.title }} {{ orders.size }}", {"orders": [{"title": "书"}]}, "书 1"),
        ("${7*7} #{7*7} <%= `id` %> {# not ours #}", {}, "${7*7} #{7*7} <%= `id` %> {# not ours #}"),
    ],
)
def test_a_template_is_filled_in(source: str, context: dict[str, Any], expected: str) -> None:
    assert rendered(source, context) == expected


def test_what_a_person_typed_is_never_parsed_and_always_escaped() -> None:
    typed = "{{ user.phone }}{% include 'x' %}<script>alert(1)</script>\" onmouseover=\"x"
    context = {"user": {"name": typed, "phone": "13800138000"}}
    for source in ('<i title="{{ user.name }}">', '<i title="{% if true %}{{ user.name }}{% endif %}">'):
        out = rendered(source, context, html=True)
        assert "13800138000" not in out
        assert "<script" not in out
        assert out.count('"') == 2
    assert rendered("{{ user.name }}", context) == typed
    with pytest.raises(TemplateError):
        compile_template("{{ user.name | safe }}", html=True)


LOOKS_LIKE_A_MODEL_CALLS: list[str] = []


class LooksLikeAModel:
    password = "canary"

    def delete(self) -> str:
        LOOKS_LIKE_A_MODEL_CALLS.append("delete")
        return "canary"

    def __str__(self) -> str:
        return "as text"


@pytest.mark.parametrize(
    "source",
    ["{{ u.password }}", "{{ u.delete }}", "{{ u['password'] }}", "{{ u.__class__.__mro__ }}", "{{ u['__class__'] }}",
     "{% assign x = u %}{{ x.delete }}", "{% for a in l %}{{ a.password }}{% endfor %}", "{{ l.first.password }}",
     "{{ l | map: 'password' | join: ',' }}", "{{ cycler.__init__.__globals__.os }}", "{{ self._context }}"],
)  # fmt: skip
def test_nothing_behind_a_value_can_be_reached(source: str) -> None:
    context = {"u": LooksLikeAModel(), "l": [LooksLikeAModel()]}
    try:
        out = rendered(source, context)
    except TemplateError:
        out = ""
    assert "canary" not in out
    assert "class" not in out
    assert LOOKS_LIKE_A_MODEL_CALLS == []
    assert rendered("{{ u }}", context) == "as text"


@pytest.mark.parametrize(
    ("source", "code", "line"),
    [
        ("a\n{{ user.name", "template_syntax", 2),
        ("{% if a %}\nx{% endif", "template_syntax", 2),
        ("a\n\n{{ a || b }}", "template_syntax", 3),
        ("{{ 'a'|attr('b') }}", "template_syntax", 1),
        ("{{ lipsum.__globals__['os'].popen('id').read() }}", "template_syntax", 1),
        ("x\n{{ name | system }}", "unknown_filter", 2),
        ("{% if a %}{{ name | base64_decode }}{% endif %}", "unknown_filter", 1),
        ("{% include '/etc/passwd' %}", "unknown_tag", 1),
        ("\n{% render '../../secret' %}", "unknown_tag", 2),
        ("{% extends 'base.html' %}", "unknown_tag", 1),
        ("{% load log %}", "unknown_tag", 1),
        ("{% raw %}{{ a }}{% endraw %}", "unknown_tag", 1),
        ("{% for i in (1..1000000000) %}x{% endfor %}", "template_limit", 1),
        ("{{ (1..1000000000) | join: '' | size }}", "template_limit", 1),
        ("{% assign a = (1..9) | reverse %}", "template_limit", 1),
        ("{% if a contains (1..9) %}{% endif %}", "template_limit", 1),
        ("{{ a | default: (1..9) }}", "template_limit", 1),
        ("{% if a %}" * 1200 + "{% endif %}" * 1200, "template_limit", 1),
        ("{{ a" + " | upcase" * 200 + " }}", "template_syntax", 1),
        ("x" * (template_rules.MAX_SOURCE + 1), "too_large", None),
        ("a\0b", "invalid_string", None),
        ("a\ud83d", "invalid_string", None),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_a_bad_template_is_refused_when_it_is_saved(source: str, code: str, line: int | None) -> None:
    with pytest.raises(TemplateError) as caught:
        compile_template(source)
    assert (caught.value.code, caught.value.line) == (code, line)
    assert caught.value.code in ERROR_SENTENCES


def growth(work: Callable[[int], None], size: int) -> float:
    """How many times the CPU time of an eighth the whole takes: 8 when it grows in step, 64 when with the square.

    The least of a few tries: a machine that others use is now and then several times slower for a moment.
    """

    def cost(of: int) -> float:
        compile_template.cache_clear()
        gc.disable()  # a collection walks everything the suite has ever made, which says nothing about this work
        try:
            started = time.thread_time()
            work(of)
            return time.thread_time() - started
        finally:
            gc.enable()

    found = []
    while len(found) < 6 and min(found, default=64.0) > 16:
        part = max(cost(size // 8), cost(size // 8), 0.005)
        found.append(cost(size) / part)
    return min(found)


def doubling(step: str) -> str:
    return "{% assign a = 'xxxxxxxxxx' %}" + step * 40 + "{{ a }}"


LOOP = "{% for a in l %}"
BOMBS = {
    "loops in loops": LOOP * 4 + "x" + "{% endfor %}" * 4,
    "loops after loops": (LOOP * 2 + "{% endfor %}" * 2) * 800,
    "append": doubling("{% assign a = a | append: a %}"),
    "capture": doubling("{% capture a %}{{ a }}{{ a }}{% endcapture %}"),
    "replace": doubling("{% assign a = a | replace: 'x', a %}"),
    "prepend": doubling("{% assign a = a | prepend: a %}"),
    "escape": doubling("{% assign a = a | url_encode | replace: 'x', '%' | replace: '%', '%%' %}"),
    "concat": "{% assign a = l %}" + "{% assign a = a | concat: a %}" * 40 + "{{ a.size }}",
    "join": "{{ big | split: '' | join: big }}",
    "join a long list": "{{ l | join: big }}",
    "numbers": "{% assign n = 9 %}" + "{% assign n = n | times: n %}" * 60 + "{{ n }}",
    "output": LOOP + "{{ big }}" + "{% endfor %}",
    "plain output": "{{ big }}" * 30,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_stopped_and_the_next_template_renders(name: str) -> None:
    context = {"l": list(range(100)), "big": "x" * 60_000}
    with pytest.raises(TemplateError) as caught:
        rendered(BOMBS[name], context)
    assert caught.value.code == "template_limit"
    assert rendered("{% if true %}ok{% endif %}") == "ok"


def test_a_width_in_a_date_pattern_is_only_text() -> None:
    assert rendered("{{ at | date: '%500000000d %5Y' }}", {"at": date(2026, 8, 31)}) == "%500000000d %5Y"


@pytest.mark.parametrize(
    "piece",
    ["{{", "{%", "{% if ", "{{ -", "{% comment %}", "{{ a[0", "{% raw %}", "{% doc %}", "{{ '", "{", "{{ " + " " * 900],
)  # fmt: skip
def test_the_parser_takes_no_long_time_over_anything(piece: str) -> None:
    def work(size: int) -> None:
        source = (piece * (size // len(piece) + 1))[: size - 2]
        for end in ("", "}}", "%}"):
            try:
                compile_template(source + end)
            except TemplateError:
                continue

    assert growth(work, template_rules.MAX_SOURCE) < 32


def test_the_child_that_renders_is_replaced_after_it_was_killed() -> None:
    assert rendered("{% if true %}1{% endif %}") == "1"
    process = CHILD._process
    assert process is not None
    process.kill()
    process.wait()
    assert rendered("{% if true %}2{% endif %}") == "2"
    CHILD.close()


def test_the_child_sees_none_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "canary-secret")
    CHILD.close()
    assert rendered("{% if true %}1{% endif %}") == "1"
    process = CHILD._process
    assert process is not None
    assert b"canary" not in Path(f"/proc/{process.pid}/environ").read_bytes()


def test_the_child_cannot_take_much_memory() -> None:
    with pytest.raises(TemplateError) as caught:
        rendered("{% if big %}{{ big }}{% endif %}", {"big": "x" * 100_000_000})
    assert caught.value.code == "template_limit"
    assert rendered("{% if true %}ok{% endif %}") == "ok"


FIELDS = [
    "{{ a }}",
    "{{ a.b }}",
    "{{ l[0] }}",
    "{{ a | default: 'x' }}",
    "{{ a.b | upcase | append: '<' }}",
    "{{- a -}}",
]
FIELDS += [
    "{{ n | money }}",
    "{{ a | escape }}",
    "{{ a | truncate: 3 }}",
    "{{ a | date: '%Y' }}",
    "{{ n | url_encode }}",
]
FIELDS += ["{{ a | default: '<b>' | strip | capitalize }}", "<p>", " 你好 ", "\n"]
VALUES = st.one_of(st.none(), st.booleans(), st.integers(-(10**9), 10**9), st.text(max_size=8), st.just("<i>&\"'"))
CONTEXTS = st.fixed_dictionaries(
    {},
    optional={"a": VALUES | st.dictionaries(st.sampled_from(["b", "c"]), VALUES), "n": VALUES, "l": st.lists(VALUES)},
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(FIELDS), max_size=6), CONTEXTS, st.booleans())
@example(["{{ a }}", "\n"], {"a": "\r\n\r"}, False)
def test_the_short_way_gives_what_the_whole_language_gives(pieces: list[str], context: Any, html: bool) -> None:
    source = "".join(pieces)
    template = compile_template(source, html=html)
    assert template.parts is not None

    def outcome(function: Callable[[], str]) -> str:
        try:
            return function()
        except TemplateError as problem:
            return problem.code

    whole = template_rules.parse(source, html)
    assert outcome(lambda: render(template, context)) == outcome(
        lambda: template_rules.render_parsed(whole, template_rules.plain(context))
    )


def test_missing_names_the_fields_that_would_be_empty() -> None:
    template = compile_template(
        "{{ user.name }}{{ user.city | default: '这里' }}{% if user.vip %}{{ user.vip }}{% endif %}"
        "{% for o in orders %}{{ o.title }}{% endfor %}{{ user.city }}{{ user.spend | money }}"
    )
    assert missing(template, {"user": {"name": " ", "spend": 0}}) == ["user.name", "user.city"]
    assert missing(template, {"user": {"name": "小明", "city": "上海", "spend": None}}) == ["user.spend"]


# --- HTML -----------------------------------------------------------------------------------------------------------


def test_links_are_replaced_and_nothing_else_is_touched() -> None:
    before = (
        "<!doctype html>\n<!--[if mso]><a href='https://not.seen'>x</a><![endif]--><p>1 < 2 你好\r\n"
        '<A HREF="https://a.example/?x=1&amp;y=2&copy=3" class=q>一</a><style>a<b{}</style>'
        "<a\n title='href=\"https://no\" >' href = https://b.example/p disabled>二</a>"
        '<a href="mailto:a@b.example">三</a><a href="#top">四</a><area href="https://a.example/?x=1&amp;y=2&copy=3">'
    )
    after, links = rewrite_links(before, lambda url: f"https://t.example/?u={links_seen(url)}&k=1")
    assert links == ["https://a.example/?x=1&y=2&copy=3", "https://b.example/p"]
    expected = before.replace('"https://a.example/?x=1&amp;y=2&copy=3"', '"https://t.example/?u=33&amp;k=1"')
    assert after == expected.replace("https://b.example/p", '"https://t.example/?u=19&amp;k=1"')
    assert rewrite_links(after, lambda url: url)[0] == after


def links_seen(url: str) -> int:
    return len(url)


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", " JaVaScRiPt:alert(1)", "java\tscript:alert(1)", "&#106;avascript:alert(1)",
                "javascript&#58alert(1)", "javascript&colon;alert(1)", "data:text/html,<script>", "vbscript:x",
                "file:///etc/passwd"],
)  # fmt: skip
def test_a_link_that_runs_code_leads_nowhere(address: str) -> None:
    assert rewrite_links(f'<a href="{address}">x</a>', lambda url: url) == ('<a href="#">x</a>', [])


def test_the_open_pixel_stands_at_the_end_of_the_body() -> None:
    pixel = '<img src="https://t.example/o?a=1&amp;b=2" width="1" height="1" alt="">'
    assert add_open_pixel("<BODY>x</BODY></html>", "https://t.example/o?a=1&b=2") == f"<BODY>x{pixel}</BODY></html>"
    assert add_open_pixel("x", "https://t.example/o?a=1&b=2") == f"x{pixel}"
    turkish = "<body>İYİ GÜNLER"
    assert add_open_pixel(f"{turkish}</body>", "https://t.example/o?a=1&b=2") == f"{turkish}{pixel}</body>"


def test_html_reads_well_as_plain_text() -> None:
    markup = (
        "<html><head><title>t</title><style>p{color:red}</style></head><body><h1>会员日</h1>\n<p>亲爱的  <b>小明</b>，"
        '<a href="https://x.example/?a=1&amp;b=2">去看看</a></p><ul><li>一</li><li>二 &amp; 三</li></ul>'
        '<table><tr><td>满</td><td>100</td></tr></table><img src=x alt="海报"><a href="https://y.example">https://y.example</a>'
    )
    assert html_to_text(markup) == (
        "会员日\n\n亲爱的 小明，去看看 (https://x.example/?a=1&b=2)\n\n- 一\n- 二 & 三\n\n满 100\n\n[海报]https://y.example"
    )


@pytest.mark.parametrize(
    "piece",
    ["<", "<a ", '<a href="', "<a href='x", "<!--", "</", "<?", "<![CDATA[", "<style>", "<a a='", "&", "<a>", '="'],
)
def test_broken_html_takes_no_long_time(piece: str) -> None:
    def work(size: int) -> None:
        markup = (piece * (size // len(piece) + 1))[:size]
        rewrite_links(markup, lambda url: url)
        html_to_text(markup)

    assert growth(work, 200_000) < 32


@given(st.text(alphabet="<>a/!-?\"'= hrefstyl:{}#&;x", max_size=60))
def test_any_text_goes_through_the_html_functions(markup: str) -> None:
    after, links = rewrite_links(markup, lambda url: url)
    assert rewrite_links(after, lambda url: url) == (after, links)
    html_to_text(markup)
