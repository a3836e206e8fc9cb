"""The fixed words of the mask report's page, in every language."""

from collections.abc import Mapping

Words = Mapping[str, str]

TAGS = {"zh-TW": "zh-Hant-TW", "en": "en"}
NAMES = {"zh-TW": "中文", "en": "English"}

PAGE: Mapping[str, Words] = {
    "zh-TW": {
        "report": "遮罩報告",
        "right": "{rows} 列、{tokens} 個詞元；要學的有 {supervised} 個（{share}），逐列驗證過。",
        "explain": "模型只學上了色的部分：回答、工具呼叫，以及結束它們的那個詞元。"
        "題目、系統文字、工具定義與工具結果只給模型看，不算損失。",
        "conclusion": "重點",
        "stops": "{turns} 個要學的段落，每一個都以結束詞元收尾：{stops}。",
        "all_fit": "沒有任何一列超過 {limit} 個詞元的上限；最長 {longest} 個。",
        "some_over": "{examples} 筆超過 {limit} 個詞元的上限：不採用 {dropped}、裁短 {cut}、"
        "把 {split} 筆分成 {split_into} 段，共少學 {tokens_lost} 個詞元。",
        "nothing_lost": "模板把資料裡的東西全部寫進去了。",
        "something_lost": "模板沒有把資料裡的東西全部寫進去，見「模板」。",
        "flow": "從檔案到訓練資料",
        "file": "檔案",
        "rows": "列",
        "used": "採用",
        "refused": "拒絕",
        "blank": "空白",
        "refused_note": "每一列被拒絕的理由在 refused.jsonl。",
        "step": "步驟",
        "count": "數量",
        "examples": "訓練用的資料列",
        "encoded": "編成的訓練列",
        "split_turns": "{conversations} 段對話分成 {rows} 列，"
        "因為模板事後會改寫前面的回答，每個回答都照模型當場說的樣子學。",
        "turns": "對話回合",
        "turns_of": "回合 {inside} → {out}",
        "turns_note": "進來的回合數等於其他各項的總和。",
        "named": "沒有採用的列（每種理由最多 {n} 列；全部在 left_out.jsonl）",
        "lengths": "長度",
        "lengths_note": "每一條是 {step} 個詞元寬的區間；虛線是上限 {limit}。",
        "tokens": "詞元",
        "over_limit": "超過長度上限",
        "over_examples": "筆數",
        "over_dropped": "不採用的列",
        "over_cut": "裁短題目",
        "over_split": "分成幾段的",
        "over_split_into": "分出的段數",
        "over_tokens_lost": "損失的詞元",
        "samples": "實際的訓練列",
        "samples_note": "由訓練時讀到的編號還原，不是原始文字；控制字元以符號表示。",
        "template": "模板",
        "bos": "每列開頭的 BOS",
        "bos_one": "一個",
        "bos_none": "沒有，因為這個模型不用",
        "seams": "題目與回答之間有合併詞元的列",
        "stop": "結束詞元（編號 × 次數）",
        "system": "配方的系統文字",
        "no_system": "沒有",
        "system_turns": "系統回合",
        "system_own": "照模板自己的寫法",
        "system_folded": "模板沒有地方放，改放在第一個問題前面，空一行",
        "tool_turns": "工具",
        "tools_own": "照模板自己的寫法",
        "tools_as_text": "模板不認得工具，改用文字寫在對話裡",
        "date": "告訴模板的日期",
        "left_out": "模板沒有寫出來的（次數）",
        "added": "模板加在回答前面的字（次數）",
        "none": "無",
        "engineer": "給工程師",
        "source": "模板原文",
        "key": "決定這些編號的所有輸入",
    },
    "en": {
        "report": "Mask report",
        "right": "{rows} rows, {tokens} tokens; {supervised} of them ({share}) are learned, "
        "verified row by row.",
        "explain": "The model learns what is coloured: answers, tool calls, and the token that "
        "ends them. Questions, system texts, tool definitions and tool results are only shown to "
        "it and bear no loss.",
        "conclusion": "In short",
        "stops": "All of the {turns} passages to learn end with a stop token: {stops}.",
        "all_fit": "No row is over the limit of {limit} tokens; the longest has {longest}.",
        "some_over": "Over the limit of {limit} tokens: {examples}; left out {dropped}, cut {cut}, "
        "split {split} into {split_into}; {tokens_lost} tokens are not learned.",
        "nothing_lost": "The template writes everything that the data hold.",
        "something_lost": "The template leaves out some of what the data hold; see Template.",
        "flow": "From the files to the rows",
        "file": "File",
        "rows": "Rows",
        "used": "Used",
        "refused": "Refused",
        "blank": "Blank",
        "refused_note": "The reason for each refused row stands in refused.jsonl.",
        "step": "Step",
        "count": "Count",
        "examples": "Examples to train on",
        "encoded": "Encoded rows",
        "split_turns": "{conversations} conversations became {rows} rows: the template rewrites "
        "earlier answers, and each is learned as the model says it at the time.",
        "turns": "Turns",
        "turns_of": "turns {inside} → {out}",
        "turns_note": "Turns in are the sum of all the others.",
        "named": "Rows left out (at most {n} for each reason; all of them in left_out.jsonl)",
        "lengths": "Lengths",
        "lengths_note": "A bar is {step} tokens wide; the dashed line is the limit, {limit}.",
        "tokens": "tokens",
        "over_limit": "Over the length limit",
        "over_examples": "examples",
        "over_dropped": "rows left out",
        "over_cut": "questions cut",
        "over_split": "split",
        "over_split_into": "split into",
        "over_tokens_lost": "tokens lost",
        "samples": "Rows as trained",
        "samples_note": "Made from the ids that training reads, not from the texts; control "
        "characters are shown as symbols.",
        "template": "Template",
        "bos": "BOS at the head of a row",
        "bos_one": "one",
        "bos_none": "none, since the model has none",
        "seams": "Rows with a token merged over the seam of question and answer",
        "stop": "Stop tokens (id × times)",
        "system": "The recipe's system text",
        "no_system": "none",
        "system_turns": "System turns",
        "system_own": "as the template has them",
        "system_folded": "the template has no place for them: before the first question, after "
        "it a blank line",
        "tool_turns": "Tools",
        "tools_own": "as the template has them",
        "tools_as_text": "the template knows none: said in the text of the turns",
        "date": "The date that templates are told",
        "left_out": "Not written by the template (times)",
        "added": "Put before answers by the template (times)",
        "none": "none",
        "engineer": "For the engineer",
        "source": "The template",
        "key": "All that decides these ids",
    },
}

KINDS: Mapping[str, Words] = {
    "first": {"zh-TW": "第一列", "en": "The first row"},
    "longest": {"zh-TW": "最長的一列", "en": "The longest row"},
    "tool-call": {"zh-TW": "有工具呼叫", "en": "With a tool call"},
    "multi-turn": {"zh-TW": "多回合", "en": "Several answers"},
    "reasoning": {"zh-TW": "有思考過程", "en": "With thinking"},
    "split-turns": {"zh-TW": "分成幾列的對話", "en": "A conversation in several rows"},
}

LEFT_OUT: Mapping[str, Words] = {
    "reasoning": {"zh-TW": "要學的回答的思考過程", "en": "the thinking of an answer to learn"},
    "earlier-reasoning": {"zh-TW": "先前回答的思考過程", "en": "the thinking of an earlier answer"},
    "tools": {"zh-TW": "工具定義", "en": "tool definitions"},
    "system-text": {"zh-TW": "系統文字", "en": "a system text"},
    "user-text": {"zh-TW": "使用者的話", "en": "a user's words"},
    "tool-text": {"zh-TW": "工具結果", "en": "a tool's result"},
    "assistant-text": {"zh-TW": "先前的回答", "en": "an earlier answer"},
}

DROPPED: Mapping[str, Words] = {
    "over-length": {"zh-TW": "超過長度上限", "en": "over the length limit"},
    "template-refused": {"zh-TW": "模板拒絕這種對話", "en": "refused by the template"},
    "prompt-not-kept": {
        "zh-TW": "模板寫回答時改掉了題目的結尾",
        "en": "the template changes the prompt under the answer",
    },
    "call-not-written": {
        "zh-TW": "模板沒有照樣寫出工具呼叫",
        "en": "the template does not write a tool call as it is",
    },
    "empty-answer": {"zh-TW": "回答是空的", "en": "an answer is empty"},
    "same-answer": {"zh-TW": "兩個回答的詞元相同", "en": "both answers have the same tokens"},
}

TURNS: Mapping[str, Words] = {
    "in": {"zh-TW": "進來", "en": "in"},
    "out": {"zh-TW": "採用", "en": "used"},
    "joined-user": {"zh-TW": "與相鄰的使用者回合合併", "en": "joined: user"},
    "joined-assistant": {"zh-TW": "與相鄰的回答合併", "en": "joined: assistant"},
    "joined-system": {"zh-TW": "與相鄰的系統回合合併", "en": "joined: system"},
    "joined-tool": {"zh-TW": "與相鄰的工具結果合併", "en": "joined: tool"},
    "dropped-user": {"zh-TW": "後面沒有回答的提問，略去", "en": "dropped: user, no answer follows"},
    "dropped-tool": {
        "zh-TW": "後面沒有回答的工具結果，略去",
        "en": "dropped: tool, no answer follows",
    },
    "dropped-system": {"zh-TW": "空白的系統回合，略去", "en": "dropped: system, blank"},
}
