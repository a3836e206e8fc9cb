"""What the user does with a package: verify it, ask it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tiny_recipe import TinyRecipe, call

ROOT = Path(__file__).resolve().parents[2]
PLACES = {"first": 0.0, "middle": 0.5, "last": 1.0}


def flipped(package: Path, place: float) -> Iterator[str]:
    """Flip the lowest bit of one byte in each file in turn, and put it back."""
    for path in sorted(p for p in package.rglob("*") if p.is_file()):
        whole = path.read_bytes()
        damaged = bytearray(whole)
        damaged[round(place * (len(whole) - 1))] ^= 1
        path.write_bytes(damaged)
        yield path.relative_to(package).as_posix()
        path.write_bytes(whole)


def test_package_is_in_order(finished: TinyRecipe):
    outcome = call("verify", str(finished.package), "--json")

    assert (outcome.code, outcome.document["ok"]) == (0, True)
    assert outcome.document["exports"] == ["gguf-q8_0", "gguf-adapter-f32", "adapter"]


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_one_flipped_byte_in_any_file_is_named(finished: TinyRecipe, place: float):
    silent, seen = [], 0
    for name in flipped(finished.package, place):
        outcome = call("verify", str(finished.package))
        seen += 1
        if outcome.code != 1 or name not in outcome.err:
            silent.append((name, outcome.code, outcome.err))

    assert silent == []
    assert seen == call("verify", str(finished.package), "--json").document["files"]


def test_missing_file_is_named(finished: TinyRecipe):
    (finished.package / "LICENCE.md").unlink()

    outcome = call("verify", str(finished.package))

    assert outcome.code == 1
    assert outcome.err.startswith("LICENCE.md: ")


def test_file_that_was_added_is_named(finished: TinyRecipe):
    (finished.package / "adapter" / "extra.bin").write_bytes(b"x")

    outcome = call("verify", str(finished.package))

    assert outcome.code == 1
    assert outcome.err.startswith("adapter/extra.bin: ")


def test_chat_prints_the_answer_alone_and_needs_no_torch(finished: TinyRecipe):
    code = (
        "import sys; from foundry.cli.main import main; code = main(sys.argv[1:]);"
        "print('torch' in sys.modules, file=sys.stderr); sys.exit(code)"
    )
    command = [sys.executable, "-c", code, "chat", str(finished.package), "--prompt", "售價4？"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "三百元。\n", "False\n")


def test_chat_answers_from_the_gguf_file(finished: TinyRecipe):
    (finished.package / "gguf-q8_0" / "model.gguf").write_bytes(b"GGUF")

    outcome = call("chat", str(finished.package), "--prompt", "售價4？", "--json")

    assert outcome.code == 1
    assert outcome.document["problems"][0]["where"] == "gguf-q8_0/model.gguf"


def test_chat_finds_the_package_of_a_run(finished: TinyRecipe):
    outcome = call("chat", str(finished.run.path), "--prompt", "保固9？", "--json")

    (answer,) = outcome.document["answers"]
    assert (answer["answer"], answer["stopped"]) == ("一年，謝謝。", True)


def test_package_says_nothing_of_this_machine(finished: TinyRecipe):  # C43
    texts = [p for p in finished.package.rglob("*") if p.suffix in (".json", ".md", ".yaml", "")]
    names = (str(finished.folder.parent.parent), str(Path.home()))

    assert len(texts) > 15
    assert [(p, n) for p in texts if p.is_file() for n in names if n in p.read_text("utf-8")] == []


def test_parity_in_the_package_is_what_was_measured(finished: TinyRecipe):
    packed = json.loads((finished.package / "foundry" / "parity.json").read_text("utf-8"))

    assert packed == finished.train("--json").document["parity"]
