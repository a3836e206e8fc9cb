"""Answers without a model: what a trained model must beat to be worth its cost.

Both copy an answer from the training rows. If one of them does as well as the model, the test
asks for a look-up, not for a language model.
"""

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from foundry.core.records import Example
from foundry.data.normalising import normalise
from foundry.evals.answers import Answer, Column, Item
from foundry.evals.questions import answer_of, question_of

LONGEST_GRAM = 3
DECIMALS = 12
"""Similarities are rounded before they are compared, so that ties are ties on every machine."""
AT_ONCE = 64
"""Questions whose likeness to every row is held at once: 5 MB for 10,000 rows."""


def most_frequent_answer(train: Sequence[Example], items: Sequence[Item]) -> Column:
    """Say the training answer that occurs most often, to everything; of equals the smallest id's.

    Raises:
        ValueError: `train` is empty.
    """
    counts = Counter(answer_of(example) for example in train)
    first = min(train, key=lambda example: (-counts[answer_of(example)], example.id))
    title = {"en": "Always the commonest answer", "zh-TW": "永遠回最常見的答案"}
    return _column("most-frequent-answer", title, {i.example.id: answer_of(first) for i in items})


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
    nearest = _nearest([_question(row) for row in rows], [_question(i.example) for i in items])
    answers = {i.example.id: answer_of(rows[row]) for i, row in zip(items, nearest, strict=True)}
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


def _nearest(texts: Sequence[str], asked: Sequence[str]) -> list[int]:
    """For each text that is asked the index of the likest of `texts`, the first of equals."""
    import numpy as np
    from scipy import sparse

    grams: dict[str, int] = {}
    counts_RV = _counts(texts, grams, grow=True)
    seen_V = np.bincount(counts_RV.indices, minlength=len(grams))
    idf_V = np.log((1 + len(texts)) / (1 + seen_V)) + 1
    weights_RV = counts_RV @ sparse.diags_array(idf_V)
    norms_R = np.sqrt(weights_RV.multiply(weights_RV).sum(axis=1))
    unit_VR = (sparse.diags_array(1 / np.maximum(norms_R, 1e-300)) @ weights_RV).T.tocsr()
    # The length of what is asked is left out: it is the same for every row.
    asked_QV = _counts(asked, grams, grow=False) @ sparse.diags_array(idf_V)
    found: list[int] = []
    for start in range(0, len(asked), AT_ONCE):
        likeness_QR = (asked_QV[start : start + AT_ONCE] @ unit_VR).toarray()
        found += np.round(likeness_QR, DECIMALS).argmax(axis=1).tolist()
    return found


def _counts(texts: Sequence[str], grams: dict[str, int], *, grow: bool) -> Any:
    """How often each text has each gram, as a sparse float64 matrix of texts by grams.

    `grams` numbers them; a new one gets the next number where `grow`, else it is left out.
    """
    from scipy import sparse

    data, columns, ends = array("d"), array("q"), array("q", [0])
    for text in texts:
        for gram, n in Counter(_grams(text)).items():
            column = grams.setdefault(gram, len(grams)) if grow else grams.get(gram)
            if column is not None:
                data.append(n)
                columns.append(column)
        ends.append(len(data))
    return sparse.csr_array((data, columns, ends), shape=(len(texts), len(grams)))
