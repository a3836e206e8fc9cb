"""Multiple-choice questions: the options of a question, and the one an answer chooses.

Options are read from the question as the format `multiple-choice` writes them (`A. …`, a line
each) and as Taiwan's exam papers do (`(A)…(B)…` in a row).
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from string import ascii_uppercase

from foundry.data.normalising import normalise, without_end_marks
from foundry.evals.naming import named_in

LETTERS = "A-J"
LETTER = "letter"
"""The field of an example with the letter of its right option, where its answer is the text."""
LINE_MARK = re.compile(
    rf"^[ \t]*(?:[(\[【]([{LETTERS}])[)\]】]|([{LETTERS}])[.、:)])[ \t]*", re.MULTILINE
)
INLINE_MARK = re.compile(rf"[(\[【]([{LETTERS}])[)\]】][ \t]*")
# A letter that is no part of a word; 「選項B」 has Han beside it, `DNA` has letters.
STANDING = rf"(?<![A-Za-z0-9])([{LETTERS}])(?![A-Za-z0-9'])"
LISTED = re.compile(rf"[(\[「『【\"'*]*{STANDING}[)\]」』】\"'*.]*")
BETWEEN = re.compile(r"\s*(?:[,、/&+和與或及]|and\b|or\b)+\s*", re.IGNORECASE)
SAYS_SO = re.compile(
    r"(?:正確答案|答案|正確選項|正解|解答|而是|(?<!不)應選|(?<![不非勿別])(?<!不應)(?<!不該)選擇?|故選|最終答案"
    r"|\b(?:final |correct |right )?answer\b|\b(?:final |correct |right )(?:choice|option)\b"
    r"|\b(?:choice|option)\b(?=\s*(?:is\b|=|:)))"
    r"(?:\s*(?:應該|應|就|會|的))*\s*(?:是|為|\bis\b|=|:)*\s*(?:選項|選|\boption\b|\bchoice\b)?\s*:?\s*",
    re.IGNORECASE,
)
# Before a letter that is ruled out.
NOT = re.compile(
    r"(?:不是|並非|絕非|不選|不應選|別選|勿選|不會是|不可能是|\bnot\b|n['’]t\b)\s*"
    r"(?:選項|選|\boption\b|\bchoice\b)?\s*[(\[「『【\"'*]*$",
    re.IGNORECASE,
)
AS_OPTION = re.compile(rf"(?i:\b(?:option|choice)\b)\s*[(\[\"'*]*{STANDING}[)\]\"'*]*")
WRONG = re.compile(
    r"\s*(?:is|was|are|seems)?\s*(?:wrong|incorrect|false|not\b|too\b|does\s+not)", re.I
)
ALONE = re.compile(
    rf"(?:選項|選|option|choice)?\s*[(\[「『【\"'*]*([{LETTERS}])[)\]」』】\"'*]*\s*(?:選項)?\s*[.、:。!,;]*",
    re.IGNORECASE,
)


@lru_cache(maxsize=4096)
def options_of(question: str) -> tuple[str, ...]:
    """The texts of the options A, B, ... in a question; none where fewer than two are found."""
    return _read(question)[1]


def stem_of(question: str) -> str:
    """A question without its options; as it is where it has none."""
    return _read(question)[0]


def _read(question: str) -> tuple[str, tuple[str, ...]]:
    """What stands before the options, and their texts."""
    for mark in (LINE_MARK, INLINE_MARK):
        found = list(mark.finditer(_wide_as_narrow(question)))
        start = _last_run(["".join(match.groups("")) for match in found])
        if start is None:
            continue
        run = found[start:]
        ends = [*(match.start() for match in run[1:]), len(question)]
        texts = [question[m.end() : end].strip() for m, end in zip(run, ends, strict=True)]
        if len(texts) > 1 and all(texts):
            return question[: run[0].start()].strip(), tuple(texts)
    return question, ()


@lru_cache(maxsize=16384)
def chosen(answer: str, options: tuple[str, ...]) -> int | None:
    """The place of the one option that an answer chooses; None for none or several.

    The first of these that is found decides: the answer is a letter alone; it says so (答案是,
    應選, the answer is); it names one as an option; it begins with a line of one letter; one letter
    stands in it; it is, or names, the text of one option. One that is ruled out, or an answer that
    lists the options, chooses none.
    """
    text = _wide_as_narrow(answer).strip()
    letters = ascii_uppercase[: len(options)]
    ways = (_alone, _said, _named, lambda said: _first_line(said, options), _standing)
    for found in (way(text) for way in ways):
        if found:
            known = {letter for letter in found if letter in letters}
            return letters.index(known.pop()) if len(found) == 1 and known else None
    place = _by_text(answer, options)
    return None if place is not None and letters[place] in _ruled_out(text) else place


def _alone(text: str) -> set[str]:
    match = ALONE.fullmatch(text)
    return {match[1].upper()} if match else set()


def _said(text: str) -> set[str]:
    """The letters behind every phrase that gives an answer, with those listed beside them."""
    found: set[str] = set()
    for phrase in SAYS_SO.finditer(text):
        at = phrase.end()
        while letter := LISTED.match(text, at):
            found.add(letter[1])
            comma = BETWEEN.match(text, letter.end())
            at = comma.end() if comma else len(text)
    return found


def _named(text: str) -> set[str]:
    """The letters behind the bare word `option` or `choice` that are not ruled out or judged wrong.

    Several of them choose nothing by themselves: one may be compared with another.
    """
    found = {
        match[1]
        for match in AS_OPTION.finditer(text)
        if not NOT.search(text[: match.start(1)]) and not WRONG.match(text, match.end())
    }
    return found if len(found) == 1 else set()


def _ruled_out(text: str) -> set[str]:
    return {m[1] for m in re.finditer(STANDING, text) if NOT.search(text[: m.start()])}


def _first_line(text: str, options: Sequence[str]) -> set[str]:
    """`B. 臺北` or `B` on the first line, unless the lines after it go on listing options."""
    head, _, rest = text.partition("\n")
    mark = LINE_MARK.match(head) or re.fullmatch(rf"\**([{LETTERS}])\**", head.strip())
    if mark is None or LINE_MARK.search(rest) or len({*re.findall(STANDING, head)}) > 1:
        return set()
    return {"".join(group for group in mark.groups() if group)}


def _standing(text: str) -> set[str]:
    """The letters that stand alone and are not ruled out; the English article `A` is none."""
    return {
        match[1]
        for match in re.finditer(STANDING, text)
        if not (match[1] in "AI" and re.match(r"\s+[a-z]|'", text[match.end() :]))
        and not NOT.search(text[: match.start()])
    }


def _by_text(answer: str, options: tuple[str, ...]) -> int | None:
    bare = without_end_marks(normalise(answer))
    same = [
        n for n, text in enumerate(options) if bare and without_end_marks(normalise(text)) == bare
    ]
    named = [options.index(text) for text in named_in(answer, options)]
    for found in (same, named):
        if len(found) == 1:
            return found[0]
    return None


def _last_run(letters: Sequence[str]) -> int | None:
    """Where the last A begins that the rest goes on from in order: A, B, C."""
    starts = [n for n, letter in enumerate(letters) if letter == "A"]
    for start in reversed(starts):
        rest = letters[start:]
        if "".join(rest) == ascii_uppercase[: len(rest)]:
            return start
    return None


def _wide_as_narrow(text: str) -> str:
    """Full-width letters, digits and punctuation as ASCII ones, each in its place."""
    return "".join(chr(ord(c) - 0xFEE0) if "！" <= c <= "～" else c for c in text).replace(
        "．", "."
    )
