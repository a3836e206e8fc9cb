"""The one form in which texts are compared: NFKC, casefolded, without spaces, commas and 、."""

import re
import unicodedata

# Signs that Unicode calls punctuation and that change what stands before them: 3%, C#, AA-.
MEANT = frozenset("%‰‱#&@*/-_")
SEPARATORS = re.compile(r"[\s,、]+")


def fold(text: str) -> str:
    """Full-width, half-width and case variants made one; everything else as it stands.

    NFKC again after casefolding because folding can undo it (Unicode 16, section 3.13.5).
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def normalise(text: str) -> str:
    """`text` folded and without white space, commas (`,` `，`) and `、`."""
    return SEPARATORS.sub("", fold(text))


def without_end_marks(text: str) -> str:
    """`text` without the punctuation it ends with, but for signs that mean something there."""
    end = len(text)
    while end and _ends(text[end - 1]):
        end -= 1
    return text[:end]


def _ends(sign: str) -> bool:
    return unicodedata.category(sign).startswith("P") and sign not in MEANT


def bare(text: str) -> str:
    """`text` normalised and without end marks: equal answers differ in nothing else.

    As SQuAD compares for English: Rajpurkar et al. (2016), section 6.1, arXiv 1606.05250.
    """
    return without_end_marks(normalise(text))
