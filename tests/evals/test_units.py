"""Overlap and repetition are counted in Chinese characters and foreign words."""

import pytest

from foundry.evals.units import units


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\t　", []),
        ("售價，100元。", ["售", "價", "100", "元"]),
        ("ＵＳＢ－Ｃ 接頭", ["usb", "c", "接", "頭"]),
        ("共1,280.5元", ["共", "1,280.5", "元"]),
        ("紅,綠、12,13", ["紅", "綠", "12", "13"]),
        ("don't stop", ["don't", "stop"]),
        ("買iPhone15手機", ["買", "iphone", "15", "手", "機"]),
        ("好👍🏽👍", ["好", "👍", "👍"]),
        ("カタカナと한국", ["カ", "タ", "カ", "ナ", "と", "한", "국"]),
        ("𠮷野家", ["𠮷", "野", "家"]),
        ("!?…——「」", []),
        ("NT$100 + ```x=1```", ["nt", "100", "x", "1"]),
        ("㎡、ⅳ", ["m", "2", "iv"]),
    ],
)
def test_a_unit_is_a_character_of_chinese_or_a_word(text, expected):
    assert units(text) == expected
