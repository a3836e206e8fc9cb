"""What the numbers say, as sentences in every language of a report at once.

A report is read by people of both languages, so its sentences do not go through gettext, which
knows one language at a time.
"""

from collections.abc import Mapping

LANGUAGES = ("zh-TW", "en")

Text = Mapping[str, str]

VERDICTS: Mapping[str, Text] = {
    "BETTER": {"zh-TW": "較好", "en": "better"},
    "WORSE": {"zh-TW": "較差", "en": "worse"},
    "NO DIFFERENCE": {"zh-TW": "看不出差別", "en": "no difference found"},
    "NOT ENOUGH DATA": {"zh-TW": "資料太少，不下結論", "en": "not enough data to say"},
}
ALL_PARTS: Text = {"zh-TW": "全部題目", "en": "all parts"}
SENTENCES: Mapping[str, Text] = {
    "headline-count": {
        "zh-TW": "訓練後，「{part}」{n} 題中「{metric}」的有 {tuned} 題；"
        "訓練前（{base}）有 {before} 題。",
        "en": "{part}, “{metric}”: {tuned} of {n} after training, {before} of {n} before ({base}).",
    },
    "headline-mean": {
        "zh-TW": "訓練後，「{part}」{n} 題的「{metric}」平均 {tuned} 分；"
        "訓練前（{base}）{before} 分。",
        "en": "{part}, “{metric}”: {tuned} out of 100 after training, {before} before ({base}), "
        "of {n} questions.",
    },
    "headline-alone": {
        "zh-TW": "訓練後，「{part}」的「{metric}」是 {tuned} 分（滿分 100，共 {n} 題；"
        "95% 信賴區間 {low} 到 {high}）。",
        "en": "{part}, “{metric}”: {tuned} out of 100 after training ({n} questions; 95% interval "
        "{low} to {high}).",
    },
    "BETTER": {
        "zh-TW": "進步 {size} 個百分點，不是碰巧（95% 信賴區間 {low} 到 {high}）。",
        "en": "An improvement of {size} points that chance does not explain "
        "(95% interval {low} to {high}).",
    },
    "WORSE": {
        "zh-TW": "退步 {size} 個百分點，不是碰巧（95% 信賴區間 {low} 到 {high}）。",
        "en": "A loss of {size} points that chance does not explain "
        "(95% interval {low} to {high}).",
    },
    "NO DIFFERENCE": {
        "zh-TW": "看不出差別：{signed} 個百分點可能只是碰巧（95% 信賴區間 {low} 到 {high}）。",
        "en": "No difference found: {signed} points may be chance (95% interval {low} to {high}).",
    },
    "NOT ENOUGH DATA": {
        "zh-TW": "只有 {groups} 組題目，太少：再大的差別也看不出來，不下結論。",
        "en": "Only {groups} groups of questions: too few to show any difference.",
    },
    "detectable": {
        "zh-TW": "這些題目要差到約 {detectable} 個百分點才多半看得出來。",
        "en": "A true difference of about {detectable} points would most likely have shown.",
    },
    "one-of-many": {
        "zh-TW": "單獨看像是有差，但這裡一共比了 {count} 項，碰巧出現這樣的一項並不奇怪。",
        "en": "Alone it would count, but {count} comparisons were made, and one like it may come "
        "by chance.",
    },
    "no-difference-at-all": {
        "zh-TW": "平均得分相同：看不出差別。",
        "en": "The same score on average: no difference found.",
    },
    "peer": {
        "zh-TW": "「{part}」的「{metric}」：{column} {found} 分（滿分 100，共 {n} 題；"
        "95% 信賴區間 {low} 到 {high}）。",
        "en": "{part}, “{metric}”: {column} {found} out of 100 ({n} questions; 95% interval {low} "
        "to {high}).",
    },
    "peer-against": {"zh-TW": "與 {other} 相比：", "en": "Against {other}:"},
    "peer-higher": {
        "zh-TW": "高 {size} 個百分點，不是碰巧（95% 信賴區間 {low} 到 {high}）。",
        "en": "{size} points higher, which chance does not explain (95% interval {low} to {high}).",
    },
    "peer-lower": {
        "zh-TW": "低 {size} 個百分點，不是碰巧（95% 信賴區間 {low} 到 {high}）。",
        "en": "{size} points lower, which chance does not explain (95% interval {low} to {high}).",
    },
    "wrongly-declined": {
        "zh-TW": "該回答的 {n} 題裡，有 {count} 題被誤拒。",
        "en": "Of {n} questions it should answer, it declined {count}.",
    },
    "not-beaten": {
        "zh-TW": "注意：「{part}」不用模型、只靠「{column}」就有 {naive} 分，"
        "訓練後的 {tuned} 分沒有明顯勝過它。",
        "en": "Caution, {part}: without any model, “{column}” scores {naive}; "
        "the {tuned} after training is not clearly better.",
    },
    "delivered": {
        "zh-TW": "交付的檔案（{column}）{n} 題裡有 {same} 題和訓練後的模型答得一字不差。",
        "en": "The file handed over ({column}) gave the trained model's words on {same} of {n} "
        "questions.",
    },
    "no-test-part": {
        "zh-TW": "沒有量任何成績：配方沒有留下測試用的資料。加上 `data.split` 或 `data.tests`，"
        "再加上 `evals`，才量得到。",
        "en": "Nothing was measured: the recipe keeps no rows for testing. Add `data.split` or "
        "`data.tests`, and `evals`.",
    },
    "no-evals": {
        "zh-TW": "沒有量任何成績：配方沒有說要量什麼。加上 `evals` 才量得到。",
        "en": "Nothing was measured: the recipe does not say what to measure. Add `evals`.",
    },
    "contaminated": {
        "zh-TW": "注意：「{part}」有 {n} 題和訓練資料重疊。算進這些題目，「{metric}」的結論是"
        "「{verdict}」；不算，則是「{without}」。",
        "en": "Caution, {part}: {n} questions overlap with the training rows. With them the "
        "verdict on “{metric}” is “{verdict}”, without them “{without}”.",
    },
    "learned": {
        "zh-TW": "注意：「{part}」有 {n} 題和某個模型的訓練資料重疊。去掉這些題目以後的得分，"
        "列在「和訓練資料重疊的題目」那一段。",
        "en": "Caution, {part}: {n} questions overlap with what one of the models was trained on. "
        "The scores without them are under “Questions that training rows hold too”.",
    },
    "gate-min": {
        "zh-TW": "「{part}」的「{metric}」至少要 {needed}；{column}是 {found}。",
        "en": "{metric}, {part}: at least {needed} is required; {column}: {found}.",
    },
    "gate-max": {
        "zh-TW": "「{part}」的「{metric}」最多只能 {needed}；{column}是 {found}。",
        "en": "{metric}, {part}: at most {needed} is allowed; {column}: {found}.",
    },
    "gate-min_gain": {
        "zh-TW": "「{part}」的「{metric}」要比訓練前最好的成績多至少 {needed} 個百分點，"
        "而且不是碰巧；{column}多了 {found}（95% 信賴區間 {low} 到 {high}）。",
        "en": "{metric}, {part}: a gain of at least {needed} points over the better base is "
        "required, and more than chance; {column}: {found} (95% interval {low} to {high}).",
    },
    "gate-max_drop_pp": {
        "zh-TW": "「{part}」的「{metric}」最多只能比訓練前最好的成績少 {needed} 個百分點；"
        "{column}的差是 {found}。",
        "en": "{metric}, {part}: a loss of at most {needed} points against the better base is "
        "allowed; {column}: {found}.",
    },
    "gate-non_inferiority_pp": {
        "zh-TW": "「{part}」的「{metric}」要能排除比訓練前最好的成績少 {needed} 個百分點以上；"
        "{column}的差是 {found}（95% 信賴區間 {low} 到 {high}）。",
        "en": "{metric}, {part}: a loss of {needed} points or more against the better base must be "
        "ruled out; {column}: {found} (95% interval {low} to {high}).",
    },
    "loss-not-ruled-out": {
        "zh-TW": "這是在這些題目上量到的；真正的差可能低到 {low}（95% 信賴區間的下限）。",
        "en": "This is what these questions measured; the true difference may be as low as {low} "
        "(lower end of the 95% interval).",
    },
    "small-test": {
        "zh-TW": "{n} 題（{groups} 組）太少：要差到約 {detectable} 個百分點才多半看得出來，"
        "請增加測試題目。",
        "en": "{n} questions in {groups} groups are too few for this: about {detectable} points "
        "would most likely show. Add test questions.",
    },
    "gate-tuned-alone": {
        "zh-TW": "這一項只看訓練後的模型，交付的檔案量不到。",
        "en": "This looks at the tuned model alone; a delivered file cannot be measured by it.",
    },
    "gate-unmeasured": {
        "zh-TW": "「{part}」的「{metric}」沒有量到，所以不算達標。",
        "en": "{metric}, {part}: not measured, so the gate is not met.",
    },
}


def say(key: str, **values: str | Text) -> dict[str, str]:
    """The sentence `key` in every language; a value may be a text of its own per language."""
    return {
        language: SENTENCES[key][language].format(
            **{k: v if isinstance(v, str) else v[language] for k, v in values.items()}
        )
        for language in LANGUAGES
    }


def join(*texts: Text) -> dict[str, str]:
    """Sentences one after the other: a space between them in English, none in Chinese."""
    space = {"zh-TW": "", "en": " "}
    return {name: space[name].join(text[name] for text in texts) for name in LANGUAGES}


def points(share: float, *, signed: bool = False) -> str:
    """A share in percentage points with one decimal: `12.5`; signed `+12.5`, `−12.5` or `0.0`."""
    value = round(100 * share, 1)
    sign = "−" if value < 0 else "+" if signed and value > 0 else ""
    return f"{sign}{abs(value):.1f}"


def percent(share: float) -> str:
    """A share as a percentage with one decimal, or none where that says the same: `80%`."""
    return f"{100 * share:.1f}".removesuffix(".0") + "%"
