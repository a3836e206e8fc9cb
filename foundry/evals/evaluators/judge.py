"""Evaluator `judge`: another language model compares the tuned model's answers with the base's.

Any OpenAI-compatible endpoint will do. Nothing is sent anywhere unless a recipe has this block;
then the questions, their facts, the reference answers and both answers are sent to `base_url`.
Every pair is judged in both orders (`foundry.evals.judgement`), every verdict is kept, so that a
run that broke off goes on. Counted beside the preference are how often the order decided, how often
no verdict was found, and how often people agree where rows bring pairs that people judged.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from foundry.core.fields import Closed, Many, Number, Refused
from foundry.core.language import gettext as _
from foundry.evals.answers import Answer, Item
from foundry.evals.companions import Companion, PooledCompanion, Sums, Table, Text, share
from foundry.evals.judgement import WORTH

if TYPE_CHECKING:
    from foundry.evals.companions import Array

version = 2
GRADED = True
TITLE = {"en": "Preferred by the judge", "zh-TW": "評審模型偏好"}
EXPLAIN = {
    "en": "Another language model preferred this answer to the other one in both orders (1), the "
    "other one (0), or neither (one half). Judges err; look at the agreement with people.",
    "zh-TW": "另一個語言模型把兩個答案前後對調各看一次：兩次都選這個得 1，都選另一個得 0，"
    "其餘得一半。評審模型會看錯，請對照它和真人的一致程度。",
}
OF_MODELS = True
OF_PAIRS = True
OUTCOMES: dict[str, Text] = {
    "win": {"en": "first better", "zh-TW": "第一個較好"},
    "tie": {"en": "level", "zh-TW": "不分上下"},
    "loss": {"en": "second better", "zh-TW": "第二個較好"},
}


class People(Closed):
    """Pairs of answers that people have judged, in columns of the test rows."""

    first: str = Field(min_length=1, description="Column of one answer.")
    second: str = Field(min_length=1, description="Column of the other answer.")
    better: str = Field(
        min_length=1, description="Column that says which is better: `first`, `second` or `tie`."
    )


class Spec(Closed):
    """Who judges, what, and what people said."""

    base_url: str = Field(
        pattern=r"^https?://\S+$",
        description="Address of an OpenAI-compatible endpoint, such as `http://localhost:8000/v1`. "
        "Questions and answers are sent there.",
    )
    model: str = Field(min_length=1, description="The judge's name at the endpoint.")
    key_env: str | None = Field(
        None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="Environment variable that holds the key; the key itself stands nowhere.",
    )
    parts: Many[str] | None = Field(
        None, description="Names of the test parts to judge; all of them where absent."
    )
    items: int = Field(
        200, ge=1, le=100_000, description="Most questions to judge, drawn by their hash."
    )
    criteria: str | None = Field(
        None, min_length=1, description="What else the judge is to look at, in a sentence."
    )
    people: People | None = Field(
        None, description="Columns with pairs that people judged, to measure the judge by."
    )
    temperature: Number | None = Field(
        0.0, ge=0, le=2, description="Sent with every request; null for endpoints that refuse it."
    )
    parallel: int = Field(4, ge=1, le=64, description="Requests at once.")

    @model_validator(mode="after")
    def _holds_no_secret(self) -> Self:
        address = urlsplit(self.base_url)
        if address.username or address.password or address.query:
            what = _("the address holds a user name, a password or a query")
            raise Refused(
                what, _("put the key in an environment variable and name it in `key_env`")
            )
        return self


def score(item: Item, answer: Answer, spec: Spec) -> float | None:
    """1.0, 0.5 or 0.0; None where the answer was not judged or a verdict is missing."""
    judged = answer.judgement
    return None if judged is None or judged.outcome is None else WORTH[judged.outcome]


def tables(items: Sequence[Item], answers: Sequence[Answer], spec: Spec) -> Iterator[Table]:
    """What the judge and people said of the same pairs."""
    judged = [answer.judgement for answer in answers if answer.judgement is not None]
    pairs = [(one.people, one.as_people) for one in judged if one.people and one.as_people]
    if not pairs:
        return
    counts = Counter(pairs)
    agreed, kappa = agreement(pairs)
    yield Table(
        name="agreement",
        title={"en": "The judge and people", "zh-TW": "評審模型與真人"},
        explain={
            "en": f"Of {len(pairs)} pairs that people judged, the judge agreed on {agreed:.0%}; "
            f"Cohen's kappa {kappa:.2f} (1 is perfect, 0 is chance).",
            "zh-TW": f"真人評過的 {len(pairs)} 對答案裡，評審模型同意 {agreed:.0%}；"
            f"Cohen's kappa 為 {kappa:.2f}（1 是完全一致，0 是碰運氣）。",
        },
        columns=({"en": "people say", "zh-TW": "真人認為"}, *OUTCOMES.values()),
        rows=tuple(
            (title, *(counts[people, judge] for judge in OUTCOMES))
            for people, title in OUTCOMES.items()
        ),
    )


def agreement(pairs: Sequence[tuple[str, str]]) -> tuple[float, float]:
    """The share of pairs on which two agree, and Cohen's kappa.

    Kappa is (p - e) / (1 - e), with p the share and e the share that would agree by chance; 0
    where both always say the same one thing, since that shows no skill.

    Source: Cohen (1960), "A coefficient of agreement for nominal scales".
    """
    n = len(pairs)
    observed = sum(a == b for a, b in pairs) / n
    ours, theirs = Counter(a for a, _b in pairs), Counter(b for _a, b in pairs)
    chance = sum(ours[key] * theirs[key] for key in ours) / n**2
    return observed, 0.0 if chance == 1 else (observed - chance) / (1 - chance)


def _consistent(item: Item, answer: Answer, spec: Spec) -> float | None:
    judged = answer.judgement
    return None if judged is None or judged.is_consistent is None else float(judged.is_consistent)


def _found(item: Item, answer: Answer, spec: Spec) -> float | None:
    """Whether both verdicts were found."""
    return None if answer.judgement is None else float(answer.judgement.outcome is not None)


def _agrees(item: Item, answer: Answer, spec: Spec) -> float | None:
    judged = answer.judgement
    if judged is None or judged.people is None or judged.as_people is None:
        return None
    return float(judged.people == judged.as_people)


def _firsts(item: Item, answer: Answer, spec: Spec) -> dict[str, float] | None:
    """Verdicts for whichever answer was shown first, and for whichever was shown second."""
    judged = answer.judgement
    if judged is None or judged.outcome is None:
        return None
    said = judged.shown_first, judged.shown_second
    first = (said[0] == "win") + (said[1] == "loss")
    return {"first": first, "second": (said[0] == "loss") + (said[1] == "win")}


def _order_bias(sums: Sums) -> "Array":
    """|first - second| / (first + second); 0 where neither was chosen."""
    import numpy as np

    first, second = sums.get("first", 0.0), sums.get("second", 0.0)
    return np.abs(share(first - second, first + second))


COMPANIONS = (
    Companion(
        "judge-consistency",
        {"en": "Same verdict in both orders", "zh-TW": "前後對調仍同樣判定"},
        {
            "en": "The judge said the same of a pair when the two answers changed places.",
            "zh-TW": "兩個答案前後對調，評審模型的判定不變。",
        },
        _consistent,
    ),
    PooledCompanion(
        "judge-first",
        {"en": "Swayed by the order", "zh-TW": "受先後順序影響"},
        {
            "en": "Of the verdicts for one of the two, by how much the share for the answer shown "
            "first and that for the second differ: 0 where the order does not matter, 1 where the "
            "judge always takes the first, or always the second.",
            "zh-TW": "分出高下的判定裡，選先看到那個與選後看到那個的比例相差多少："
            "順序沒有影響時是 0，每次都選第一個（或每次都選第二個）時是 1。",
        },
        _firsts,
        _order_bias,
        lower_is_better=True,
    ),
    Companion(
        "judge-found",
        {"en": "A verdict was found", "zh-TW": "看得出判定"},
        {
            "en": "Both of the judge's answers end in a verdict; where one does not, the pair is "
            "not scored.",
            "zh-TW": "評審模型的兩次回答都寫出判定；缺一次，這一對就不計分。",
        },
        _found,
    ),
    Companion(
        "judge-agreement",
        {"en": "Agrees with people", "zh-TW": "與真人一致"},
        {
            "en": "The judge said the same as people of a pair of answers that the row brings.",
            "zh-TW": "資料列附的一對答案，評審模型的判定與真人相同。",
        },
        _agrees,
    ),
)
