"""A number is written as Excel displays it with the format of its cell."""

import pytest

from foundry.data.number_format import displayed


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        (3, "General", "3"),
        (3.0, "General", "3"),
        (0.1 + 0.2, "General", "0.3"),
        (1e20, "General", "1E+20"),
        (-3, "0", "-3"),
        (-0.2, "0", "0"),
        (4595257, "00000000", "04595257"),
        (912345678, "0000-000-000", "0912-345-678"),
        (1200, '"NT$"#,##0', "NT$1,200"),
        (1200.5, "[$NT$-404]#,##0.00", "NT$1,200.50"),
        (1234567890, "#,##0", "1,234,567,890"),
        (12, "000,000", "000,012"),
        (1234567, "#,##0,", "1,235"),
        (-1200, "#,##0_);(#,##0)", "(1,200)"),
        (-5, "#,##0_);[Red](#,##0)", "(5)"),
        (0, '0;-0;"無"', "無"),
        (0, '_-* #,##0_-;-* #,##0_-;_-* "-"_-;_-@_-', "-"),
        (0.15, "0%", "15%"),
        (0.1234, "0.00%", "12.34%"),
        (2.5, "0", "3"),
        (1.005, "0.00", "1.01"),
        (3.1, "0.0#", "3.1"),
        (3, "0.##", "3."),
        (12345.678, "0.00E+00", "1.23E+04"),
        (9.99, "0.0E+0", "1.0E+1"),
        (0.00012, "0.0E-00", "1.2E-04"),
        (5, '0"天;夜"', "5天;夜"),
        (5, r"0\ 元", "5 元"),
        (5, ";;;", ""),
    ],
)
def test_number_is_shown_in_its_format(value, code, text):  # C48
    assert displayed(value, code) == text


@pytest.mark.parametrize("code", ["# ?/?", "[>3]0", "@", "0 dd"])
def test_format_that_is_not_followed_gives_the_number(code):
    assert displayed(4.5, code) == "4.5"
