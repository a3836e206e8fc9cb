"""Each file is told by itself: how it was read, and what became of its rows."""

from foundry.core.events import Events
from foundry.data.telling import summary, tell

QUESTIONS = "question,answer\n問,答\n問二,\n,\n問,答\n{{名}},答\n"
CHATS = [
    {"messages": [{"role": "user", "content": "問"}, {"role": "assistant", "content": "答"}]},
    {
        "messages": [{"role": "user", "content": "三"}] * 2
        + [{"role": "assistant", "content": "答"}]
    },
]


def prepared(bench):
    (bench.folder / "data").mkdir()
    bench.write("data/a.csv", QUESTIONS.encode("utf-16"))
    bench.write("data/b.jsonl", CHATS)
    bench.write("data/.hidden", "x")
    return bench.prepare("data", format={"kind": "auto"})


def test_every_file_has_a_record_that_balances(bench):
    first, second = prepared(bench).sources

    assert (first.path, first.kind, first.encoding) == ("data/a.csv", "csv", "utf-16")
    assert (first.columns, first.guessed) == (("question", "answer"), True)
    assert first.format["kind"] == "question-answer"
    assert (first.rows, first.used, first.blank) == (4, 2, 1)
    assert first.refused == {"duplicate": 1, "empty-answer": 1}
    assert first.noticed == {"placeholder": "data/a.csv:6: {{名}}"}
    assert (second.kind, second.format["kind"]) == ("jsonl", "chat")
    assert (second.used, second.refused) == (1, {"duplicate": 1})
    assert second.turns == {"in": 5, "out": 4, "joined-user": 1}


def test_row_that_repeats_another_file_is_refused_where_it_stands(bench):
    bench.write("b.csv", "question,answer\n問,答\n")
    bench.write("a.csv", "question,answer\n問,答\n問二,答\n")

    manifest = bench.prepare("b.csv", "a.csv")

    assert [(s.path, s.used, s.refused) for s in manifest.sources] == [
        ("b.csv", 1, {}),
        ("a.csv", 1, {"duplicate": 1}),
    ]


def test_files_and_notices_are_told(bench):
    heard = []
    tell(Events([heard.append]), prepared(bench))

    told = [(event["event"], event.get("file") or event.get("first")) for event in heard]
    assert told == [
        ("source", "data/a.csv"),
        ("source", "data/b.jsonl"),
        ("not-read", "data/.hidden"),
        ("notice", "data/a.csv:6: {{名}}"),
    ]
    assert (
        heard[0]["format"] == "format: {kind: question-answer, question: question, answer: answer}"
    )
    assert (heard[0]["rows"], heard[0]["used"], heard[0]["blank"]) == (4, 2, 1)


def test_summary_has_the_rows_and_the_files(bench):
    made = summary(prepared(bench).as_dict())

    assert {k: made[f"rows_{k}"] for k in ("in", "used", "refused", "blank")} == {
        **{"in": 7, "used": 3},
        **{"refused": 3, "blank": 1},
    }
    assert made["parts"] == {"train": 3}
    assert [source["path"] for source in made["sources"]] == ["data/a.csv", "data/b.jsonl"]
    assert list(made["skipped"]) == [{"path": "data/.hidden", "reason": "hidden"}]
