"""Citations of Taiwanese statutes in running text: law, article, paragraph, subparagraph, item.

`民法第一百八十四條第一項前段`, `勞動基準法第 14 條第 1 項第 6 款`, `《公司法》第8條之1` and
`第八之一條` are read alike. A citation without a law of its own belongs to the law named before it
(`同法`, `及第13條`).

Source of the forms: 中央法規標準法 (2004), articles 8 (條, 項, 款, 目) and 10 (之一, for an article
put in later).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from foundry.data.normalising import fold

DIGITS = {c: n for n, c in enumerate("〇一二三四五六七八九")} | {
    "零": 0,
    "兩": 2,
    "廿": 20,
    "卅": 30,
}
UNITS = {"十": 10, "百": 100, "千": 1000}
NUMBER = rf"[0-9{''.join(DIGITS)}{''.join(UNITS)}]{{1,9}}"
SPACE = r"[ \t]*"
INSERTED = rf"(?:{SPACE}(?:之|-|－|–|—){SPACE}({NUMBER}))?"
ARTICLE = rf"第{SPACE}({NUMBER}){INSERTED}{SPACE}條{INSERTED}"
BELOW = "".join(rf"(?:{SPACE}第{SPACE}({NUMBER}){SPACE}{unit})?" for unit in "項款目")
CITATION = re.compile(ARTICLE + BELOW)
SAME_ARTICLE = re.compile(
    rf"同條{SPACE}第{SPACE}({NUMBER}){SPACE}項(?:{SPACE}第{SPACE}({NUMBER}){SPACE}款)?"
    rf"(?:{SPACE}第{SPACE}({NUMBER}){SPACE}目)?"
)
MORE = re.compile(
    rf"{SPACE}[、,及和與或]{SPACE}第?{SPACE}({NUMBER}){INSERTED}{SPACE}條{INSERTED}{BELOW}"
)
# `第12、13條` is two articles.
LISTED = re.compile(rf"第{SPACE}({NUMBER}(?:{SPACE}[、,]{SPACE}{NUMBER})+){SPACE}條")
LAW = re.compile(
    r"([\u4e00-\u9fff]{0,40}?(?:法|條例|規則|細則|辦法|標準|準則|通則|規程|綱要|憲法|律))"
    r"[》〉」』]?\s*(?:\([^)]{0,20}\))?\s*$"
)
# What stands before a law's name in a sentence; no law in force has one of these inside its name.
BEFORE_A_NAME = re.compile(
    r".*(?:依據|根據|依照|按照|違反|適用(?!法)|準用|參照|參見|參考|參酌|參閱|觸犯|牴觸|抵觸|符合"
    r"|遵守|遵循|遵照|屬於|基於|引用|援引|查閱|詳見|規定於|規範於|明定於|所謂|以及|依|按|即|是|惟|另)"
)
JOINED = re.compile(
    r"^(?:及|和|與|或|並|且|又|的|在|於|由|該|請|見|而|、|我國|現行|修正後|新修正|目前|此為|係)+"
)
ANOTHER_WORD_FOR_IT = ("同法", "該法", "本法", "前法")


@dataclass(frozen=True)
class Citation:
    """A place in a law; `law` is empty where none is named, a level 0 where none is given."""

    law: str
    article: int
    inserted: int = 0
    paragraph: int = 0
    subparagraph: int = 0
    item: int = 0

    def down_to(self, depth: str) -> "Citation":
        """The citation without the levels below `depth`."""
        levels = ("article", "paragraph", "subparagraph", "item")
        return replace(self, **dict.fromkeys(levels[levels.index(depth) + 1 :], 0))

    def without_law(self) -> "Citation":
        """The citation without the law's name."""
        return replace(self, law="")


def citations(text: str, aliases: Mapping[str, Sequence[str]]) -> tuple[Citation, ...]:
    """The citations of a text in their order, each once.

    Args:
        text: Anything.
        aliases: Names of laws, each with its other names (`勞動基準法`: `勞基法`).
    """
    folded = LISTED.sub(_each, fold(text))
    known = {other: name for name, others in aliases.items() for other in (name, *others)}
    found: list[Citation] = []
    law, at = "", 0
    places = [(m.start(), m) for p in (CITATION, SAME_ARTICLE) for m in p.finditer(folded)]
    for start, match in sorted(places, key=lambda place: place[0]):
        if start < at:
            continue
        if match.re is SAME_ARTICLE:
            at = match.end()
            if found:
                found.append(_below(replace(found[-1], item=0), match.groups()))
            continue
        law = _law(folded[at:start], known) or law
        found.append(_citation(law, match))
        at = match.end()
        while more := MORE.match(folded, at):
            found.append(_citation(law, more))
            at = more.end()
    return tuple(dict.fromkeys(found))


def number(text: str) -> int:
    """`12`, `十二`, `一百零五` and `一八四` as a number.

    Raises:
        ValueError: It mixes digits and words.
    """
    if text.isdecimal():
        return int(text)
    if not any(c in UNITS or c in "廿卅" for c in text):
        return int("".join(str(DIGITS[c]) if c in DIGITS else c for c in text))
    total, digit = 0, 0
    for c in text:
        if c in UNITS:
            total += (digit or 1) * UNITS[c]
            digit = 0
        elif c in "廿卅":
            total += DIGITS[c]
        else:
            digit = DIGITS[c] if c in DIGITS else int(c)
    return total + digit


def _each(match: re.Match[str]) -> str:
    return "、".join(f"第{one}條" for one in re.findall(NUMBER, match[1]))


def _citation(law: str, match: re.Match[str]) -> Citation:
    article, before, after, *below = match.groups()
    inserted = number(before or after or "0")
    return _below(Citation(law, number(article), inserted), below)


def _below(citation: Citation, levels: Sequence[str | None]) -> Citation:
    paragraph, subparagraph, item = (number(level or "0") for level in levels)
    return replace(citation, paragraph=paragraph, subparagraph=subparagraph, item=item)


def _law(before: str, known: Mapping[str, str]) -> str:
    """The name that a piece of text ends with; empty where it ends with none, or with `同法`."""
    match = LAW.search(before)
    if match is None:
        return ""
    said = match[1]
    ends = [name for name in known if said.endswith(name)]
    if ends:
        return known[max(ends, key=len)]
    name = JOINED.sub("", BEFORE_A_NAME.sub("", said))
    return "" if name.endswith(ANOTHER_WORD_FOR_IT) else name
