"""The mask report's page: one file, both languages, no request, and untrusted text stays text."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from foundry.core.page import STYLE as OF_ALL_PAGES
from foundry.core.page import visible
from foundry.core.records import ShardSet, ToolCall, Turn
from foundry.encode.page import words
from foundry.encode.page.histogram import histogram
from foundry.encode.page.html import STYLE, render
from foundry.encode.rows import encode
from foundry.encode.samples import LONGEST, kinds
from foundry.encode.tokenize import encoder_of
from tests.browser import check, look_at, needs_browser, text_of
from tests.encoders import encode_all, example, tiny_encoder
from tests.templates import stock_template

ATTACK = "<script>alert(1)</script><img src=https://evil.example/x onerror=alert(2)>\"'&\x07"
VOID = {"meta", "input", "br"}
SHORT = example("多少錢？", "三百元。")
ROWS = [
    SHORT,
    example(ATTACK, f"答：{ATTACK}", line=3),
    example("一？", "甲。", "二？", "乙。", line=4),
    replace(example("", "", line=5), messages=(Turn("user", "天氣？"), Turn("assistant", "晴。"))),
    example("長" * 400, "好。", line=6),
]
SOURCE = {
    "path": ATTACK,
    "kind": "csv",
    "encoding": "utf-8",
    "rows": 7,
    "used": 5,
    "refused": {"empty-answer": 2},
    "blank": 1,
    "turns": {"in": 13, "out": 12},
}
MANIFEST = {"sources": [SOURCE], "turns": {"in": 13, "out": 12, "joined-user": 1, ATTACK: 0}}
TITLE = {"zh-TW": f"商店{ATTACK}", "en": "Shop"}


class Page(HTMLParser):
    """Every tag with its attributes; `unclosed` is what is still open at the end."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.learned: list[str] = []
        self.unclosed: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.unclosed.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.unclosed.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self.unclosed and self.unclosed[-1] == "mark":
            self.learned.append(data)


def shards_of(mask: dict[str, Any]) -> ShardSet:
    parts = {"template": "0" * 64, "encode": {"system": ATTACK}}
    return ShardSet("train.parquet", "0", "k" * 64, parts, 1, 1, 1, 1, (1,), mask)


@pytest.fixture(scope="module")
def mask() -> dict[str, Any]:
    encoder = replace(tiny_encoder("gemma3"), system=ATTACK)
    report = encode_all(ROWS, encoder, max_seq_len=512)[1].as_dict()
    return dict(json.loads(json.dumps(report)))  # as it is read from its file


@pytest.fixture(scope="module")
def text(mask: dict[str, Any]) -> str:
    return render(
        shards_of(mask), MANIFEST, title=TITLE, template=tiny_encoder("gemma3").template + ATTACK
    )


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_page_is_whole_and_asks_for_nothing(text: str, page: Page):
    addresses = {"src", "href", "srcset", "action", "data", "poster", "xlink:href", "style"}

    assert page.unclosed == []
    assert not {name for name, _attributes in page.tags} & {"script", "img", "link", "iframe"}
    for _tag, attributes in page.tags:
        assert not addresses & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
    assert "url(" not in text and "@import" not in text
    policies = [a["content"] for tag, a in page.tags if tag == "meta" and "http-equiv" in a]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_every_class_has_a_rule_and_every_rule_a_place(text: str):
    rules = "".join(path.read_text(encoding="utf-8") for path in (STYLE, OF_ALL_PAGES))

    styled = set(re.findall(r"\.([a-z][\w-]*)", re.sub(r"\{[^{}]*\}", "", rules)))

    used = {name for names in re.findall(r'class="([^"]*)"', text) for name in names.split()}
    assert used == styled


def test_untrusted_text_is_shown_as_text(page: Page):
    shown = "".join(page.text)

    assert shown.count("<script>alert(1)</script>") >= 8  # title, file, rows, system, template
    assert "\x07" not in shown and "\u2407" in shown


def test_page_fits_a_phone_and_names_its_languages(page: Page):
    metas = [attributes for tag, attributes in page.tags if tag == "meta"]
    mains = [attributes["lang"] for tag, attributes in page.tags if tag == "main"]
    tables = sum(tag == "table" for tag, _attributes in page.tags)

    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in metas
    assert mains == ["zh-Hant-TW", "en"]
    scrolling = [a for tag, a in page.tags if tag == "div" and a.get("class") == "scroll"]
    assert len(scrolling) == tables > 0


def test_what_is_learned_is_coloured(page: Page):
    assert page.learned[0] == "三百元。<end_of_turn>"
    assert any(said.startswith("答：<script>") for said in page.learned)
    assert not any("多少錢" in said for said in page.learned)


def test_numbers_are_those_of_the_report(mask: dict[str, Any], page: Page):
    shown = " ".join("".join(page.text).split())

    assert f"{mask['rows']} rows, {mask['tokens']} tokens; {mask['supervised_tokens']} of" in shown
    assert mask["template"]["sha256"] in shown
    assert "Over the limit of 512 tokens: 1; left out 1" in shown
    assert "超過 512 個詞元的上限" in shown
    assert "over the length limit" in shown and "empty-answer × 2" in shown
    assert "The date that templates are toldnone" in shown
    assert "turns 13 → 12" in shown
    lost = mask["over_limit"]["tokens_lost"]
    assert lost > 512 and f"tokenslost11000{lost}" in shown.replace(" ", "")


def test_date_that_the_template_is_told_is_shown(mask: dict[str, Any]):
    told = {**mask, "template": {**mask["template"], "date": "2026-01-01"}}

    text = render(shards_of(told), MANIFEST, title=TITLE, template="")

    assert text.count("<dd>2026-01-01</dd>") == 2


def test_every_language_has_the_same_words_and_places():
    placeholders = {
        language: {key: sorted(re.findall(r"{(\w+)}", text)) for key, text in texts.items()}
        for language, texts in words.PAGE.items()
    }

    assert placeholders["zh-TW"] == placeholders["en"]
    for table in (words.KINDS, words.LEFT_OUT, words.DROPPED, words.TURNS):
        assert all(set(texts) == set(words.PAGE) for texts in table.values())


def test_every_kind_of_sample_has_words():
    tokenizer = tiny_encoder("llama").tokenizer
    encoder = encoder_of(tokenizer, stock_template("qwen3").replace("<|im_end|>", "<|eot_id|>"))
    call = Turn("assistant", "", "想", (ToolCall("lookup", {"city": "臺北"}),))
    turns = (Turn("user", "天氣？"), call, Turn("tool", "晴"), Turn("assistant", "晴天。"))
    rows = [replace(SHORT, messages=turns), example("一？", "甲。", "二？", "乙。")]

    made = {kind for row in rows for kind in kinds(encode(row, encoder))}

    assert made | {LONGEST} == set(words.KINDS)


def test_histogram_holds_every_row_in_few_bars():
    counts = {64 * n: n + 1 for n in range(200)}

    drawn = histogram(counts, 64, 100_000, name="長度 & <b>", x="tokens")

    bars = [int(n) for n in re.findall(r"–\d+: (\d+)</title>", drawn)]
    assert sum(bars) == sum(counts.values())
    assert len(bars) <= 50
    assert "limit" not in drawn  # far beyond the longest row
    assert "&amp; &lt;b&gt;" in drawn and "<b>" not in drawn
    assert 'class="limit"' in histogram({0: 3}, 64, 100, name="a", x="b")
    assert histogram({}, 64, 100, name="a", x="b") == ""


def test_control_characters_become_symbols():
    assert visible("a\x00\x1b\x7f\n\t") == "a\u2400\u241b\u2421\n\t"


@needs_browser
def test_page_opens_from_disk_without_error_request_or_barrier(text: str, tmp_path: Path):
    file = tmp_path / "mask_report.html"
    file.write_text(text, encoding="utf-8")

    look = look_at(file)

    check(look, file)
    assert "遮罩報告" in text_of(look.printed["zh-Hant-TW"])
