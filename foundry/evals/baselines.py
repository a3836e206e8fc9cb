"""Answers without a model: what a trained model must beat to be worth its cost.

Both copy an answer from the training rows. If one of them does as well as the model, the test
asks for a look-up, not for a language model.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from foundry.core.records import Example
from foundry.data.normalising import normalise
from foundry.evals.answers import Answer, Column, Item
from foundry.evals.questions import question_of

LONGEST_GRAM = 3
DECIMALS = 12
"""Similarities are rounded before they are compared, so that ties are ties on every machine."""

Postings = Mapping[str, list[tuple[int, float]]]


def most_frequent_answer(train: Sequence[Example], items: Sequence[Item]) -> Column:
    """Say the training answer that occurs most often, to everything; of equals the smallest id's.

    Raises:
        ValueError: `train` is empty.
    """
    counts = Counter(example.answer for example in train)
    first = min(train, key=lambda example: (-counts[example.answer], example.id))
    title = {"en": "Always the commonest answer", "zh-TW": "永遠回最常見的答案"}
    return _column("most-frequent-answer", title, {i.example.id: first.answer for i in items})


def nearest_question(train: Sequence[Example], items: Sequence[Item]) -> Column:
    """Say the answer of the training question most like this one; of equals the smallest id's.

    Likeness is the cosine of TF-IDF vectors over runs of 1 to 3 characters of the question alone,
    because a context would make every question about one product alike.

    Raises:
        ValueError: `train` is empty.

    Source: Manning et al. (2008), "Introduction to Information Retrieval", section 6.3; the
    smoothed idf ln((1 + N) / (1 + df)) + 1 is scikit-learn's.
    """
    if not train:
        raise ValueError("no training rows")
    rows = sorted(train, key=lambda example: example.id)
    weights, postings = _index([_question(example) for example in rows])
    answers = {
        item.example.id: rows[_nearest(_question(item.example), weights, postings)].answer
        for item in items
    }
    title = {"en": "The nearest trained question's answer", "zh-TW": "抄最像的訓練題的答案"}
    return _column("nearest-question", title, answers)


def _column(name: str, title: Mapping[str, str], texts: Mapping[str, str]) -> Column:
    answers = {key: Answer(key, text, tokens=0, stopped=True) for key, text in texts.items()}
    return Column(name, title, settings={}, answers=answers, seconds=None)


def _question(example: Example) -> str:
    return normalise(question_of(example).text)


def _grams(text: str) -> Iterator[str]:
    for length in range(1, LONGEST_GRAM + 1):
        yield from (text[i : i + length] for i in range(len(text) - length + 1))


def _index(texts: Sequence[str]) -> tuple[Mapping[str, float], Postings]:
    """The idf of each gram, and for each gram the rows that have it with their unit weights."""
    counts = [Counter(_grams(text)) for text in texts]
    frequency = Counter(gram for count in counts for gram in count)
    idf = {gram: math.log((1 + len(texts)) / (1 + df)) + 1 for gram, df in frequency.items()}
    postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for row, count in enumerate(counts):
        norm = math.sqrt(sum((n * idf[gram]) ** 2 for gram, n in count.items()))
        for gram, n in count.items():
            postings[gram].append((row, n * idf[gram] / norm))
    return idf, postings


def _nearest(text: str, idf: Mapping[str, float], postings: Postings) -> int:
    """Index of the likest row; the query's length is left out, being the same for every row."""
    likeness: defaultdict[int, float] = defaultdict(float)
    for gram, n in Counter(_grams(text)).items():
        for row, weight in postings.get(gram, ()):
            likeness[row] += n * idf[gram] * weight
    return min(likeness, key=lambda row: (-round(likeness[row], DECIMALS), row), default=0)
