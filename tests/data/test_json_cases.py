"""The faults of JSON files that people have met, with the inputs they met (cases.md §2.5)."""

import json

import pytest

from foundry.data import json_rows, json_syntax, reading, rows, strict_json
from foundry.data.reading import read
from foundry.data.rows import Bad, JsonNumber, Row
from tests.cases import case, change

FAMILY = "👨\u200d👩\u200d👧"


def items(path):
    return list(read(path).items)


def bad(path):
    return [(item.line, item.code) for item in items(path) if isinstance(item, Bad)]


@case(
    "C51",
    {
        "a number is read as one": change(rows, "_json_text", lambda value: "4.0"),
        "a list becomes text": change(rows, "as_text", lambda value, field: str(value)),
        "the reason has no type": change(rows, "type_name", lambda value: "this"),
        "a bad line ends the file": change(
            json_rows, "_line_item", lambda decoder, line, n: Row(n, json.loads(line))
        ),
    },
)
def test_mixed_types_are_text_or_told_by_line_field_and_type(bench):
    outputs = ['"4"', "4", '["4"]', '{"a":4}', "true", "null"]
    lines = [f'{{"question": "{n}", "answer": {text}}}\n' for n, text in enumerate(outputs)]
    bench.write("a.jsonl", "".join(lines))

    bench.prepare("a.jsonl")

    assert [e.answer for e in bench.part()] == ["4", "4", "true"]
    assert bench.refused() == [(3, "type"), (4, "type"), (6, "empty-answer")]
    refused = (bench.out / "refused.jsonl").read_text(encoding="utf-8").splitlines()
    first = json.loads(refused[0])
    assert (first["source"], first["line"]) == ("a.jsonl", 3)
    assert first["reason"] == "field `answer`: found a list, expected text"

    lines = [json.dumps({"question": str(n)}) for n in range(10_000)]
    lines[7_776] = '{"question": 7776,, }'
    assert bad(bench.write("b.jsonl", "\n".join(lines))) == [(7_777, "json-syntax")]


def _typed_by_the_first_rows(item):
    """The fault of C52: a field that was null in the first block can hold nothing else."""
    values = {key: None if key == "system" else value for key, value in item.values.items()}
    return Row(item.line, values)


def _same_fields_in_each_file(item):
    return Row(item.line, {"system": None, **item.values})


@case(
    "C52",
    {
        "the first rows give the types": change(reading, "_checked", _typed_by_the_first_rows),
        "all files have the same fields": change(reading, "_checked", _same_fields_in_each_file),
    },
)
def test_field_that_is_null_for_long_keeps_its_late_value(bench):
    lines = [
        {"instruction": f"i{n}", "output": "o" * 500, "system": "規則" if n == 19_989 else None}
        for n in range(20_000)
    ]
    path = bench.write("a.jsonl", lines)
    assert path.stat().st_size > 10_000_000

    found = items(path)

    assert [(i.line, i.values["system"]) for i in found if i.values["system"]] == [(19_990, "規則")]
    assert len(found) == 20_000
    (other,) = items(bench.write("b.jsonl", [{"instruction": "另一檔", "output": "無此欄"}]))
    assert "system" not in other.values


@case(
    "C56",
    {
        "the last of two keys wins": change(
            json_syntax.Decoder, "_object", lambda self, p: dict(p)
        ),
        "NaN is a number": change(json_syntax.Decoder, "_constant", lambda self, n: float(n)),
        "numbers are computed": change(json_syntax, "JsonNumber", lambda digits: float(digits)),
    },
)
def test_odd_json_is_refused_by_line_and_never_written(bench):
    odd = ['{"output":"A","output":"B"}', *(f'{{"output": {w}}}' for w in ("NaN", "-Infinity"))]
    good = '{"question": "問", "answer": 1.0}'
    path = bench.write("a.jsonl", "\n".join([good, *odd]))

    bench.prepare("a.jsonl")

    assert items(path)[0] == Row(1, {"question": "問", "answer": JsonNumber("1.0")})
    assert bench.refused() == [(2, "duplicate-key"), (3, "not-a-number"), (4, "not-a-number")]
    for written in bench.out.rglob("*.jsonl"):
        for line in written.read_text(encoding="utf-8").splitlines():
            json.loads(line, parse_constant=pytest.fail)


@pytest.fixture(scope="module")
def tokenizer():
    from tests.tiny import tiny_tokenizer

    return tiny_tokenizer("gemma3")


@case(
    "C60",
    {
        "half a pair passes": change(rows, "SURROGATE", rows.re.compile("never")),
        "nothing is looked at": change(strict_json, "unusable", lambda values: None),
    },
)
def test_json_in_a_cell_is_held_to_the_same(bench):
    options = [r'["a", "b\ud83d"]', r'["a", "b\u0000"]', '["a", "b"]']
    bench.write("a.jsonl", [{"question": "q", "options": o, "answer": "A"} for o in options])

    bench.prepare("a.jsonl", format={"kind": "multiple-choice"})

    assert bench.refused() == [(1, "options"), (2, "options")]
    calls = [rf'[{{"name": "f{odd}", "arguments": {{}}}}]' for odd in (r"\ud83d", r"\u0000", "")]
    turns = [
        [{"role": "user", "content": "q"}, {"role": "assistant", "tool_calls": c}] for c in calls
    ]
    bench.write("b.jsonl", [{"messages": messages} for messages in turns])

    bench.prepare("b.jsonl", format={"kind": "chat"})

    assert bench.refused() == [(1, "tool-call"), (2, "tool-call")]


@case(
    "C60",
    {
        "half a pair passes": change(rows, "SURROGATE", rows.re.compile("never")),
        "nothing is looked at": change(reading, "unusable", lambda values: None),
        "joiners are dropped": change(rows, "BYTE_ORDER_MARK", "👨"),
    },
)
def test_text_that_cannot_be_written_is_refused_and_emoji_stay(bench, tokenizer):
    answers = [r'"\ud83d\udc4d"', r'"\ud83d"', f'"{FAMILY}"', r'"a\u0000b"']
    lines = [f'{{"question": "{n}", "answer": {text}}}\n' for n, text in enumerate(answers)]
    bench.write("a.jsonl", "".join(lines))

    bench.prepare("a.jsonl")

    assert bench.refused() == [(2, "lone-surrogate"), (4, "nul")]
    found = [e.answer for e in bench.part()]
    assert found == ["👍", FAMILY]
    for text in found:
        ids = tokenizer.encode(text, add_special_tokens=False)
        assert tokenizer.decode(ids) == text
