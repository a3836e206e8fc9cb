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
        "telling": "訓練前後對照：{n} 題",
        "telling_note": "每一種情形輪流挑一題，題組盡量不重複；做錯的排前面，模型怎麼說就怎麼印。",
        "shown": "列出 {shown} 題，共 {n} 題",
        "outcomes": "做對、做錯、婉拒各有幾題",
        "outcomes_note": "依各部分的主要指標計算；每一題只算進一欄，由左邊的先算。",
        "all": "題數",
        "costs": "時間與電費",
        "costs_lead": "用{column}回答 {answers} 題，約需 {seconds} 秒、電費 NT${twd}。",
        "costs_lead_seconds": "用{column}回答 {answers} 題，約需 {seconds} 秒。",
        "per": "每 {answers} 題",
        "seconds_head": "秒",
        "speed_head": "詞元／秒",
        "kwh_head": "度電（kWh）",
        "twd_head": "電費 NT$",
        "rent_head": "租機器 NT$",
        "costs_seconds": "秒數是這次評估分批作答的實測時間，再換算成 {answers} 題；"
        "中斷過的把各次加在一起。",
        "costs_metered": "用電是處理器計量器量到的，不含機器的其他部分。",
        "costs_assumed": "用電是假設整台機器一直耗 {watts} 瓦（{watts_from}）。",
        "costs_share": "當時這台機器同時做別的訓練，只計其中的 {percent}%。",
        "costs_price": "電價每度 NT${price}（{price_from}）。",
        "costs_rent": "租金每小時 NT${rent}（{rent_from}），付租金就不另付電費。",
        "no_wrong": "依主要指標，訓練後的模型沒有做錯任何一題。",
        "context": "附上的資料",
        "reference": "標準答案",
        "cut": "講到長度上限被切斷",
        "empty": "（沒有回答）",
        "scores": "全部得分",
        "scores_note": "滿分 100，小字是 95% 信賴區間；n 是題數，「組」是彼此無關的題組數。",
        "part": "題目",
        "comparisons": "比較與檢定",
        "comparisons_note": "差值以百分點計，正值表示前者較好。區間以題組為單位：平均得分的差用"
        "Bonett–Price 法，不是平均的指標用 BCa 拔靴法（{resamples} 次）。"
        "每題自成一組且以對錯計分時，p 值來自 McNemar 精確檢定，"
        "其餘來自以題組為單位的配對置換檢定；p 值已用 Holm 法校正本頁所有比較，"
        "括號內是校正前的值。區間不含 0 而且校正後仍顯著，才說較好或較差；"
        "少於 {groups} 組不下結論。「看得出」是有 80% 機會看得出來的最小差別。",
        "compared": "比較",
        "difference": "差（95% 區間）",
        "verdict": "結論",
        "detectable": "看得出",
        "curve": "訓練過程",
        "learning_rate": "學習率",
        "grad_norm": "梯度範數",
        "curve_note": "損失越低，模型說出的話越接近訓練資料；"
        "這不等於答得對，答得對不對看上面的得分。",
        "reward_note": "每一步抽出的答案平均得到的獎勵；色帶是以題目為單位的 95% 信賴區間。"
        "每一步的題目不同，起伏有一部分來自題目；學得好不好，以上面的得分為準。",
        "step": "步",
        "loss": "損失",
        "reward": "獎勵",
        "researcher": "給研究者",
        "methods": "方法",
        "methods_note": "這一段由實際的設定產生，可以直接引用。",
        "files": "檔案",
        "files_note": "都在這次訓練的 evals 資料夾。CSV 是 UTF-8（有 BOM，Excel 直接開不會亂碼），"
        "一列一筆觀測值；像公式的儲存格前面加了一個單引號，程式讀取時拿掉即可。",
        "file_report": "這份報告的所有數字",
        "file_scores": "每題、每欄、每個指標的得分",
        "file_answers": "每題每欄的問題、標準答案與回答",
        "file_jsonl": "模型的原始回答",
        "file_prompts": "每一題提示的詞元編號",
        "file_figures": "圖檔",
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
        "telling": "Before and after: {n} questions",
        "telling_note": "Each kind of outcome gives a question in turn, from as many groups as "
        "there are; what went wrong comes first, printed as the models said it.",
        "shown": "{shown} shown of {n}",
        "outcomes": "How many were right, wrong or declined",
        "outcomes_note": "By each part's main metric; a question counts once, leftmost first.",
        "all": "questions",
        "costs": "Time and electricity",
        "costs_lead": "{answers} answers of the {column} take about {seconds} seconds and "
        "NT${twd} of electricity.",
        "costs_lead_seconds": "{answers} answers of the {column} take about {seconds} seconds.",
        "per": "For {answers} answers",
        "seconds_head": "seconds",
        "speed_head": "tokens/s",
        "kwh_head": "kWh",
        "twd_head": "electricity, NT$",
        "rent_head": "rent, NT$",
        "costs_seconds": "Seconds are those of this evaluation, answering in batches, scaled to "
        "{answers} answers; those of several sittings are added up.",
        "costs_metered": "The electricity is what the processors' meter counted, without the rest "
        "of the machine.",
        "costs_assumed": "The electricity assumes that the whole machine draws {watts} W "
        "throughout ({watts_from}).",
        "costs_share": "Other trainings shared the machine, of which {percent}% is counted here.",
        "costs_price": "A kWh costs NT${price} ({price_from}).",
        "costs_rent": "An hour's rent is NT${rent} ({rent_from}); who pays it pays no electricity.",
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
        "Intervals respect groups: Bonett and Price's of means, of metrics that are no mean a BCa "
        "bootstrap ({resamples} draws). P values are those of the exact McNemar test where each "
        "question is a group of its own and right or wrong, else of a paired permutation over "
        "groups; they are corrected for all comparisons of this page (Holm), the small print is "
        "before correction. Better or worse is said only if interval and corrected p agree, and "
        "nothing below {groups} groups. “Shows” is the least difference that shows 4 times in 5.",
        "compared": "Compared",
        "difference": "Difference (95% interval)",
        "verdict": "Verdict",
        "detectable": "Shows",
        "curve": "The training",
        "learning_rate": "learning rate",
        "grad_norm": "gradient norm",
        "curve_note": "The lower the loss, the closer the model's words are to the training data; "
        "whether the answers are right is what the scores above say.",
        "reward_note": "The mean reward of the answers that a step drew; the band is its 95 % "
        "interval over the step's questions. Every step asks others, which makes part of the ups "
        "and downs; how good the answers became is what the scores above say.",
        "step": "step",
        "loss": "loss",
        "reward": "reward",
        "researcher": "For the researcher",
        "methods": "Methods",
        "methods_note": "Made from the real settings, to be quoted.",
        "files": "Files",
        "files_note": "All in the folder evals of this run. The CSV files are UTF-8 with a "
        "byte-order mark, so that Excel shows Chinese; one observation a row. A cell that looks "
        "like a formula has an apostrophe in front: a program takes one away.",
        "file_report": "every number of this report",
        "file_scores": "the score of each item, column and metric",
        "file_answers": "question, reference and answer of each item and column",
        "file_jsonl": "the models' answers as they came",
        "file_prompts": "the ids of every prompt",
        "file_figures": "the charts",
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

# Where models stand side by side and none was trained here; the first is the reference.
PEERS: Mapping[str, Words] = {
    "zh-TW": {
        "before_after": "各模型的得分",
        "asked_note": "每個模型都用同樣的字句提問；項目、題目、停止條件不同的模型不互比。"
        "分詞器不同，詞元編號也就不同。",
        "unlike": "與第一個模型不同之處",
        "same_text": "與第一個模型一字不差的題數",
        "telling": "各模型的回答對照：{n} 題",
        "telling_note": "每一種情形輪流挑一題，題組盡量不重複；各模型差最多的排前面，"
        "模型怎麼說就怎麼印。",
        "no_gates": "這裡只比較模型，沒有設標準。",
        "files_note": "都在這次評測的資料夾。CSV 是 UTF-8（有 BOM，Excel 直接開不會亂碼），"
        "一列一筆觀測值；像公式的儲存格前面加了一個單引號，程式讀取時拿掉即可。",
    },
    "en": {
        "before_after": "Each model's score",
        "asked_note": "Every model was asked in the same words; models with another task, other "
        "questions or other stops are not compared. Other tokenizers give other ids.",
        "unlike": "asked unlike the first model in",
        "same_text": "answers with the first model's very words",
        "telling": "What each model answers: {n} questions",
        "telling_note": "Each kind of outcome gives a question in turn, from as many groups as "
        "there are; where the models differ most comes first, printed as they said it.",
        "no_gates": "Models are compared here; no gates are set.",
        "files_note": "All in the folder of this evaluation. The CSV files are UTF-8 with a "
        "byte-order mark, so that Excel shows Chinese; one observation a row. A cell that looks "
        "like a formula has an apostrophe in front: a program takes one away.",
    },
}

KINDS: Mapping[str, Words] = {
    "regression": {"zh-TW": "訓練後退步", "en": "Worse since training"},
    "wrongly-declined": {"zh-TW": "該回答卻婉拒", "en": "Declined but should answer"},
    "wrong": {"zh-TW": "還沒做對", "en": "Not right yet"},
    "changed-by-export": {"zh-TW": "交付檔變差", "en": "Worse in the file handed over"},
    "declined": {"zh-TW": "婉拒得對", "en": "Rightly declined"},
    "gain": {"zh-TW": "訓練後進步", "en": "Better since training"},
    "apart": {"zh-TW": "各模型答得不一樣好", "en": "The models differ"},
    "wrong-for-all": {"zh-TW": "沒有一個模型全對", "en": "Right for none"},
    "right-for-all": {"zh-TW": "每個模型都對", "en": "Right for all"},
    "same": {"zh-TW": "訓練前後一樣", "en": "The same before and after"},
}

FACTS: Mapping[str, Words] = {
    "settings": {"zh-TW": "配方的所有設定", "en": "Every setting of the recipe"},
    "plan": {"zh-TW": "計畫", "en": "Plan"},
    "overlap": {"zh-TW": "測試題與訓練資料的重疊", "en": "Overlap of test and training rows"},
    "mixture": {"zh-TW": "各資料來源的混合比例", "en": "Mixture of the sources"},
    "left_out": {"zh-TW": "無法編碼而沒有量的題目", "en": "Pairs that could not be encoded"},
    "mask": {"zh-TW": "遮罩報告", "en": "Mask report"},
    "training": {"zh-TW": "訓練", "en": "Training"},
    "proof": {"zh-TW": "學習證明", "en": "Learning proof"},
    "parity": {"zh-TW": "一致性紀錄", "en": "Parity record"},
    "timings": {"zh-TW": "耗時", "en": "Timings"},
    "hashes": {"zh-TW": "雜湊值（SHA-256）", "en": "Hashes (SHA-256)"},
    "models": {"zh-TW": "模型的來歷", "en": "Where the models are from"},
    "benchmark": {"zh-TW": "問了什麼", "en": "What was asked"},
    "environment": {"zh-TW": "軟硬體環境", "en": "Software and machine"},
}
