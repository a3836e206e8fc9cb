"""What counts as naming the machine, and what is a word like any other."""

import pytest

from foundry.delivery.private import Private, findings, freed, is_absolute

HERE = Private({"/home/wang/base": "base", r"C:\Users\wang\b": "b", "/root": "…"}, ("root",))


@pytest.mark.parametrize(
    "text", ["/home/wang", "/data/x/y.csv", r"C:\data\x", "D:/data", "~/x", r"\\server\share"]
)
def test_absolute(text):
    assert is_absolute(text)


@pytest.mark.parametrize(
    "text", ["/completion", "data/x.csv", "I/O", "https://a.b/c", "/ 月 / 年", "a\n/b/c", "", "/"]
)
def test_not_absolute(text):
    assert not is_absolute(text)


def test_paths_are_replaced_as_plain_json_and_html_text():
    text = r'/home/wang/base/x "C:\\Users\\wang\\b" C:\Users\wang\b /home/wang/base2 a/root'

    assert freed(text, HERE) == r'base/x "b" b /home/wang/base2 a/root'


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.md", "see /root/models"),
        ("a.md", "root@server"),
        ("a.json", '{"a": ["/data/x/y"]}'),
        ("a.md", "file:///home/li/x"),
        ("a.md", r"C:\Users\li\x"),
        ("a.md", "/tmp/tmpab12/x"),
        ("a.txt", "token hf_AbCdEfGhIjKlMnOpQrStUvWxYz01234567"),
    ],
)
def test_found(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")

    assert [problem.where for problem in findings(tmp_path, HERE)][:1] == [name]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.md", "the root of the tree; POST /completion; and/or; 元/月/年"),
        ("a.json", '{"root": "root", "license": "https://ai.google.dev/gemma/terms"}'),
        ("vocab.json", '{"/root/": 1, "/home/li": 2}'),
        ("foundry/report.html", "<td>設定在 /home/shop/x</td>"),
    ],
)
def test_not_found(tmp_path, name, text):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text, encoding="utf-8")

    assert findings(tmp_path, HERE) == []


def test_file_that_cannot_be_read_is_named_with_its_folder(tmp_path):
    (tmp_path / "gguf-q8_0").mkdir()
    (tmp_path / "gguf-q8_0/model.gguf").write_bytes(b"GGUF" + bytes(3))

    assert [problem.where for problem in findings(tmp_path, HERE)] == ["gguf-q8_0/model.gguf"]
