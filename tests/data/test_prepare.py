"""Stage 3 on whole files: every row is used, refused by its line, or counted as blank."""

import json
import sys

import pytest

from foundry.core import atomic
from foundry.core.errors import DataError, RecipeError, ResourceError
from foundry.data import acceptance
from foundry.data.acceptance import missing_columns
from tests.cases import case, change

HEADER = "question,answer,product\n"


def pairs(part):
    return [(e.messages[-2].content, e.answer) for e in part]


def table(rows):
    return HEADER + "".join(f"{','.join(row)}\n" for row in rows)


def test_every_row_is_accounted_for(bench):  # C50
    blank = ",\n" * 50
    bench.write("a.csv", "question,answer\n問,答\n問2,\n,\n  ,\u3000\n" + blank)

    manifest = bench.prepare("a.csv")

    assert pairs(bench.part()) == [("問", "答")]
    assert bench.refused() == [(3, "empty-answer")]
    assert (manifest.rows_in, manifest.rows_used) == (54, 1)
    assert (manifest.rows_refused, manifest.rows_blank) == (1, 52)
    assert manifest.refused_by_code == {"empty-answer": 1}


@pytest.mark.parametrize("answer", ["0912345678", "04595257", "3", "1.0", "nan", "2026-01-05"])
def test_text_reaches_the_example_as_written(bench, answer):  # C48, C50
    bench.write("a.csv", f"question,answer\n問,{answer}\n")

    bench.prepare("a.csv")

    assert bench.part()[0].answer == answer


def test_encodings_give_the_same_examples(bench):  # C44, C45
    text = "question,answer\n恒春的裏面與許功蓋？,碁嫺粧\n"
    for name, content in {
        "a.csv": text.encode(),
        "b.csv": b"\xef\xbb\xbf" + text.encode(),
        "c.csv": text.encode("utf-16"),
        "d.csv": text.encode("cp950"),
    }.items():
        bench.write(name, content)

    manifest = bench.prepare("a.csv", "b.csv", "c.csv", "d.csv")

    assert [s.encoding for s in manifest.sources] == ["utf-8", "utf-8-sig", "utf-16", "cp950"]
    assert manifest.refused_by_code == {"duplicate": 3}  # the four are one
    assert bench.part()[0].messages[0].content == "恒春的裏面與許功蓋？"


def test_written_files_are_utf8_and_have_their_hash(bench):  # C45
    bench.write("a.csv", "question,answer\n許功蓋,碁\n".encode("cp950"))

    manifest = bench.prepare("a.csv")

    file = bench.out.parent / manifest.part("train").file
    assert "許功蓋" in file.read_text(encoding="utf-8")
    assert manifest.part("train").sha256 == atomic.sha256(file)
    assert json.loads((bench.out / "manifest.json").read_text(encoding="utf-8"))["rows_in"] == 1


def test_mixed_types_are_told_by_file_line_field_and_type(bench):  # C51
    outputs = ['"4"', "4", '["4"]', '{"a": 4}', "true", "null"]
    rows = [f'{{"question": "{n}", "answer": {text}}}\n' for n, text in enumerate(outputs)]
    bench.write("a.jsonl", "".join(rows))

    bench.prepare("a.jsonl")

    assert [e.answer for e in bench.part()] == ["4", "4", "true"]
    assert bench.refused() == [(3, "type"), (4, "type"), (6, "empty-answer")]
    refusal = json.loads((bench.out / "refused.jsonl").read_text(encoding="utf-8").split("\n")[0])
    assert refusal["source"] == "a.jsonl"
    assert refusal["reason"] == "field `answer`: found a list, expected text"


def test_field_that_is_null_for_long_is_kept_where_it_is_not(bench):  # C52
    rows = [
        {"instruction": f"i{n}", "output": "o" * 400, "system": "規則" if n == 1_989 else None}
        for n in range(2_000)
    ]
    bench.write("a.jsonl", rows)

    bench.prepare("a.jsonl", format={"kind": "instruction", "system": "system"})

    part = bench.part()
    assert len(part) == 2_000
    assert [e.line for e in part if e.messages[0].role == "system"] == [1_990]


def every_file_has_all_columns(intakes, wanted):
    return [problem for intake in intakes for problem in missing_columns([intake], wanted)]


@case(
    "C52",
    {"each file must have it": change(acceptance, "missing_columns", every_file_has_all_columns)},
)
@pytest.mark.parametrize("names", [("a.jsonl", "b.jsonl"), ("b.jsonl", "a.jsonl")])
def test_field_that_one_of_two_files_lacks_is_kept_in_the_other(names, bench):
    bench.write("a.jsonl", [{"instruction": "問", "output": "答", "system": "規則"}])
    bench.write("b.jsonl", [{"instruction": "另一檔", "output": "沒有這一欄"}])

    bench.prepare(*names, format={"kind": "instruction", "system": "system"})

    assert {e.source: e.messages[0].role for e in bench.part()} == {
        "a.jsonl": "system", "b.jsonl": "user"
    }  # fmt: skip


def test_row_beside_one_with_more_keys_is_as_if_alone(bench):  # C53
    turns = [{"role": "user", "content": "問"}, {"role": "assistant", "content": "答"}]
    more = [{**turn, "name": "小明", "tool_calls": None} for turn in turns]
    bench.write("a.jsonl", [{"messages": turns}, {"messages": [*more, *turns], "id": 7}])
    bench.write("b.jsonl", [{"messages": turns}])

    bench.prepare("a.jsonl", format={"kind": "chat"})
    beside = bench.part()[0].messages
    bench.prepare("b.jsonl", format={"kind": "chat"})

    assert bench.part()[0].messages == beside


def test_turns_in_and_out_balance(bench):  # C20
    tool_chat = [
        {"from": role, "value": role}
        for role in ("system", "human", "gpt", "observation", "function_call")
    ]
    plain = [{"from": role, "value": role} for role in ("human", "human", "gpt", "human")]
    bench.write("a.jsonl", [{"conversations": tool_chat}, {"conversations": plain}])

    manifest = bench.prepare("a.jsonl", format={"kind": "chat"})

    assert bench.refused() == [(1, "tool-call")]
    assert manifest.turns == {"in": 4, "out": 2, "joined-user": 1, "dropped-user": 1}


def test_tool_call_that_is_no_json_is_refused_by_its_message(bench):  # C59
    chat = [{"from": role, "value": role} for role in ("human", "function_call", "gpt")]
    bench.write("a.jsonl", [{"conversations": chat, "tools": '[{"name": "f"}]'}])

    with pytest.raises(DataError, match="message 2: tool call: not valid JSON"):
        bench.prepare("a.jsonl", format={"kind": "chat"}, max_refused=0.0)


def test_respelled_roles_are_reported(bench):  # C57
    chat = [{"from": "Human ", "value": "問"}, {"from": "gpt", "value": "答"}]
    bench.write("a.jsonl", [{"conversations": chat}])

    manifest = bench.prepare("a.jsonl", format={"kind": "chat"})

    assert manifest.notices == {"role-respelled": 1}


def test_example_keeps_every_column_as_text(bench):
    bench.write(
        "a.jsonl", [{"question": "問", "answer": "答", "n": 3, "tags": ["a", 1], "x": None}]
    )

    bench.prepare("a.jsonl")

    assert bench.part()[0].fields == {
        "question": "問", "answer": "答", "n": "3", "tags": '["a", 1]', "x": ""
    }  # fmt: skip


def test_id_is_of_the_conversation_alone(bench):
    bench.write("a.csv", table([("問", "答", "鍋"), ("問二", "答二", "鍋")]))
    bench.write("b.csv", table([("問二", "答二", "盤")]))

    bench.prepare("a.csv")
    first = bench.part()
    bench.prepare("b.csv")

    assert bench.part()[0].id == first[1].id != first[0].id


# --- what stops the stage


def test_too_many_refused_rows_stop_the_run_with_their_lines(bench):
    bench.write("a.csv", "question,answer\n問,答\n問2,\n問3,\n問4,答\n")

    with pytest.raises(DataError) as error:
        bench.prepare("a.csv", max_refused=0.49)

    head, *rows = error.value.problems
    assert "2 of 4 rows" in head.what
    assert [problem.where for problem in rows] == ["a.csv:3", "a.csv:4"]


def test_share_of_refused_rows_at_the_limit_is_allowed(bench):
    bench.write("a.csv", "question,answer\n問,答\n問2,\n問3,\n問4,答\n")

    assert bench.prepare("a.csv", max_refused=0.5).rows_refused == 2


def test_copies_do_not_count_as_faulty(bench):
    bench.write("a.csv", "question,answer\n" + "問,答\n" * 20)

    assert bench.prepare("a.csv", max_refused=0.0).rows_refused == 19


def test_test_file_full_of_faults_is_not_hidden_by_a_large_training_file(bench):
    bench.write("a.csv", table([(f"問{n}", "答", "鍋") for n in range(100)]))
    bench.write("exam.csv", table([("問", "", "鍋")]))

    with pytest.raises(DataError, match=r"exam\.csv: 1 of 1 rows"):
        bench.prepare("a.csv", tests=[{"name": "exam", "path": "exam.csv"}], max_refused=0.05)


def test_no_row_left_for_training_is_refused(bench):
    bench.write("a.csv", "question,answer\n問,\n")

    with pytest.raises(DataError, match="no rows are left for part `train`"):
        bench.prepare("a.csv", max_refused=1.0)


@pytest.mark.parametrize("kind", ["question-answer", "auto"])
def test_file_without_rows_is_refused(bench, kind):
    bench.write("a.csv", "question,answer\n,\n")

    with pytest.raises(DataError, match="has no rows") as error:
        bench.prepare("a.csv", format={"kind": kind})

    assert error.value.problems[0].fix == "put rows into it, or take it out of the recipe"


def test_missing_column_names_those_there_are_and_the_nearest(bench):
    bench.write("a.csv", "question,anwser\n問,答\n")

    with pytest.raises(DataError) as error:
        bench.prepare("a.csv")

    (problem,) = error.value.problems
    assert problem.what == "no column `answer`; there are: question, anwser"
    assert problem.fix == "did you mean `anwser`?"


@pytest.mark.parametrize(
    "data",
    [
        {"format": {"kind": "question-answer", "context": "sheet"}},
        {"split": {"test": 0.5, "group_by": "sheet"}},
        {"tests": [{"name": "exam", "path": "exam.csv", "disjoint_by": "sheet"}]},
    ],
)
def test_column_named_anywhere_in_the_recipe_must_exist(bench, data):
    bench.write("a.csv", table([("問", "答", "鍋"), ("問二", "答二", "盤")]))
    bench.write("exam.csv", "question,answer,sheet\n問,答,紙\n")

    with pytest.raises(DataError, match="no column `sheet`"):
        bench.prepare("a.csv", **data)


def test_column_must_exist_in_the_test_file_too(bench):
    bench.write("a.csv", "question,answer,sheet\n問,答,紙\n")
    bench.write("exam.csv", "question,answer,shet\n問二,答二,紙\n")

    with pytest.raises(DataError, match=r"exam\.csv: no column `sheet`"):
        bench.prepare(
            "a.csv",
            format={"kind": "question-answer", "context": "sheet"},
            tests=[{"name": "exam", "path": "exam.csv"}],
        )


def test_column_that_keeps_a_test_apart_must_exist_in_its_file(bench):
    bench.write("a.csv", table([("問", "答", "鍋")]))
    bench.write("exam.csv", "question,answer\n問二,答二\n")
    tests = [{"name": "exam", "path": "exam.csv", "disjoint_by": "product"}]

    with pytest.raises(DataError, match=r"exam\.csv: no column `product`"):
        bench.prepare("a.csv", tests=tests)


def test_file_of_which_no_row_can_be_read_says_why(bench):
    bench.write("a.jsonl", '{"question": NaN}\n')

    with pytest.raises(DataError) as error:
        bench.prepare("a.jsonl", max_refused=0.5)

    assert error.value.problems[-1].what == "`NaN` is not a JSON number"


def test_missing_file_names_the_nearest(bench):
    bench.write("train.csv", table([("問", "答", "鍋")]))

    with pytest.raises(ResourceError, match=r"did you mean .*train\.csv"):
        bench.prepare("trian.csv")


@pytest.mark.skipif(sys.platform != "linux", reason="limits are set as on Linux")
def test_disk_that_takes_no_more_is_told_and_leaves_nothing(bench):
    import resource

    bench.write("a.csv", table([(f"問{n}", "答" * 100, "鍋") for n in range(200)]))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(ResourceError, match="cannot be read or written"):
            bench.prepare("a.csv")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert list(bench.out.iterdir()) == []


@pytest.mark.parametrize(("name", "split"), [("train", None), ("test", {"test": 0.5})])
def test_name_of_a_part_that_is_taken_is_refused(bench, name, split):
    bench.write("a.csv", table([("問", "答", "鍋")]))

    with pytest.raises(RecipeError, match=f"two parts are called `{name}`"):
        bench.prepare("a.csv", tests=[{"name": name, "path": "a.csv"}], split=split)


def test_licence_and_declaration_are_recorded(bench):
    path = bench.write("a.csv", table([("問", "答", "鍋")]))

    (source,) = bench.prepare("a.csv").sources

    assert source.licence == "CC0-1.0"
    assert source.declaration == {
        "basis": "own-work", "by": "tests", "purpose": "testing", "note": None
    }  # fmt: skip
    assert (source.path, source.rows, source.sha256) == ("a.csv", 1, atomic.sha256(path))


def test_no_absolute_path_is_recorded(bench):  # C43
    path = bench.write("a.csv", table([("問", "", "鍋"), ("問", "答", "鍋")]))

    manifest = bench.prepare(str(path))

    written = "".join(f.read_text(encoding="utf-8") for f in bench.out.iterdir())
    assert manifest.sources[0].path == "a.csv"
    assert str(bench.folder) not in written
