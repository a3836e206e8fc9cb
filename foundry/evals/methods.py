"""The methods paragraph of a paper, from what this report was really made with."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from foundry.evals.answering import OPTION_RULE, TEXT_RULE
from foundry.evals.wording import LANGUAGES

Report = Mapping[str, Any]

LIBRARIES = ("torch", "transformers", "peft", "trl", "xllamacpp", "numpy", "scipy")

SENTENCES: Mapping[str, Mapping[str, str]] = {
    "items": {
        "zh-TW": "測試題共 {n} 題、{groups} 組（{parts}），每一欄都回答相同的題目。",
        "en": "The test comprised {n} items in {groups} groups ({parts}); every column answered "
        "the same items.",
    },
    "brought": {
        "zh-TW": "評估項目另外帶來題目（{parts}），不用模型的基準和先看範例的基底模型不回答這些。",
        "en": "Evaluators brought further items ({parts}), which neither the baselines without a "
        "model nor a base that is shown examples answered.",
    },
    "part": {"zh-TW": "{title} {n} 題 {groups} 組", "en": "{title}: {n} in {groups}"},
    "columns": {"zh-TW": "比較的是：{columns}。", "en": "Compared were: {columns}."},
    "decoding": {
        "zh-TW": "模型以貪婪解碼作答，最多 {tokens} 個新詞元；提示、終止詞元與解碼設定列於報告。",
        "en": "Models decoded greedily with at most {tokens} new tokens; prompts, stop tokens and "
        "decoding settings are listed in the report.",
    },
    "rule": {
        "zh-TW": "模型不寫答案，看的是{rule}；提示列於報告。",
        "en": "Models wrote nothing; what counted was {rule}. Prompts are listed in the report.",
    },
    "shots": {
        "zh-TW": "「{column}」在題目之前先看 {shots} 題取自訓練資料的範例。",
        "en": "“{column}” was shown solved examples from the training rows ({shots} a prompt).",
    },
    "training": {
        "zh-TW": "訓練自 {base}，方法為 {adapter}（{trainer}），共 {steps} 步、{tokens} 個詞元，"
        "隨機種子 {seed}。",
        "en": "Training started from {base} with {adapter} ({trainer}) and took {steps} steps and "
        "{tokens} tokens with seed {seed}.",
    },
    "metrics": {
        "zh-TW": "指標：{metrics}；得分是各題的平均，另有說明者除外。",
        "en": "Metrics: {metrics}; a score is the mean over items unless its definition says "
        "otherwise.",
    },
    "metric": {"zh-TW": "{title}（{name}，第 {version} 版）", "en": "{title} ({name}, v{version})"},
    "intervals": {
        "zh-TW": "{level} 信賴區間以題組為單位：平均得分用 Wilson（1927）區間與有效題數，"
        "其差值用 Bonett 與 Price（2012）區間，不是平均的指標以題組重抽（BCa 拔靴法，"
        "{resamples} 次，Efron 1987）。成對差值以題組為單位做雙尾置換檢定"
        "（最多 {permutations} 次，Good 2005；每組一題且只有對錯時就是 McNemar 精確檢定）。",
        "en": "{level} confidence intervals respect groups: of means Wilson's (1927) at the "
        "effective number of items, of their differences Bonett and Price's (2012), of metrics "
        "that are no mean a BCa bootstrap of whole groups ({resamples} draws; Efron 1987). Paired "
        "differences were tested two-sidedly by permutation within whole groups (up to "
        "{permutations} draws; Good 2005), which is the exact McNemar test where each group is one "
        "item that is right or wrong.",
    },
    "verdicts": {
        "zh-TW": "p 值以 Holm（1979）法校正報告中的所有比較；區間不含 0 且校正後的檢定在同一水準"
        "顯著，才稱較好或較差；少於 {fewest} 組不下結論。"
        "統計的隨機種子為 {seed}。",
        "en": "P values were corrected for all comparisons of the report (Holm 1979). A difference "
        "is called better or worse only where the interval excludes zero and the corrected test "
        "agrees at the same level; with fewer than {fewest} groups nothing is concluded. "
        "The seed of all statistics was {seed}.",
    },
    "software": {
        "zh-TW": "軟體：AI Foundry {foundry}、Python {python}、{packages}。",
        "en": "Software: AI Foundry {foundry}, Python {python}, {packages}.",
    },
}
RULES: Mapping[str, Mapping[str, str]] = {
    rule: {"zh-TW": chinese, "en": rule}
    for rule, chinese in (
        (OPTION_RULE, "每個詞元的對數機率最大的選項，有兩個相等時都不算"),
        (TEXT_RULE, "文字接在起始詞元之後的對數機率"),
    )
}
"""The rules of `settings.decoding` in words."""
JOINTS = {"zh-TW": ("、", ""), "en": ("; ", " ")}


def methods(report: Report) -> dict[str, str]:
    """The paragraph in every language; what a report does not hold is not mentioned.

    Args:
        report: A report as `report_on` makes it, without this paragraph.
    """
    return {
        language: JOINTS[language][1].join(_sentences(report, language)) for language in LANGUAGES
    }


def _sentences(report: Report, language: str) -> Iterator[str]:
    comma = JOINTS[language][0]

    def say(key: str, **values: Any) -> str:
        return SENTENCES[key][language].format(**values)

    def listed(parts: Sequence[Report]) -> str:
        return comma.join(say("part", **{**p, "title": p["title"][language]}) for p in parts)

    method, brought = report["method"], [p for p in report["parts"] if p["brought_by"]]
    own = [part for part in report["parts"] if not part["brought_by"]]
    n, groups = (sum(part[key] for part in own) for key in ("n", "groups"))
    yield say("items", n=n, groups=groups, parts=listed(own))
    if brought:
        yield say("brought", parts=listed(brought))
    titles = [column["title"][language] for column in report["columns"]]
    yield say("columns", columns=comma.join(titles))
    yield from _asking(report, language)
    named = [say("metric", **{**m, "title": m["title"][language]}) for m in report["metrics"]]
    yield say("metrics", metrics=comma.join(named))
    yield say("intervals", **{**method, "level": f"{method['level']:.0%}"})
    yield say("verdicts", fewest=method["fewest_groups"], seed=method["seed"])
    made_on = report["facts"].get("environment")
    if made_on:
        versions = [f"{k} {made_on['packages'][k]}" for k in _used(made_on["packages"])]
        yield say("software", packages=comma.join(versions), **_pick(made_on, "foundry", "python"))


def _asking(report: Report, language: str) -> Iterator[str]:
    """How models were asked, and how the tuned one came about."""
    asked = [c["settings"].get("decoding") or {} for c in report["columns"] if c.get("settings")]
    limits = {decoding.get("max_new_tokens") for decoding in asked}
    rules = {decoding.get("rule") for decoding in asked}
    if len(rules) == 1 and (rule := RULES.get(rules.pop() or "")):
        yield SENTENCES["rule"][language].format(rule=rule[language])
    elif len(limits) == 1 and (limit := limits.pop()):  # 0: a reward model writes nothing
        yield SENTENCES["decoding"][language].format(tokens=limit)
    settings, training = report["facts"].get("settings"), report["facts"].get("training")
    if not settings or not training:
        return
    for column in report["columns"]:
        if column["name"] == "base-few-shot":
            shots = column["settings"]["few_shot"]
            title = column["title"][language]
            yield SENTENCES["shots"][language].format(column=title, shots=shots)
    yield SENTENCES["training"][language].format(
        base=settings["base_model"],
        adapter=settings["adapter"]["kind"],
        trainer=settings["train"]["kind"],
        seed=settings["seed"],
        **_pick(training, "steps", "tokens"),
    )


def _used(packages: Mapping[str, Any]) -> Sequence[str]:
    return [name for name in LIBRARIES if packages.get(name)]


def _pick(values: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: values[key] for key in keys}
