"""The command line: exit codes, errors in one line, and verbs that load when they are used."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

from foundry.cli import main as command
from foundry.cli.main import VERBS
from foundry.cli.output import verb_app
from foundry.core import errors
from foundry.core.errors import Problem
from foundry.core.version import version
from tests.tiny_recipe import call

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ["torch", "transformers", "peft", "trl", "datasets", "accelerate", "bitsandbytes"]
TOKEN = "hf_TESTTOKEN0123456789"


@pytest.fixture
def failing(monkeypatch, tmp_path):
    """Make the verb `fail`, which raises what it is given."""
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path))

    def prepare(error: BaseException) -> None:
        app = verb_app("Fail.")

        @app.command()
        def fail(json: bool = typer.Option(False, "--json")) -> None:
            raise error

        real = command.plugins.module
        modules = {"fail": SimpleNamespace(app=app)}
        monkeypatch.setattr(command.plugins, "module", lambda name: modules.get(name) or real(name))
        monkeypatch.setitem(VERBS, "fail", ("fail", "Fail."))

    return prepare


def process(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    options = {"capture_output": True, "text": True, "timeout": 60, "cwd": ROOT, **options}
    return subprocess.run([sys.executable, *arguments], check=False, **options)


def test_no_argument_prints_help(told):
    code, out, err = told()

    assert (code, err) == (0, "")
    assert out.startswith("Usage: foundry ")


def test_help_lists_every_verb_with_its_line(told):
    __, out, __ = told("--help")

    for verb, (__, line) in VERBS.items():
        assert f"  {verb} " in out
        assert line in " ".join(out.split())


def test_help_has_an_example_that_runs(told):
    __, out, __ = told("--help")
    example = out.split("Example: foundry ")[1].split("\n")[0].split()

    assert told(*example)[0] == 0


@pytest.mark.parametrize("verb", list(VERBS))
def test_every_verb_has_help(told, verb):
    code, out, __ = told(verb, "--help")

    assert code == 0
    assert f"Usage: foundry {verb} " in out


def test_version_is_that_of_the_project(told):
    assert told("--version") == (0, f"foundry {version()}\n", "")


def test_module_runs_as_the_command():
    done = process("-m", "foundry", "--version")

    assert (done.returncode, done.stdout) == (0, f"foundry {version()}\n")


def test_unknown_verb_names_the_nearest(told):
    assert told("recip") == (2, "", "unknown command `recip`\n  fix: use `foundry recipe`\n")


def test_unknown_verb_like_no_other_points_at_the_help(told):
    assert told("zzz")[2].endswith("fix: use `foundry --help`\n")


SEE = "see `foundry {} --help`"


@pytest.mark.parametrize(
    ("line", "said", "fix"),
    [
        ("--zzz", "--zzz: no such option", "see `foundry --help`"),
        ("train a --untill b", "--untill: no such option", "use `--until`"),
        ("train a --until", "--until: needs a value", SEE.format("train")),
        ("compare --allow-unequal=x", "--allow-unequal: takes no value", SEE.format("compare")),
        ("recipe chek", "unknown command `chek`", "use `foundry recipe check`"),
        ("recipe", "foundry recipe: is one of: list, show, check, fill, new", SEE.format("recipe")),
        ("recipe check", "RECIPE: is needed, and was not given", SEE.format("recipe check")),
        ("recipe check a b", "more words than there is use for: b", SEE.format("recipe check")),
        ("train a --seeds x", "--seeds: must be a whole number; got x", SEE.format("train")),
        ("train a --seeds 0", "--seeds: must be a number of at least 1; got", SEE.format("train")),
        (
            "licence gemma --lang fr",
            "--lang: must be one of zh-TW, en, both; got fr",
            SEE.format("licence"),
        ),
        (
            "registry mark a@1 erased --reason b",
            "KIND: must be one of erased-subject, expired-data; got erased",
            "use `erased-subject`",
        ),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_and_where(told, line, said, fix):
    code, out, err = told(*line.split())

    assert (code, out) == (2, "")
    assert err.startswith(said)
    assert err.endswith(f"\n  fix: {fix}\n")


def test_unknown_stage_is_told_with_those_there_are(told):
    code, out, err = told("train", "none", "--until", "evaluation")

    assert (code, out) == (2, "")
    assert err.startswith("--until: unknown stage `evaluation`; there are: plan, data, encode")


def test_no_wrong_usage_is_told_in_the_words_of_a_library(told, monkeypatch):
    monkeypatch.setenv("FOUNDRY_LANG", "zh_TW")

    for line in ("--zzz", "recipe", "recipe check", "train a --seeds x", "train a --until"):
        err = told(*line.split())[2]
        assert not set(re.findall("[a-z]+", err)) & {"such", "missing", "input", "requires"}


def test_wrong_usage_as_json_is_one_document(told):
    code, out, err = told("recipe", "check", "--json")

    assert (code, err) == (2, "")
    assert json.loads(out)["exit_code"] == 2


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.DataError, 1),
        (errors.LicenceError, 1),
        (errors.ProofError, 1),
        (errors.GateError, 1),
        (errors.RecipeError, 2),
        (errors.ResourceError, 3),
        (errors.LockedError, 73),
        (errors.InterruptedRun, 75),
        (errors.InterruptedByUser, 130),
    ],
)
def test_each_error_has_its_exit_code(told, failing, kind, code):
    failing(kind(Problem("a.yaml:1:2", "wrong", "write b")))

    assert told("fail") == (code, "", "a.yaml:1:2: wrong\n  fix: write b\n")


def test_error_as_json_is_one_document_on_stdout(told, failing):
    failing(errors.GateError(Problem("gates.0", "missed", None)))

    code, out, err = told("fail", "--json")

    assert (code, err) == (1, "")
    assert json.loads(out) == {
        "error": "gate",
        "exit_code": 1,
        "problems": [{"where": "gates.0", "what": "missed", "fix": None}],
    }


@pytest.mark.parametrize("error", [KeyboardInterrupt(), typer.Abort()])
def test_control_c_ends_with_130(told, failing, error):
    failing(error)

    assert told("fail")[0] == 130


def test_exit_code_of_a_verb_is_passed_on(told, failing):
    failing(typer.Exit(5))

    assert told("fail")[0] == 5


def test_bug_is_one_line_that_names_the_file_with_the_traceback(told, failing, tmp_path):
    failing(ZeroDivisionError("division by zero"))

    code, out, err = told("fail")
    log = next((tmp_path / "logs").iterdir())

    assert (code, out) == (70, "")
    assert err == (
        "an error of the program, not yours: ZeroDivisionError: division by zero\n"
        f"  fix: report it with the file {log}\n"
    )
    assert "Traceback" in log.read_text(encoding="utf-8")


def test_bug_as_json_is_one_document(told, failing):
    failing(ZeroDivisionError("division by zero"))

    code, out, __ = told("fail", "--json")

    assert (code, json.loads(out)["error"]) == (70, "internal")


def test_bug_is_no_outcome_that_a_check_may_take_for_a_refusal(failing):
    failing(ZeroDivisionError("division by zero"))

    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        call("fail")


def test_bug_leaks_no_token(told, failing, tmp_path):
    failing(ValueError(f"bad answer for {TOKEN}"))

    __, out, err = told("fail")
    log = next((tmp_path / "logs").iterdir()).read_text(encoding="utf-8")

    assert TOKEN not in out + err + log
    assert "bad answer for ***" in err


def test_bug_where_no_file_can_be_written_prints_the_traceback(told, failing, monkeypatch):
    failing(ZeroDivisionError("division by zero"))
    monkeypatch.setenv("FOUNDRY_HOME", "/dev/null")

    code, __, err = told("fail")

    assert code == 70
    assert "Traceback" in err
    assert err.endswith("fix: report it with the lines above\n")


@pytest.mark.parametrize("arguments", [["model", "list"], ["recipe", "list", "--json"]])
def test_full_disk_behind_stdout_is_no_error_of_the_program(arguments):
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = process(
            "-m", "foundry", *arguments, stdout=full, stderr=subprocess.PIPE, capture_output=False
        )

    assert done.returncode == 3
    assert done.stderr.startswith("cannot be written (No space left on device)\n")


def test_error_as_json_that_stdout_does_not_take_is_told_on_stderr():
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = process(
            *("-m", "foundry", "compare", "--json"),
            stdout=full,
            stderr=subprocess.PIPE,
            capture_output=False,
        )

    assert done.returncode == 2
    assert "name either runs or a study" in done.stderr


def test_reader_that_leaves_is_no_error():
    script = f"{sys.executable} -m foundry recipe schema; echo code $? >&2"  # 60 kB fill the pipe
    shell = ["bash", "-c", f"({script}) | head -c 10 > /dev/null"]

    done = subprocess.run(shell, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False)

    assert done.stderr == "code 0\n"


def test_console_without_chinese_prints_codes():
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "FOUNDRY_LANG": "zh-TW"}

    done = process("-m", "foundry", "recipe", "list", env=environment)

    assert done.returncode == 0
    assert "\\u96f6\\u552e" in done.stdout


def test_json_is_json_on_a_console_without_chinese():
    environment = {**os.environ, "PYTHONIOENCODING": "cp950"}

    done = process(
        "-m", "foundry", "recipe", "show", "retail/customer-service", "--json", env=environment
    )

    assert json.loads(done.stdout)["recipe"]["title"]["zh-TW"] == "零售客服問答"


def loaded_by(*arguments: str) -> set[str]:
    """The modules that a command line has loaded when it ends."""
    code = (
        "import sys; from foundry.cli.main import main; main(sys.argv[1:]);"
        "print('\\n'.join(sys.modules), file=sys.stderr)"
    )
    return set(process("-c", code, *arguments).stderr.split())


@pytest.mark.parametrize(
    "arguments",
    [
        *(["--help"], ["--version"], ["recipe", "--help"], ["recipe", "list"]),
        *(["recipe", "check", "retail/customer-service"], ["recipe", "schema"]),
    ],
)
def test_light_commands_load_no_heavy_library(arguments):
    assert loaded_by(*arguments) & set(HEAVY) == set()


def test_help_loads_no_verb():
    verbs = {module for module, __ in VERBS.values()}

    assert loaded_by("--help") & verbs == set()


@pytest.mark.slow
def test_help_is_nearly_as_fast_as_its_libraries(record_property):
    """`foundry --help` takes at most 2.5 times what importing its libraries takes; best of 5."""

    def best(*arguments: str) -> float:
        times = []
        for __ in range(5):
            started = time.perf_counter()
            process(*arguments)
            times.append(time.perf_counter() - started)
        return min(times)

    ratio = best("-m", "foundry", "--help") / best("-c", "import typer, pydantic, yaml")
    record_property("time of --help over that of its libraries", round(ratio, 2))

    assert ratio <= 2.5
