"""Source `squad`: a document of passages with questions, as SQuAD and DRCD; a row a question.

`{"data": [{"title", "paragraphs": [{"context", "qas": [{"id", "question", "answers"}]}]}]}` gives
rows of id, title, context, question and answers, a list of texts; what else a question has, such
as `is_impossible`, is kept as it is. A row's line is where its question begins.

Source: Rajpurkar et al. (2016, 2018), https://rajpurkar.github.io/SQuAD-explorer/; Shao et al.
(2018), "DRCD", https://github.com/DRCKnowledgeTeam/DRCD.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from foundry.core.errors import DataError
from foundry.core.language import gettext as _
from foundry.data import encoding
from foundry.data.json_stream import JsonStream
from foundry.data.rows import Item, Row

SUFFIXES = ()
DATA, PARAGRAPHS, CONTEXT, QUESTIONS = "data", "paragraphs", "context", "qas"
ANSWERS = ("answers", "plausible_answers")


class Spec(encoding.TextSpec):
    """Which encoding; the shape is given."""


def open(path: Path, spec: Spec) -> Iterator[Item]:
    """The questions of the document in order; an article at a time is in memory.

    Raises:
        DataError: Not JSON, or not of this shape; names the place.
    """
    codec = encoding.decide(path, spec, "squad").name
    with encoding.open_text(path, codec) as text:
        stream = JsonStream(path, text)
        found = False
        for key in stream.members(unique=True):
            if key != DATA:
                stream.value()
                continue
            found = True
            for _element in stream.elements():
                yield from _article(stream)
        if stream.peek():
            stream.refuse(_("more text after the end of the document"))
        if not found:
            stream.refuse(_("the document has no key `{key}`").format(key=DATA))


def describe(path: Path, spec: Spec) -> str:
    """How the bytes are read: the encoding."""
    return str(encoding.decide(path, spec, "squad"))


def is_squad(path: Path) -> bool:
    """Whether a JSON file is such a document; only its first article is looked at."""
    codec = encoding.decide(path, Spec(), "json").name
    with encoding.open_text(path, codec) as text:
        stream = JsonStream(path, text)
        try:
            for key in stream.members():
                if key != DATA:
                    stream.value()
                    continue
                article = next((stream.value()[0] for _element in stream.elements()), None)
                return isinstance(article, dict) and isinstance(article.get(PARAGRAPHS), list)
        except DataError:  # told by whoever reads it as JSON
            return False
    return False


def _article(stream: JsonStream) -> Iterator[Item]:
    """The rows of an article; its title may stand behind its paragraphs."""
    found: list[Item] = []
    title = None
    for key in stream.members(unique=True):
        if key == PARAGRAPHS:
            for _element in stream.elements():
                found += _paragraph(stream)
        else:
            value, _line = stream.value()
            title = value if key == "title" else title
    for item in found:
        yield Row(item.line, {"title": title, **item.values}) if isinstance(item, Row) else item


def _paragraph(stream: JsonStream) -> list[Item]:
    questions: list[Item] = []
    context = None
    for key in stream.members(unique=True):
        if key == QUESTIONS:
            for _element in stream.elements():
                value, line = stream.value()
                questions.append(stream.decoder.item(value, line))
        else:
            value, _line = stream.value()
            context = value if key == CONTEXT else context
    return [
        Row(item.line, {CONTEXT: context, **_with_texts(item.values)})
        if isinstance(item, Row)
        else item
        for item in questions
    ]


def _with_texts(question: Mapping[str, Any]) -> dict[str, Any]:
    """The question with its answers as texts; what has no text stays, for the format to refuse."""
    texts = {
        key: [a["text"] if isinstance(a, dict) and "text" in a else a for a in question[key]]
        for key in ANSWERS
        if isinstance(question.get(key), list)
    }
    return {**question, **texts}
