"""How the page tells of test questions that training rows hold too, and of scores without them."""

from collections.abc import Mapping
from typing import Any

from foundry.evals.wording import Text

Report = Mapping[str, Any]
Words = Mapping[str, str]

KINDS: Mapping[str, Text] = {
    "exact": {"zh-TW": "題目和答案都一樣", "en": "same question and answer"},
    "same-question": {"zh-TW": "題目一樣、答案不同", "en": "same question, another answer"},
    "near": {"zh-TW": "題目幾乎一樣", "en": "nearly the same question"},
}
WORDS: Mapping[str, Words] = {
    "zh-TW": {
        "overlap": "和訓練資料重疊的題目",
        "overlap_none": "沒有一題和訓練資料重疊（{gram} 字一段，一題有 {near} 以上的片段"
        "在同一筆訓練資料裡就算）。",
        "overlap_some": "有 {n} 題和訓練資料重疊（{gram} 字一段，一題有 {near} 以上的片段"
        "在同一筆訓練資料裡就算）。下面是去掉這些題目以後的得分；題目用另一種說法寫的找不出來。",
        "overlap_scores": "得分：全部題目，以及去掉重疊題目以後",
        "overlap_all": "全部題目",
        "overlap_without": "去掉重疊題目",
        "overlap_verdicts": "與訓練前比較：全部題目，以及去掉重疊題目以後",
        "overlap_gates": "有標準只在其中一種算法下達到：",
        "overlap_items": "哪些題目重疊（{n} 題）",
        "overlap_item": "題目編號",
        "overlap_kind": "怎麼重疊",
        "overlap_row": "訓練資料",
        "overlap_share": "重疊的比例",
    },
    "en": {
        "overlap": "Questions that training rows hold too",
        "overlap_none": "No question is also in a training row (runs of {gram} words or "
        "characters; a question counts if one row holds {near} of its runs).",
        "overlap_some": "{n} questions are also in a training row (runs of {gram} words or "
        "characters; a question counts if one row holds {near} of its runs). Below are the scores "
        "without them; a question in quite other words is not found.",
        "overlap_scores": "Scores with every question, and without the overlapping ones",
        "overlap_all": "every question",
        "overlap_without": "without the overlap",
        "overlap_verdicts": "Against the base with every question, and without the overlap",
        "overlap_gates": "Gates that are met in one way of counting only:",
        "overlap_items": "Which questions overlap ({n})",
        "overlap_item": "question",
        "overlap_kind": "how",
        "overlap_row": "training row",
        "overlap_share": "share",
    },
}


def overlap(report: Report, language: str) -> dict[str, Any]:
    """`overlap`: what the template shows, None where nobody looked."""
    found = report.get("contamination")
    if found is None:
        return {"overlap": None}
    words = WORDS[language]
    lead = words["overlap_some" if found["count"] else "overlap_none"]
    said = lead.format(n=found["count"], gram=found["gram"], near=f"{found['near']:.0%}")
    return {
        "overlap": {
            **found,
            "words": {key: text.format(n=found["count"]) for key, text in _fixed(words)},
            "lead": said,
            "kinds": {key: text[language] for key, text in KINDS.items()},
        }
    }


def _fixed(words: Words) -> list[tuple[str, str]]:
    return [(k, text) for k, text in words.items() if k not in ("overlap_none", "overlap_some")]
