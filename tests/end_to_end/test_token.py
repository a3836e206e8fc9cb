"""A token given to the program is in none of its files and in nothing that it prints (C78)."""

import json
import logging
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest

from foundry.cli import model as model_verb
from foundry.core import environment, secrets
from foundry.planning import plan
from tests.cases import case, change
from tests.models import hub as stand_in
from tests.models.hub import Hub, Repository
from tests.tiny_recipe import ACCEPT, TOKEN, Outcome, TinyRecipe, call

# A hub that is not Hugging Face's gives tokens of any form; only the setting tells what they are.
OTHER = "sesame-open-4711"
MASKED = "***"


@pytest.fixture(params=[TOKEN, OTHER])
def token(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A token in the environment, and a folder of its own for error logs."""
    monkeypatch.setenv("HF_TOKEN", request.param)
    return str(request.param)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the program keeps what it writes outside a run."""
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def holding(folder: Path, token: str) -> list[Path]:
    """The files that hold the token."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return [path for path in files if token.encode() in path.read_bytes()]


def silent(outcome: Outcome, token: str) -> bool:
    """Whether nothing that was printed holds the token."""
    return token not in outcome.out + outcome.err


NAMED = {"the token is recorded": change(environment, "SETTINGS", ("HF_TOKEN",))}


@case("C78", NAMED)
def test_run_record_and_output_lack_the_token(recipe: TinyRecipe, token: str):
    outcomes = [
        recipe.train("--dry-run", "--json"),
        recipe.train("--dry-run"),
        recipe.train("--until", "data", "--events"),
        call("plan", str(recipe.file), "--runs", str(recipe.runs), *ACCEPT),
    ]

    assert [outcome.code for outcome in outcomes] == [0] * 4
    assert all(silent(outcome, token) for outcome in outcomes)
    assert recipe.run.file("env.json").is_file()
    assert holding(recipe.folder, token) == []


def test_package_and_everything_beside_it_lack_the_token(whole_run: tuple[TinyRecipe, Outcome]):
    recipe, outcome = whole_run

    assert outcome.code == 0
    assert silent(outcome, TOKEN)
    assert recipe.package.is_dir()
    assert holding(recipe.folder, TOKEN) == []


def test_adding_the_token_to_a_file_is_seen(recipe: TinyRecipe):
    (recipe.folder / "log.txt").write_text(f"Authorization: Bearer {TOKEN}", encoding="utf-8")

    assert [path.name for path in holding(recipe.folder, TOKEN)] == ["log.txt"]


@case("C78", {"tokens are not looked for": change(secrets, "find", lambda _text: [])})
def test_token_in_a_recipe_is_refused_and_not_repeated(recipe: TinyRecipe):
    values = json.loads(recipe.file.read_text(encoding="utf-8"))
    values["base_model"] = f"owner/{TOKEN}"
    recipe.file.write_text(json.dumps(values), encoding="utf-8")

    outcomes = [recipe.train("--json"), call("recipe", "check", str(recipe.file))]

    assert [outcome.code for outcome in outcomes] == [2, 2]
    assert all("an access token stands here" in o.out + o.err for o in outcomes)
    assert all(silent(outcome, TOKEN) for outcome in outcomes)
    assert not recipe.runs.exists()


@case("C78", {"nothing is masked": change(secrets, "mask", lambda text: text)})
def test_crash_keeps_a_traceback_without_the_token(
    recipe: TinyRecipe, token: str, home: Path, monkeypatch: pytest.MonkeyPatch
):
    def crash(*_arguments: object, **_options: object) -> None:
        raise RuntimeError(f"GET https://hub.example?token={token} failed")

    monkeypatch.setattr(plan, "locate", crash)

    outcomes = [call(*recipe.arguments(*options), may_crash=True) for options in (["--json"], [])]

    logs = list((home / "logs").iterdir())
    assert [outcome.code for outcome in outcomes] == [70, 70]
    assert all(MASKED in outcome.out + outcome.err for outcome in outcomes)
    assert all(silent(outcome, token) for outcome in outcomes)
    assert "RuntimeError: GET https://hub.example?token=***" in logs[0].read_text(encoding="utf-8")
    assert holding(home, token) == []


@case("C78", {"a token is taken": change(model_verb, "_refuse_token", lambda _token: None)})
@pytest.mark.parametrize("written", [("--token", TOKEN), (f"--token={TOKEN}",)])
def test_token_on_the_command_line_is_refused_with_the_reason(
    written: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("FOUNDRY_OFFLINE", "1")

    outcome = call("model", "fetch", "owner/tiny", *written)

    assert outcome.code == 2
    assert "stays in the shell's history and the process list" in outcome.err
    assert "set it in the environment as HF_TOKEN" in outcome.err
    assert silent(outcome, TOKEN)


@case("C78", {"nothing is masked": change(secrets, "mask", lambda text: text)})
@pytest.mark.parametrize(
    "line",
    [
        *(("plan", TOKEN), ("model", "fetch", TOKEN), ("model", "show", "x", TOKEN), (TOKEN,)),
        *(("recipe", "check", TOKEN, "--json"), ("verify", TOKEN, "--json")),
    ],
)
def test_token_in_the_wrong_place_is_not_repeated(line: tuple[str, ...]):
    outcome = call(*line)

    assert outcome.code in (2, 3)
    assert MASKED in (outcome.out if "--json" in line else outcome.err)
    assert silent(outcome, TOKEN)


@pytest.fixture
def hub(tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub on this machine with a tiny model that only the token's account may have."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    with stand_in.running() as made:
        monkeypatch.setenv("HF_ENDPOINT", made.endpoint)
        made.repositories["owner/tiny"] = Repository.of(tiny_llama, gated="manual")
        yield made


def test_debug_log_of_the_hubs_client_lacks_the_token(
    hub: Hub,
    token: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    from huggingface_hub import constants

    hub.tokens.add(token)
    monkeypatch.setattr(constants, "HF_DEBUG", True)
    log = StringIO()
    handler = logging.StreamHandler(log)
    client = logging.getLogger("huggingface_hub")
    monkeypatch.setattr("foundry.models.quiet.LOGGERS", ())
    # By `setLevel`: loggers below remember from an earlier test that nobody listened.
    caplog.set_level(logging.DEBUG, logger=client.name)
    client.addHandler(handler)

    refused = call("model", "fetch", "owner/tiny")
    hub.repositories["owner/tiny"].let_in.add(token)
    fetched = call("model", "fetch", "owner/tiny", "--json")

    client.removeHandler(handler)
    assert (refused.code, fetched.code) == (3, 0)
    assert "authorization: <TOKEN>" in log.getvalue()
    assert token not in log.getvalue()
    assert silent(refused, token) and silent(fetched, token)
    assert holding(tmp_path, token) == []
