"""The fixed words of the page that compares arms, in every language."""

from collections.abc import Mapping

Words = Mapping[str, str]

PAGE: Mapping[str, Words] = {
    "zh-TW": {
        "comparison": "比較報告",
        "title": "{n} 種做法的比較",
        "conclusion": "結論",
        "by": "以「{metric}」比較，{n} 題、{groups} 組。",
        "best": "平均最高的是 {arm}：{mean}（95% 區間 {low}–{high}）。",
        "lowest": "平均最低（越低越好）的是 {arm}：{mean}（95% 區間 {low}–{high}）。",
        "against": "{a} 對 {b}：",
        "one_seed": "有做法只訓練過一次：結論講的是這幾次訓練，換個隨機種子不一定成立。",
        "unequal": "沒有同等對待",
        "unequal_note": "下面的差別不一定來自配方。",
        "unequal-seeds": "{arm} 的隨機種子是 {a}，{other} 是 {b}。",
        "unequal-order": "{arm} 和 {other} 看的資料或順序不同：{key} 分別是 {a} 和 {b}。",
        "unequal-encoding": "{arm} 和 {other} 的資料編碼不同，無法比對資料的順序。",
        "unequal-budget": "{arm} 和 {other} 的額度不同：{key} 分別是 {a} 和 {b}。",
        "arms": "得分與代價",
        "arms_note": "★ 表示沒有別的做法在得分、記憶體、大小、秒數上全都不輸它又至少一項更好"
        "（Pareto 前緣，依平均值）。得分後面的小字是 95% 信賴區間；其他數字若有範圍，"
        "是各個種子的最小到最大。得分的差別是不是碰巧，看下面的檢定，不看 ★。",
        "arm": "做法",
        "quality": "得分",
        "seeds": "種子",
        "memory_bytes": "記憶體峰值",
        "size_bytes": "訓練出來的大小",
        "seconds": "訓練秒數",
        "seconds_per_answer": "每題秒數",
        "steps": "步數",
        "tokens": "詞元",
        "trainable_parameters": "訓練的參數",
        "charts": "得分對代價",
        "charts_note": "點旁的數字是上表的編號；十字是得分的 95% 區間和各種子的範圍，"
        "深色的點有 ★。",
        "against_cost": "得分對{cost}",
        "scores": "全部得分",
        "scores_note": "滿分 100；第一行小字是 95% 信賴區間，第二行是各種子的最低到最高。",
        "part": "題目",
        "all": "全部",
        "items": "{n} 題，{groups} 組",
        "differences": "兩兩比較",
        "differences_note": "差值以百分點計，正值表示前者較好。p 值已依每個指標的比較數用 Holm 法"
        "校正，括號內是校正前的值。種子不只一個時，題目和種子的變異都算進去。"
        "區間不含 0 而且校正後仍顯著，才說較好或較差。",
        "compared": "比較",
        "difference": "差（95% 區間）",
        "won": "贏／輸／平（題）",
        "verdict": "結論",
        "won_items": "哪些題目贏、哪些題目輸",
        "won_note": "依「{metric}」，得分是各種子的平均；回答是種子最小的那次訓練說的。"
        "差距大的排前面，列出 {shown} 題，共 {n} 題；全部在 items.csv。",
        "none_differ": "每一題的得分都一樣。",
        "reference": "標準答案",
        "empty": "（沒有回答）",
        "differ": "做法有什麼不同",
        "differ_note": "與第一種做法設定相同的不列。",
        "nothing_differs": "除了隨機種子，沒有不同。",
        "key": "項目",
        "recipe": "配方",
        "base": "基底模型",
        "data": "資料",
        "resolved": "機器決定的設定",
        "environment": "軟硬體環境",
        "runs": "每一次訓練",
        "run": "訓練",
        "seed": "種子",
        "last_loss": "最後的損失",
        "method": "統計方法",
    },
    "en": {
        "comparison": "Comparison",
        "title": "{n} ways compared",
        "conclusion": "Conclusion",
        "by": "By “{metric}”, over {n} questions in {groups} groups.",
        "best": "The highest mean is that of {arm}: {mean} (95% interval {low}–{high}).",
        "lowest": "The lowest mean, where less is better, is that of {arm}: {mean} "
        "(95% interval {low}–{high}).",
        "against": "{a} against {b}: ",
        "one_seed": "Some way was trained once only: the verdicts are about these trainings and "
        "need not hold with another seed.",
        "unequal": "Not treated alike",
        "unequal_note": "A difference below need not come from the recipes.",
        "unequal-seeds": "{arm} has the seeds {a}, {other} has {b}.",
        "unequal-order": "{arm} and {other} did not see the same rows in the same order: {key} is "
        "{a} and {b}.",
        "unequal-encoding": "{arm} was encoded otherwise than {other}: the order of the rows could "
        "not be compared.",
        "unequal-budget": "{arm} and {other} had other budgets: {key} is {a} and {b}.",
        "arms": "Quality and cost",
        "arms_note": "A ★ says that no other way is as good in quality, memory, size and seconds "
        "and better in one of them (the Pareto front, by means). The small print of a score is its "
        "95% interval; of other numbers it is the least and the most of a seed. Whether a "
        "difference in quality is chance is told by the tests below, not by the star.",
        "arm": "way",
        "quality": "quality",
        "seeds": "seeds",
        "memory_bytes": "peak memory",
        "size_bytes": "size of what was trained",
        "seconds": "seconds of training",
        "seconds_per_answer": "seconds per answer",
        "steps": "steps",
        "tokens": "tokens",
        "trainable_parameters": "trained parameters",
        "charts": "Quality against cost",
        "charts_note": "The number beside a point is that of the table above; a cross is the 95% "
        "interval of the score and the range over the seeds; dark points have a ★.",
        "against_cost": "Quality against {cost}",
        "scores": "All scores",
        "scores_note": "Out of 100; the first small line is the 95% interval, the second the least "
        "and the most of a seed.",
        "part": "Questions",
        "all": "all",
        "items": "{n} questions, {groups} groups",
        "differences": "Two by two",
        "differences_note": "Differences in percentage points; above zero the first is better. P "
        "values are corrected for the number of pairs of each metric (Holm), the small print is "
        "before correction. With several seeds the variance of questions and of seeds is added. "
        "Better or worse is said only if interval and corrected p agree.",
        "compared": "Compared",
        "difference": "Difference (95% interval)",
        "won": "won / lost / equal",
        "verdict": "Verdict",
        "won_items": "Which questions are won and lost",
        "won_note": "By “{metric}”; a score is the mean over the seeds, an answer that of the "
        "least seed. The largest differences come first: {shown} shown of {n}; all are in "
        "items.csv.",
        "none_differ": "Every question has the same score everywhere.",
        "reference": "Reference",
        "empty": "(no answer)",
        "differ": "In what they differ",
        "differ_note": "What is set as in the first way is left out.",
        "nothing_differs": "In nothing but the seed.",
        "key": "key",
        "recipe": "Recipe",
        "base": "Base model",
        "data": "Data",
        "resolved": "What the machine chose",
        "environment": "Software and machine",
        "runs": "Every training",
        "run": "run",
        "seed": "seed",
        "last_loss": "last loss",
        "method": "Statistics",
    },
}
