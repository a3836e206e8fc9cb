"""cp950 or GB18030: which of the two a file without a mark is in, or a refusal with candidates.

cp950 is what Excel on a Taiwanese Windows writes; Python's `big5` lacks eight characters of it
(cases.md C45). An exact test leaves one of the two: bytes that cp950 can read and GB2312 cannot
may only be cp950, all others only GB18030. chardet must then put that one first among the Chinese
encodings and clear of every other, or the file is refused.

Measured on fresh random slices of 6-400 characters under a CSV header (alpaca_zh_demo as it is
and in Traditional characters, DRCD_dev), chardet 7.7.0, November 2026:

    it is in                        slices   right   refused   wrong
    cp950, Traditional               3,750   3,740        10       0
    GB18030, Simplified              1,500   1,472        27       1
    GB18030, Traditional             3,000   2,823       172       5
    cp1250/1251/1252/1258, cp932,
    cp949, euc-jp: country names     3,000       0     2,999       1

All but 26 of the 215 Chinese ones not read right had at most 12 characters beyond ASCII. chardet
by itself was wrong in 100 of 7,500 such slices; the exact test by itself took 118 of 3,000
Traditional ones in GB18030 for cp950.
"""

import codecs
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _
from foundry.data.decoding import first_fault, misfit, reads, say_which

SAMPLE_BYTES = 1 << 16  # chardet's answer did not change from 2,000 bytes on
CHINESE = {"big5": "cp950", "big5hkscs": "cp950", "cp950": "cp950", "gb18030": "gb18030"}
# chardet's likelihood of the Chinese encoding against the next; 99 of 100 slices in GB18030 had
# more than 0.63, 19 of 20 Korean ones that pass for GB18030 less than 0.55.
LEAST_CONFIDENCE = 0.59
# The same where the exact test says cp950 and the characters stand together: the lowest of 2,962
# slices in cp950 had 0.16, the highest of 14 Western ones but one 0.08.
LEAST_BESIDE_EXACT = 0.12
# Least share of characters beside another that is not ASCII: 0.96 or more in 9 of 10 cp950 slices;
# Western accents, read as cp950, stand alone between ASCII letters.
LEAST_NEIGHBOURS = 0.67
BESIDE_ANOTHER = re.compile(r"[^\x00-\x7f]{2,}")
# Largest share of the characters beyond ASCII that is damage in a file told to be UTF-8.
MOST_DAMAGE = 0.25


def recognise(path: Path, fault: tuple[int, int], kind: str) -> tuple[str, float | None]:
    """The encoding, and how likely it is in 0..1 where the exact test did not tell.

    Args:
        path: The file.
        fault: Where it stops being UTF-8.
        kind: The kind of source, for the fix.

    Raises:
        DataError: Another encoding is as likely, or none fits; names the candidates or the byte.
    """
    is_cp950 = reads(path, "cp950") and not reads(path, "gb2312")
    name = "cp950" if is_cp950 else "gb18030"
    sample = _telling(path)
    ranked = _ranked(_in_big5(sample) if is_cp950 else sample)
    confidence = _confidence(ranked, name)
    if _first(ranked) == name and reads(path, name):
        if is_cp950 and confidence >= LEAST_BESIDE_EXACT and _has_neighbours(sample):
            return name, None
        if confidence >= LEAST_CONFIDENCE:
            return name, confidence
    raise DataError(_unknown(path, sample, fault, kind))


def _telling(path: Path) -> bytes:
    """The first lines, or pieces of lines, that are not ASCII, up to `SAMPLE_BYTES`."""
    found: list[bytes] = []
    size = 0
    with path.open("rb") as stream:
        while size < SAMPLE_BYTES and (piece := stream.readline(SAMPLE_BYTES)):
            if not piece.isascii():
                found.append(piece)
                size += len(piece)
    return b"".join(found)[:SAMPLE_BYTES]


def _ranked(sample: bytes) -> dict[str, float]:
    """What chardet thinks of, the likeliest first, in lower case."""
    import chardet  # 0.1 s

    answers = chardet.detect_all(
        sample,
        ignore_threshold=True,
        prefer_superset=True,
        encoding_era=chardet.EncodingEra.MODERN_WEB,  # without code pages of DOS and mainframes
    )
    return {a["encoding"].lower(): a["confidence"] for a in answers if a["encoding"]}


def _first(ranked: dict[str, float]) -> str | None:
    return next((CHINESE[name] for name in ranked if name in CHINESE), None)


def _confidence(ranked: dict[str, float], name: str) -> float:
    """chardet's likelihood of `name`, as a share of it and that of the next encoding."""
    likely = max((c for n, c in ranked.items() if CHINESE.get(n) == name), default=0.0)
    other = max((c for n, c in ranked.items() if CHINESE.get(n) != name), default=0.0)
    return likely / (likely + other) if likely else 0.0


def _in_big5(sample: bytes) -> bytes:
    """A sample in cp950 without the characters for which chardet would rule Big5 out (C45)."""
    return sample.decode("cp950", "ignore").encode("big5", "ignore")


def _has_neighbours(sample: bytes) -> bool:
    text = sample.decode("cp950", "ignore")
    beside = sum(len(run) for run in BESIDE_ANOTHER.findall(text))
    return beside >= LEAST_NEIGHBOURS * _non_ascii(text)


def _non_ascii(text: str) -> int:
    return sum(not c.isascii() for c in text)


def _unknown(path: Path, sample: bytes, fault: tuple[int, int], kind: str) -> Problem:
    """Why none was taken: the text is damaged, or several encodings fit it."""
    as_utf8 = sample.decode("utf-8", "replace")
    if as_utf8.count("\ufffd") <= MOST_DAMAGE * _non_ascii(as_utf8):
        what = _("UTF-8 but for byte {offset} (0x{byte}), which fits no character of it")
        return misfit(path, fault, what, _("write the character again and save it as UTF-8"))
    damage = first_fault(path, "cp950")
    if damage is not None and _confidence(_ranked(_in_big5(sample)), "cp950") >= LEAST_CONFIDENCE:
        return _foreign(path, damage, kind)
    fits = list(islice(_fitting(path, list(_ranked(sample))), 2))
    if not fits:
        what = _("no encoding that is known fits; not UTF-8 from byte {offset} (0x{byte}) on")
        return misfit(path, fault, what, say_which(kind))
    what = _("not UTF-8 from byte {offset} (0x{byte}) on, and could be {candidates} alike")
    what = what.replace("{candidates}", _(" or ").join(fits))
    return misfit(path, fault, what, say_which(kind, fits[0]))


def _foreign(path: Path, damage: tuple[int, int], kind: str) -> Problem:
    what = _(
        "cp950 (Big5) but for byte {offset} (0x{byte}), which fits no character of it; it may be "
        "a character from Hong Kong, or one that was made on the machine the file is from"
    )
    fix = _("write the character again and save it as UTF-8")
    if reads(path, "big5hkscs"):
        fix = say_which(kind, "big5hkscs")
    return misfit(path, damage, what, fix)


def _fitting(path: Path, ranked: list[str]) -> Iterator[str]:
    """Python's names of the encodings that can read the whole file, the likeliest first."""
    names: dict[str, None] = {}
    for name in [*ranked, "cp950", "gb18030"]:
        try:
            names[codecs.lookup(CHINESE.get(name, name)).name] = None
        except LookupError:  # a few that chardet knows and Python does not
            continue
    return (name for name in names if reads(path, name))
