"""Where a text is cut."""

import pytest

from foundry.runtime.contract import cut


@pytest.mark.parametrize(
    ("text", "stops", "expected"),
    [
        ("三百元\n問題", ("\n",), ("三百元", True)),
        ("ab<end>cd\n", ("\n", "<end>"), ("ab", True)),  # the first in the text, not in the list
        ("abc", ("\n",), ("abc", False)),
        ("abc\n", (), ("abc\n", False)),
        ("\nabc", ("\n",), ("", True)),
    ],
)
def test_text_ends_before_the_first_stop(text: str, stops: tuple[str, ...], expected):
    assert cut(text, stops) == expected
