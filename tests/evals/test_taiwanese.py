"""Simplified characters and mainland words are found; what Taiwan writes is left in peace."""

import pytest

from foundry.evals.taiwanese import mainland_words, simplified_leaks, vocabulary


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("国会与产业", {"国": "國", "会": "會", "与": "與", "产": "產", "业": "業"}),
        ("請問这個多少錢", {"这": "這"}),
        ("什么时候", {"时": "時", "什么": "什麼"}),
        ("以后再说", {"说": "說", "以后": "以後"}),
        ("根据規定", {"根据": "根據"}),
        ("取胜的是沉淀法", {"取胜": "取勝", "沉淀": "沉澱"}),
        ("们们们", {"们": "們"}),
    ],
)
def test_simplified_leaks_with_what_taiwan_writes(text, expected):
    assert simplified_leaks(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "台北后里",
            "范先生與余小姐",
            "乾淨、干擾、若干部門",
            "游泳準備",
            "皇后面前",
            "胜肽保養品",
        ),
        *(
            "三公厘",
            "經濟拮据",
            "涂小姐",
            "叱咤風雲",
            "膻中穴",
            "寮國的寶桑庄",
            "董先生自由于先生介紹",
        ),
        *("占地、佔地", "吃什麼", "一公里面積", "𠮷野家", "着", "喫茶", "麵包裡面包著", "12ＡＢ👍"),
    ],
)
def test_characters_that_traditional_has_too_do_not_leak(text):
    assert simplified_leaks(text) == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("請下載軟件", {"軟件": "軟體"}),
        ("请下载软件", {"软件": "軟體"}),
        ("默認值和硅谷", {"默認": "預設", "硅": "矽"}),
        ("U盤壞了", {"U盤": "隨身碟"}),
        ("二進制與十六進制", {"二進制": "二進位", "十六進制": "十六進位"}),
        ("應用程序員", {"應用程序": "應用程式"}),  # of two at one place the longer
    ],
)
def test_mainland_words_are_found_in_either_writing(text, expected):
    assert mainland_words(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *(
            "電視頻道",
            "我相信息事寧人是好事",
            "他默認了",
            "立刻錄音",
            "文字段落",
            "兩端口徑",
            "黑客松",
        ),
        *(
            "服務器材",
            "感激活動主辦單位",
            "拍打印度鼓",
            "公車的操作手冊",
            "軟體、資料庫、程式",
            "目光盤旋",
        ),
    ],
)
def test_the_same_characters_by_chance_are_no_mainland_word(text):
    assert mainland_words(text) == {}


def test_every_word_names_a_source_that_the_list_has():
    listed = vocabulary()

    assert {word.source for word in listed.words} == {*listed.sources}
    assert len(listed.words) > 150


def test_no_word_is_listed_twice():
    for words in (vocabulary().words, vocabulary().simplified):
        listed = [word.word for word in words]

        assert len(listed) == len(set(listed))


def test_what_is_said_to_be_of_opencc_is_what_opencc_changes():
    from opencc import OpenCC

    simplify, characters, words = (OpenCC(c).convert for c in ("t2s", "s2tw", "s2twp"))
    own = [word.word for word in vocabulary().words if word.source == "opencc"]

    assert [w for w in own if characters(simplify(w)) == words(simplify(w))] == []


def test_every_excuse_holds_its_word_and_excuses_it():
    for find, words in (
        (mainland_words, vocabulary().words),
        (simplified_leaks, vocabulary().simplified),
    ):
        for word in words:
            assert find(word.word), word
            for text in word.unless:
                assert word.word in text and word.word not in find(text), (word.word, text)


def test_what_taiwan_says_instead_is_clean():
    listed = [*vocabulary().words, *vocabulary().simplified]
    leaked = {w.word: w.taiwan for w in listed if simplified_leaks(w.taiwan)}
    wrong = {w.word: w.taiwan for w in listed if mainland_words(w.taiwan)}

    assert leaked == wrong == {}


def test_characters_said_to_be_traditional_would_leak_without_the_list():
    """Each entry is needed: OpenCC changes it and it is no everyday character."""
    from opencc import OpenCC

    to_traditional, to_simplified = OpenCC("s2t").convert, OpenCC("t2s").convert

    for character in vocabulary().traditional:
        assert to_traditional(character) != character == to_simplified(character), character
        assert simplified_leaks(character) == {}
