"""Format `multiple-choice`: a question with lettered options, and the letter of the right one.

The prompt is the question and, each on a line of its own, `A. …`, `B. …`. A wrong answer key
refuses the row: one that names no option, or that can be read in two ways.

Source of the layout: Hendrycks et al. (2021), MMLU, https://github.com/hendrycks/test.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Annotated, Any, Literal

from pydantic import Field

from foundry.core.fields import Closed, Many
from foundry.core.language import gettext as _
from foundry.core.records import Turn
from foundry.data.columns import CONTEXT, KEYS, LETTERED, OPTIONS, QUESTION, Columns
from foundry.data.draft import Draft
from foundry.data.options import Option, read_options
from foundry.data.rows import RowError, as_text, is_blank, text_of

LETTER = re.compile(r"\(?([A-Za-z])[).、:]?")  # B, (B), B. and the like

Column = Annotated[str, Field(min_length=1)]


class Spec(Closed):
    """Which columns hold what, and what the answer says."""

    question: Column = Field("question", description="Column with the question.")
    options: Column | Many[Column] = Field(
        "options",
        description="Column with the list of options, or a list of columns with one each.",
    )
    answer: Column = Field(
        "answer", description="Column with the right option: its letter, its number or its text."
    )
    first: Literal[0, 1] | None = Field(
        None,
        description="The number of the first option where `answer` is a number; without it a "
        "number is refused, since 1 may be the first option or the second.",
    )
    context: Column | None = Field(None, description="Column with facts put before the question.")
    reply: Literal["letter", "letter-and-text", "text"] = Field(
        "letter", description="What is learned: `B`, `B. 臺北` or `臺北`."
    )


def columns(spec: Spec) -> tuple[str, ...]:
    """The columns that the data must have; of several option columns the first two."""
    options = (spec.options,) if isinstance(spec.options, str) else spec.options[:2]
    wanted = (spec.question, *options, spec.answer, spec.context)
    return tuple(name for name in wanted if name is not None)


def guess(sample: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Certain if most rows have a question, options and an answer that is one of them."""
    columns = Columns(sample)
    lettered = columns.named(LETTERED)
    listed = columns.named(OPTIONS)
    question, contexts = columns.only(QUESTION), columns.named(CONTEXT)
    keys = [name for name in columns.named(KEYS) if name not in lettered]
    options = lettered if len(lettered) > 1 else listed[0] if len(listed) == 1 else None
    if question is None or options is None or len(keys) != 1 or len(contexts) > 1:
        return None
    if columns.unexplained([question, *lettered, *listed, *keys, *contexts]):
        return None
    context = {"context": contexts[0]} if contexts else {}
    values = {"question": question, "options": options, "answer": keys[0], **context}
    fitting = [given for given in ({}, {"first": 0}, {"first": 1}) if _fits(sample, values | given)]
    return values | fitting[0] if fitting[:1] == [{}] or len(fitting) == 1 else None


def to_draft(row: Mapping[str, Any], spec: Spec) -> Draft:
    """The question with its options, and the right one as `reply` says.

    Raises:
        RowError: A column is missing, there are fewer than two options, or the key is wrong.
    """
    question = text_of(row, spec.question)
    options = read_options(row, spec.options)
    right = _right(text_of(row, spec.answer), options, spec)
    context = "" if spec.context is None else as_text(row.get(spec.context), spec.context)
    lines = [
        f"{letter}. {option.text}" for letter, option in zip(ascii_uppercase, options, strict=False)
    ]
    asked = "" if is_blank(question) else "\n".join([question, *lines])
    asked = asked if is_blank(context) or not asked else f"{context}\n\n{asked}"
    replies = {
        "letter": ascii_uppercase[right],
        "letter-and-text": lines[right],
        "text": options[right].text,
    }
    return Draft((Turn("user", asked), Turn("assistant", replies[spec.reply])))


def _fits(sample: Sequence[Mapping[str, Any]], values: Mapping[str, Any]) -> bool:
    """Whether most rows can be read so, and none has a number that names no option."""
    spec, used = Spec.model_validate(values), 0
    for row in sample:
        try:
            to_draft(row, spec)
        except RowError as error:
            if spec.first is not None and error.code == "answer-key":
                return False
            continue
        used += 1
    return used * 2 > len(sample)


def _right(key: str, options: Sequence[Option], spec: Spec) -> int:
    """Which option the key names, counted from 0.

    Raises:
        RowError: None, or more than one.
    """
    key = key.strip()
    named = _named(key, options, spec.first)
    if len(named) == 1:
        return named.pop()
    if not key:
        what = _("no answer is marked (field `{field}`)").format(field=spec.answer)
    elif not named and spec.first is None and key.isdecimal():
        what = _("the answer is the number {key}; say with `first` what the first option's is")
        what = what.format(key=key)
    else:
        what = _("the answer `{key}` names {n} of {total} options, expected one")
        what = what.format(key=key, n=len(named), total=len(options))
    raise RowError("answer-key", what)


def _named(key: str, options: Sequence[Option], first: int | None) -> set[int]:
    """The options that a key may mean: by number, by the file's own name, by text, by letter."""
    places = set(range(len(options)))
    if first is not None and key.isdecimal():
        return {int(key) - first} & places
    named = {n for n, o in enumerate(options) if key and key in (o.text.strip(), o.label)}
    letter = LETTER.fullmatch(unicodedata.normalize("NFKC", key))
    if letter and not any(option.label for option in options):
        named |= {ascii_uppercase.index(letter[1].upper())} & places
    return named
