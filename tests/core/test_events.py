"""The record of an event is always the same, and a listener that cannot write stops nothing."""

import json
import os
from datetime import datetime

import pytest

from foundry.core.events import HEAD, Events, as_line, to_file

TOKEN = "hf_TESTTOKEN0123456789ABCDEFGHIJKLMN"


def test_record_begins_with_the_same_keys_in_the_same_order():
    told = []
    events = Events([told.append])

    events.emit("plan", "begin")
    events.run = "tiny-1a2b3c4d"
    events.emit("train", "step", loss=1.5)

    assert [tuple(event)[: len(HEAD)] for event in told] == [HEAD, HEAD]
    assert HEAD == ("v", "n", "t", "run", "stage", "event")
    assert [(e["v"], e["n"], e["run"]) for e in told] == [(1, 1, None), (1, 2, "tiny-1a2b3c4d")]
    assert datetime.fromisoformat(told[0]["t"]).tzinfo is not None
    assert told[1]["loss"] == 1.5


@pytest.mark.parametrize("name", ["v", "n", "t", "run"])
def test_value_may_not_take_the_place_of_the_head(name: str):
    with pytest.raises(ValueError, match="bear a name of its head"):
        Events([]).emit("train", "step", **{name: 1})


def test_line_is_strict_json_without_tokens():
    line = as_line({"v": 1, "problems": [{"what": f"no access with {TOKEN}"}]})

    assert json.loads(line)["problems"][0]["what"] == "no access with ***"
    with pytest.raises(ValueError, match="JSON compliant"):
        as_line({"loss": float("nan")})


def test_listener_hears_only_its_block():
    told, always = [], []
    events = Events([always.append])

    with events.heard_by(told.append):
        events.emit("train", "begin")
    events.emit("train", "end")

    assert [event["event"] for event in told] == ["begin"]
    assert [event["event"] for event in always] == ["begin", "end"]


def test_log_goes_on_after_the_last_run_and_after_a_torn_line(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text('{"v": 1, "n"', encoding="utf-8")

    Events([to_file(path)]).emit("plan", "begin")
    Events([to_file(path)]).emit("plan", "end")

    torn, *whole = path.read_text(encoding="utf-8").splitlines()
    assert torn == '{"v": 1, "n"'
    assert [json.loads(line)["event"] for line in whole] == ["begin", "end"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a disk that is always full")
def test_log_on_a_full_disk_stops_no_work(tmp_path):
    path = tmp_path / "events.jsonl"
    path.symlink_to("/dev/full")

    Events([to_file(path)]).emit("plan", "begin")
