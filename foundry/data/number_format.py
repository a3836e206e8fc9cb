"""A number as its cell in a spreadsheet displays it (cases.md C48): 3, 04595257, NT$1,200, 15%.

Without a format of its own a number has up to 15 digits, which is what Excel keeps, and no point
if it is whole. A format that is not followed here (fractions, conditions, unknown letters) gives
the number so too. Signs for width and colour say nothing and are left out.

Source: ECMA-376-1:2016, 18.8.31 (numFmts).
"""

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache

DIGITS = "0#?"
LONGEST_CODE = 255  # characters; Excel takes no longer one
# Python reads whole numbers of up to 4,300 digits; a code shifts and rounds by fewer than 1,000.
EXACT = Context(prec=6000, rounding=ROUND_HALF_UP)
TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|[_*](?P<width>.)|\[\$(?P<currency>[^\]-]*)[^\]]*\]'
    r"|(?P<colour>\[(?:Black|Blue|Cyan|Green|Magenta|Red|White|Yellow|Color ?\d+)\])"
    r"|(?P<digit>[0#?])|(?P<point>\.)|(?P<comma>,)|(?P<percent>%)|(?P<exponent>E[+-])"
    r"|(?P<literal>[-$+():!^&'~{}<>= ]|[^\x00-\x7f])|(?P<general>General)|(?P<next>;)|(?P<other>.)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class Section:
    """What stands between two `;` of a format: placeholders of `0#?`, and text marked with `=`."""

    before: tuple[str, ...]  # the point
    after: tuple[str, ...]
    has_point: bool
    grouped: bool  # by thousands
    shift: int  # powers of ten: 2 for each %, -3 for each comma behind the last digit
    exponent: str  # `E+` or `E-` where there is one; its digits are in `after` behind `E`


def displayed(value: int | float, code: str) -> str:
    """The text of a number in a cell with the format `code`."""
    sections = _sections(code)
    chosen = sections[1 if value < 0 and len(sections) > 1 else 0]
    if value == 0 and len(sections) > 2:
        chosen = sections[2]
    number = Decimal(repr(value))
    if chosen is None or not number.is_finite():
        return general(value)
    text, is_zero = _filled(number.copy_abs(), chosen)
    return f"-{text}" if value < 0 and len(sections) == 1 and not is_zero else text


def general(value: int | float) -> str:
    """A number without a format: as it is if whole, else up to 15 digits."""
    return str(value) if isinstance(value, int) else f"{value:.15g}".upper()


@lru_cache(maxsize=256)
def _sections(code: str) -> tuple[Section | None, ...]:
    """The sections for positive numbers, negative ones and zero; None for one not followed."""
    if len(code) > LONGEST_CODE:
        return (None,)
    texts: list[list[re.Match[str]]] = [[]]
    for token in TOKEN.finditer(code):
        if token.lastgroup == "next":
            texts.append([])
        else:
            texts[-1].append(token)
    return tuple(_section(tokens) for tokens in texts[:3])


def _section(tokens: list[re.Match[str]]) -> Section | None:
    before: list[str] = []
    after: list[str] = []
    parts = before
    shift = commas = 0
    grouped, exponent = False, ""
    for token in tokens:
        kind, text = token.lastgroup, token[token.lastgroup or 0]
        if kind in ("general", "other"):
            return None
        if kind == "digit":
            grouped, commas = grouped or commas > 0, 0
            parts.append(text)
        elif kind == "comma":
            commas += any(part in DIGITS for part in parts)
        elif kind == "point":
            parts = after
        elif kind == "exponent":
            parts, exponent = after, text.upper()
            parts.append("E")
        elif kind not in ("width", "colour"):
            shift += 2 * (kind == "percent")
            parts.append(f"={text}")
    return Section(
        tuple(before), tuple(after), parts is after, grouped, shift - 3 * commas, exponent
    )


def _filled(number: Decimal, section: Section) -> tuple[str, bool]:
    """The text of a number that is not negative, and whether it shows as zero."""
    mantissa = section.after[: section.after.index("E")] if section.exponent else section.after
    decimals = sum(part in DIGITS for part in mantissa)
    number = number.scaleb(section.shift, EXACT)
    power = number.adjusted() if section.exponent and number else 0
    number = _rounded(number.scaleb(-power, EXACT), decimals)
    if section.exponent and number >= 10:
        number, power = _rounded(number.scaleb(-1, EXACT), decimals), power + 1
    whole, _point, fraction = f"{number:f}".partition(".")
    text = _whole(whole.lstrip("0"), section) + ("." if section.has_point else "")
    text += _fraction(fraction, mantissa)
    return text + _power(power, section), not number


def _rounded(number: Decimal, decimals: int) -> Decimal:
    return number.quantize(Decimal(1).scaleb(-decimals), context=EXACT)


def _whole(digits: str, section: Section) -> str:
    """The part before the point, its digits put in from the right."""
    least = section.before.count("0")
    digits = digits.zfill(least)
    if section.grouped:
        digits = "".join(
            digit + ("," if left % 3 == 0 and left else "")
            for digit, left in zip(digits, range(len(digits) - 1, -1, -1), strict=True)
        )
    slots = sum(part in DIGITS for part in section.before)
    filled: list[str] = []
    for part in reversed(section.before):
        if part.startswith("="):
            filled.append(part[1:])
            continue
        slots -= 1
        taken = digits if section.grouped or not slots else digits[-1:]
        digits = digits[: len(digits) - len(taken)]
        filled.append(taken)
    return "".join(reversed(filled))


def _fraction(digits: str, parts: tuple[str, ...]) -> str:
    """The part behind the point; zeros at the end stay only where the format has `0`."""
    shown: list[str] = []
    left = iter(digits)
    for part in parts:
        shown.append(part[1:] if part.startswith("=") else next(left))
    for at in range(len(parts) - 1, -1, -1):
        if parts[at] in "#?" and shown[at] == "0":
            shown[at] = ""
        elif parts[at] in DIGITS:
            break
    return "".join(shown)


def _power(power: int, section: Section) -> str:
    """The exponent and what stands behind it; nothing where there is none."""
    if not section.exponent:
        return ""
    behind = section.after[section.after.index("E") + 1 :]
    digits = str(abs(power)).zfill(sum(part in DIGITS for part in behind))
    sign = "-" if power < 0 else "+" if section.exponent == "E+" else ""
    return f"E{sign}{digits}" + "".join(part[1:] for part in behind if part.startswith("="))
