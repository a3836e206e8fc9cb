"""The fixed words of the report's page, in every language."""

from collections.abc import Mapping

Words = Mapping[str, str]

PAGE: Mapping[str, Words] = {
    "zh-TW": {
        "report": "評估報告",
        "passed": "{n} 項標準全部達到，可以打包。",
        "failed": "{n} 項標準有 {missed} 項沒達到，不會打包。",
        "no_gates": "這份配方沒有設標準。",
        "conclusion": "結論",
        "before_after": "訓練前後",
        "bar_note": "橫條是得分，上面的細線是 95% 信賴區間：題目換一批，得分大概落在這個範圍。",
        "questions": "{n} 題，{groups} 組",
        "gates": "交貨標準",
        "met": "達到",
        "missed": "沒達到",
        "telling": "最能說明差別的 {n} 題",
        "telling_note": "先列出做錯的，再列出婉拒的與進步的；沒有修飾，模型怎麼說就怎麼印。",
        "no_wrong": "依主要指標，訓練後的模型沒有做錯任何一題。",
        "context": "附上的資料",
        "reference": "標準答案",
        "cut": "講到長度上限被切斷",
        "empty": "（沒有回答）",
        "scores": "全部得分",
        "scores_note": "滿分 100，小字是 95% 信賴區間；n 是題數，「組」是彼此無關的題組數。",
        "part": "題目",
        "comparisons": "比較與檢定",
        "comparisons_note": "差值以百分點計，正值表示前者較好。區間以題組為單位重抽"
        "（BCa 拔靴法，{resamples} 次），p 值來自以題組為單位的配對置換檢定。"
        "區間不含 0 而且檢定也顯著，才說較好或較差；少於 {groups} 組不下結論。"
        "各比較未做多重檢定校正。",
        "compared": "比較",
        "difference": "差（95% 區間）",
        "verdict": "結論",
        "curve": "訓練過程",
        "curve_note": "損失越低，模型說出的話越接近訓練資料；"
        "這不等於答得對，答得對不對看上面的得分。",
        "step": "步",
        "loss": "損失",
        "engineer": "給工程師",
        "asked": "每一欄怎麼問的",
        "asked_note": "訓練後的模型與交付檔、至少一欄訓練前的模型，設定必須完全相同，否則不比較。",
        "unlike": "與訓練後的模型不同之處",
        "seconds": "每題秒數",
        "tokens": "每題詞元數",
        "same_text": "與訓練後的模型一字不差的題數",
        "answers_sha256": "答案的 SHA-256",
        "metrics": "指標怎麼算",
        "method": "統計方法",
        "version": "版本",
        "yes": "是",
        "no": "否",
        "none": "無",
        "base": "訓練前",
        "tuned": "訓練後",
        "delivered": "交付檔",
        "naive": "不用模型",
        "other": "其他",
    },
    "en": {
        "report": "Evaluation report",
        "passed": "All {n} gates are met; the model may be packaged.",
        "failed": "Not met: {missed} of {n} gates. No package is made.",
        "no_gates": "This recipe sets no gates.",
        "conclusion": "Conclusion",
        "before_after": "Before and after training",
        "bar_note": "A bar is the score; the thin line on it is the 95% confidence interval, where "
        "the score would likely be with other questions.",
        "questions": "{n} questions, {groups} groups",
        "gates": "Gates for delivery",
        "met": "met",
        "missed": "not met",
        "telling": "The {n} most telling answers",
        "telling_note": "What went wrong comes first, then what was declined and what was won; "
        "printed as the models said it.",
        "no_wrong": "By the main metric, the trained model got nothing wrong.",
        "context": "Facts given",
        "reference": "Reference",
        "cut": "cut at the length limit",
        "empty": "(no answer)",
        "scores": "All scores",
        "scores_note": "Out of 100; the small print is the 95% confidence interval; n counts "
        "questions, groups counts independent sets of them.",
        "part": "Questions",
        "comparisons": "Comparisons and tests",
        "comparisons_note": "Differences in percentage points; above zero the first is better. "
        "Intervals resample whole groups (BCa bootstrap, {resamples} draws); p values come from a "
        "paired permutation test over groups. Better or worse is said only if both agree, and "
        "nothing below {groups} groups. No correction for the number of comparisons.",
        "compared": "Compared",
        "difference": "Difference (95% interval)",
        "verdict": "Verdict",
        "curve": "The training",
        "curve_note": "The lower the loss, the closer the model's words are to the training data; "
        "whether the answers are right is what the scores above say.",
        "step": "step",
        "loss": "loss",
        "engineer": "For the engineer",
        "asked": "How each column was asked",
        "asked_note": "The trained model, the file handed over and at least one untrained column "
        "must have been asked alike; otherwise no comparison is made.",
        "unlike": "asked unlike the trained model in",
        "seconds": "seconds per answer",
        "tokens": "tokens per answer",
        "same_text": "answers with the trained model's very words",
        "answers_sha256": "SHA-256 of the answers",
        "metrics": "How each metric counts",
        "method": "Statistics",
        "version": "version",
        "yes": "yes",
        "no": "no",
        "none": "none",
        "base": "before",
        "tuned": "after",
        "delivered": "handed over",
        "naive": "no model",
        "other": "other",
    },
}

KINDS: Mapping[str, Words] = {
    "regression": {"zh-TW": "訓練前做對，訓練後做錯", "en": "Right before, wrong after"},
    "wrong": {"zh-TW": "還沒做對", "en": "Not right yet"},
    "wrongly-declined": {"zh-TW": "該回答卻婉拒", "en": "Declined but should answer"},
    "changed-by-export": {"zh-TW": "交付檔變差", "en": "Worse in the file handed over"},
    "declined": {"zh-TW": "婉拒得對", "en": "Rightly declined"},
    "gain": {"zh-TW": "訓練後才做對", "en": "Right since training"},
    "same": {"zh-TW": "訓練前後一樣", "en": "The same before and after"},
}

FACTS: Mapping[str, Words] = {
    "recipe": {"zh-TW": "配方", "en": "Recipe"},
    "plan": {"zh-TW": "計畫", "en": "Plan"},
    "data": {"zh-TW": "資料", "en": "Data"},
    "overlap": {"zh-TW": "測試題與訓練資料的重疊", "en": "Overlap of test and training rows"},
    "mask": {"zh-TW": "遮罩報告", "en": "Mask report"},
    "proof": {"zh-TW": "學習證明", "en": "Learning proof"},
    "parity": {"zh-TW": "一致性紀錄", "en": "Parity record"},
    "timings": {"zh-TW": "耗時", "en": "Timings"},
    "hashes": {"zh-TW": "雜湊值", "en": "Hashes"},
}
