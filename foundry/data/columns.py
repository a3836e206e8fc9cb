"""The columns of a few rows, and the names by which formats know them.

A format guesses from names alone where a name says enough, and from what the cells hold where it
does not. It is certain only if no column is left over that might change what is learned: a column
of facts beside a question, for example. Columns that only describe a row are never in the way.
"""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

QUESTION = ("question", "q", "prompt", "query", "問題", "提問", "問", "问题", "提问")
ANSWER = (
    *("answer", "a", "response", "completion", "reply", "output"),
    *("回答", "答案", "答覆", "回覆", "答", "回复"),
)
INSTRUCTION, INPUT = ("instruction", "指令"), ("input", "輸入", "输入")
CONTEXT = (
    *("context", "passage", "background", "reference"),
    *("資料", "背景", "參考資料", "背景資料", "上下文", "資料内容", "背景资料"),
)
TEXT = ("text", "content", "內容", "文字", "文本", "內文", "内容")
LABEL = (
    *("label", "category", "intent", "class", "sentiment"),
    *("類別", "分類", "標籤", "意圖", "情緒", "类别", "分类", "标签"),
)
SYSTEM = ("system", "system_prompt", "系統提示", "系统提示")
CHATS = ("messages", "conversations", "conversation", "dialogue", "dialog", "對話")
OPTIONS = ("options", "choices", "選項", "选项")
KEYS = (*ANSWER, "answerkey", "answer_key", "correct", "正解", "正確答案", "解答", "標準答案")
LETTERED = tuple(  # the column of one option
    f"{front}{letter}"
    for front in ("", "option", "option_", "choice", "choice_", "選項", "选项")
    for letter in "abcdefghij"
)
CHOSEN = ("chosen", "better", "chosen_response", "較好的回答", "較佳回答")
REJECTED = ("rejected", "worse", "rejected_response", "較差的回答", "較差回答")
GOOD_OR_BAD = ("label", "kto_tag")
OUTPUT = (*ANSWER, "輸出", "输出")
HISTORY, TOOLS = ("history",), ("tools", "functions")
ANSWERS, IMPOSSIBLE, PLAUSIBLE = ("answers",), "is_impossible", "plausible_answers"
CLASSIFIED = (
    *(*TEXT, *QUESTION),
    *("sentence", "utterance", "review", "comment", "message", "tweet"),
    *("句子", "評論", "留言", "訊息", "來信"),
)
DOCUMENT = (*TEXT, *INPUT, *QUESTION, "document", "sentence", "文件", "原文", "句子")
RECORD = (*ANSWER, "json", "record", "entities", "fields", "欄位", "結果", "擷取結果")
# Columns that describe a row and are no part of what it says.
METADATA = (
    *("id", "_id", "idx", "index", "no", "no.", "number", "uid", "uuid", "qid", "row_id"),
    *("source", "src", "url", "link", "title", "category", "topic", "subject", "domain"),
    *("tag", "tags", "type", "lang", "language", "date", "time", "timestamp", "created_at"),
    *("updated_at", "author", "licence", "license", "split", "version", "difficulty", "level"),
    *("page", "chapter", "section", "編號", "序號", "號碼", "題號", "來源", "出處", "網址", "連結"),
    *("標題", "類別", "分類", "主題", "領域", "標籤", "語言", "日期", "時間", "作者", "授權"),
    *("版本", "難度", "頁碼", "章節", "编号", "序号", "来源", "标题", "类别", "主题", "日期"),
)
# Every name that some format looks for, and those of metadata.
KNOWN = frozenset(
    (
        *(*QUESTION, *ANSWER, *INSTRUCTION, *INPUT, *CONTEXT, *TEXT, *LABEL, *SYSTEM, *CHATS),
        *(*OPTIONS, *KEYS, *LETTERED, *CHOSEN, *REJECTED, *GOOD_OR_BAD, *OUTPUT, *HISTORY, *TOOLS),
        *(*ANSWERS, IMPOSSIBLE, PLAUSIBLE, *CLASSIFIED, *DOCUMENT, *RECORD, *METADATA),
    )
)


@dataclass(frozen=True)
class Columns:
    """What a few rows of one file have in common; `found` are their names as written, in order."""

    rows: Sequence[Mapping[str, Any]]

    @cached_property
    def found(self) -> tuple[str, ...]:
        """Every column of some row: one that is blank here may be filled further down."""
        return tuple(dict.fromkeys(name for row in self.rows for name in row))

    def most(self, holds: Callable[[Mapping[str, Any]], bool]) -> bool:
        """Whether more than half of the rows are such; a few faulty rows must not hide a format."""
        return sum(holds(row) for row in self.rows) * 2 > len(self.rows)

    def named(self, names: Sequence[str]) -> list[str]:
        """The columns with one of these names, capitals and width apart."""
        return [column for column in self.found if _plain(column) in names]

    def only(self, names: Sequence[str]) -> str | None:
        """The one column with one of these names that most rows have; None if two could be it."""
        present = [c for c in self.named(names) if self.has(c)]
        return present[0] if len(present) == 1 else None

    def has(self, column: str) -> bool:
        """Whether most rows have the column, blank or not."""
        return self.most(lambda row: column in row)

    def unexplained(self, used: Sequence[str | None], but: Sequence[str] = ()) -> list[str]:
        """The columns that are not used and not known to be metadata; `but` are no metadata."""
        known = set(METADATA) - set(but)
        return [c for c in self.found if c not in used and _plain(c) not in known]

    def holds(self, column: str, kinds: type | tuple[type, ...]) -> bool:
        """Whether most cells of the column are of these types."""
        return self.most(lambda row: isinstance(row.get(column), kinds))


def is_known_name(column: str) -> bool:
    """Whether some format or everyone knows a column of this name."""
    return _plain(column) in KNOWN


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip().casefold()
