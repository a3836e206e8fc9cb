"""Texts by which two tokenizers show that they are not the same.

A model must read a text as it was taught to, in every program. Tokenizers that differ in one rule
agree on nearly all plain sentences; each of these holds something on which known ones differ:
how many digits are one token and what stands before them, contractions, line ends in a row, what
a space belongs to, capital letters inside a word, full-width characters, emoji.
"""

TEXTS = (
    "請問電風扇保固多久？",
    "這款除濕機的售價是 12,800 元，含運費嗎？",
    "Hello, when do you open on Saturday?",
    "The quick brown fox jumps over 13 lazy dogs.",
    "謝謝👍🏽，全家福👨‍👩‍👧‍👦也很喜歡！",
    "恒春的裏面，粧，嫺，碁，許功蓋，€",
    "  前後有空白  \n\n換行　全形空白",
    "0912-345-678／統一編號 04595257",
    "1 + 1 = 2; f(x) = x^2 - 3x",
    "ㄅㄆㄇㄈ 台語：食飽未？ 日本語：こんにちは",
    "步驟：\n\n1. 關機\n\n2. 拔插頭\n  3) 等 10 分鐘\r\n\r\n完成",
    "共  3 件,   45 元\t67\n 8",
    "It's 9 o'clock; WE'RE open, they'd say. I'LL wait…",
    "def f(x):\n    if x:\n\t\treturn x  # 20 % \n\n\nclass HTMLPage2: pass\n",
    "iPhone15Pro_v2.1 https://example.com/a?b=1&c=%20#d",
    "ＡＢＣ１２３，①②③ ½ x² Ⅳ ñ 한국어 ไทย عربي",
    "   ",
    "\n\n\n",
)
# A space after a control token belongs to the word for some, and is made for others.
AFTER_AN_END = ("word", " word", "\n電風扇", "\n\n1. a")
