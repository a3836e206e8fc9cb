"""The Chinese catalogue: whole, in step with the source, and written as in Taiwan."""

import ast
import gettext as standard_gettext
import string
from collections import Counter
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from foundry.core import facts
from foundry.core.language import gettext, gettext_in, language
from foundry.core.recipe import Text
from foundry.models import catalogue
from foundry.policy import licence
from scripts import messages

TEMPLATE = messages.extract()
CHINESE = read_po(BytesIO(messages.CHINESE.read_bytes()), locale="zh_TW")
TRANSLATIONS = {str(m.id): str(m.string) for m in CHINESE if m.id and m.string}
# Names and words in code are not prose: `…`, {…}, and what is written in Latin letters.
MAINLAND = (
    *("軟件", "視頻", "默認", "信息", "數據", "網絡", "程序", "打印", "屏幕", "鼠標", "用戶"),
    *("文件夾", "字符", "字段", "函數", "服務器", "硬盤", "內存", "質量", "接口", "代碼", "支持"),
    *("加載", "激活", "登錄", "註冊表", "卸載", "驅動程序", "緩存", "線程", "鏈接", "配置文件"),
)
FINE = {"代碼": ("印成代碼",)}  # a code number, not source code
# Words OpenCC takes for mainland ones that Taiwan uses too: item, parameter, document, statement.
ALSO_TAIWANESE = ("項目", "參數", "文件", "聲明", "印成代碼")


def placeholders(text: str) -> Counter[str]:
    """Each `{name}` with its format, as often as it stands."""
    found = string.Formatter().parse(text)
    return Counter(f"{name}:{form}" for __, name, form, __ in found if name is not None)


def prose() -> dict[str, str]:
    """Every Chinese text of the program: messages, and the facts that people read."""
    texts = {f"message {key!r}": value for key, value in TRANSLATIONS.items()}
    for fact in (*catalogue.load_catalogue().values(), *licence.load_licences().values()):
        for number, text in enumerate(_texts(fact)):
            texts[f"{fact.name} {number}"] = text
    return texts


def _texts(fact: facts.Fact) -> list[str]:
    found = []
    for key in type(fact).model_fields:
        value = dict(fact)[key]
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, Text):
                found.append(item.zh_TW)
    return found


def leaked(text: str, converters) -> list[str]:
    """Simplified characters in `text`: outside Big5 level 1 and changed by OpenCC one way only.

    The plain test "s2t changes it" would flag 台里后干游准范余 (shared/taiwan.md §3.3).
    """
    to_traditional, to_simplified = converters
    return [
        c
        for c in text
        if "\u3400" <= c <= "\u9fff"
        and not _is_big5_level_1(c)
        and to_traditional(c) != c
        and to_simplified(c) == c
    ]


def _is_big5_level_1(character: str) -> bool:
    try:
        return 0xA4 <= character.encode("big5")[0] <= 0xC6
    except UnicodeEncodeError:
        return False


@pytest.fixture(scope="module")
def converters():
    from opencc import OpenCC

    return OpenCC("s2t").convert, OpenCC("t2s").convert


def test_template_and_catalogue_hold_the_sentences_of_the_source():
    template = read_po(BytesIO(messages.TEMPLATE.read_bytes()))
    wanted = {m.id for m in TEMPLATE if m.id}

    assert {m.id for m in template if m.id} == wanted, "run `make messages`"
    assert {m.id for m in CHINESE if m.id} == wanted, "run `make messages`"


def test_every_sentence_is_translated():
    assert list(messages.missing(CHINESE)) == []
    assert not any(message.fuzzy for message in CHINESE if message.id)


def test_placeholders_are_those_of_the_source():
    different = {
        source: translation
        for source, translation in TRANSLATIONS.items()
        if placeholders(source) != placeholders(translation)
    }

    assert different == {}


def test_spaces_at_the_ends_are_kept():
    different = [
        source
        for source, translation in TRANSLATIONS.items()
        if (source[:1].isspace(), source[-1:].isspace())
        != (translation[:1].isspace(), translation[-1:].isspace())
    ]

    assert different == []


def test_compiled_catalogue_is_that_of_the_text():
    with messages.CHINESE.with_suffix(".mo").open("rb") as stream:
        compiled = standard_gettext.GNUTranslations(stream)
    fresh = standard_gettext.GNUTranslations(BytesIO(messages.as_mo(CHINESE)))

    different = [s for s in TRANSLATIONS if compiled.gettext(s) != fresh.gettext(s)]
    assert different == [], "run `make messages`"
    assert all(compiled.gettext(s) == t for s, t in TRANSLATIONS.items())


def test_a_sentence_is_never_put_together_before_it_is_translated():
    wrong = []
    for path in sorted(messages.SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id in ("_", "N_") and isinstance(node.args[0], ast.JoinedStr | ast.BinOp):
                wrong.append(f"{path.relative_to(messages.REPOSITORY)}:{node.lineno}")

    assert wrong == []


def test_extraction_finds_calls_inside_f_strings(tmp_path):
    path = tmp_path / "a.py"
    path.write_text("x = f\"{_('inside')}: {gettext_in(n, 'named')}\"\ny = N_(\"marked\")\n")

    assert set(messages.sentences(path)) == {"inside", "named", "marked"}


def test_no_simplified_character_stands_in_what_people_read(converters):
    found = {where: leaked(text, converters) for where, text in prose().items()}

    assert {where: leak for where, leak in found.items() if leak} == {}


@pytest.mark.parametrize("text", ["台北", "后里", "范先生", "余先生", "乾淨", "游泳", "干擾"])
def test_traditional_characters_shared_with_simplified_do_not_leak(text, converters):
    assert leaked(text, converters) == []


@pytest.mark.parametrize("text", ["国会与产业", "软件", "这个"])
def test_simplified_characters_leak(text, converters):
    assert leaked(text, converters)


@pytest.mark.parametrize("word", MAINLAND)
def test_no_mainland_word_stands_in_what_people_read(word):
    found = [
        f"{where}: {text}"
        for where, text in prose().items()
        if word in text and not any(fine in text for fine in FINE.get(word, ()))
    ]

    assert found == []


def test_no_word_is_one_that_opencc_would_write_otherwise_in_taiwan():
    from opencc import OpenCC

    characters, words = OpenCC("s2tw").convert, OpenCC("s2twp").convert
    found = []
    for where, text in prose().items():
        for word in ALSO_TAIWANESE:
            text = text.replace(word, "·")
        if characters(text) != words(text):
            found.append(f"{where}: {text} -> {words(text)}")

    assert found == []


@pytest.mark.parametrize(
    ("chosen", "locale", "expected"),
    [
        ("zh_TW", "en_US.UTF-8", "zh_TW"),
        ("zh-TW", "en_US.UTF-8", "zh_TW"),
        ("zh-Hant", "C.UTF-8", "zh_TW"),
        ("en", "zh_TW.UTF-8", "en"),
        ("", "zh_TW.UTF-8", "zh_TW"),
        ("", "en_GB.UTF-8", "en"),
        ("", "C.UTF-8", "en"),
        ("", "", "en"),
        ("de", "zh_TW.UTF-8", "en"),
    ],
)
def test_language_is_chosen_by_foundry_lang_then_by_lang(monkeypatch, chosen, locale, expected):
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FOUNDRY_LANG", chosen)
    monkeypatch.setenv("LANG", locale)

    assert language() == expected


def test_lc_all_stands_before_lang(monkeypatch):
    monkeypatch.setenv("FOUNDRY_LANG", "")
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    monkeypatch.setenv("LC_ALL", "zh_TW.UTF-8")

    assert language() == "zh_TW"


def test_language_is_looked_up_at_each_call(monkeypatch):
    monkeypatch.setenv("FOUNDRY_LANG", "en")
    assert gettext("licence") == "licence"

    monkeypatch.setenv("FOUNDRY_LANG", "zh_TW")
    assert gettext("licence") == "授權條款"
    assert gettext("no such sentence") == "no such sentence"


def test_one_call_may_name_its_language(monkeypatch):
    monkeypatch.setenv("FOUNDRY_LANG", "en")

    assert gettext_in("zh_TW", "licence") == "授權條款"
    assert gettext_in("en", "licence") == "licence"


def test_every_source_file_is_below_the_folder_that_is_read():
    assert Path(messages.SOURCE) == Path(licence.__file__).resolve().parents[1]
