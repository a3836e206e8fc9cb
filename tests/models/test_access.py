"""Not found, gated, private, mistyped and no folder: five different sentences (C71)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from foundry.core.errors import RecipeError, ResourceError
from foundry.core.events import Events
from foundry.models import access, catalogue, names
from foundry.models.download import fetch
from foundry.models.fetch import locate
from tests.cases import case, change
from tests.models.hub import Faults, Hub, Repository
from tests.tiny_recipe import TOKEN, call

GEMMA, TAIDE = "google/gemma-3-270m", "taide/Gemma-3-TAIDE-12b-Chat-2602"


def told(name: str) -> str:
    """What fetching `name` says; never with the token in it (C78)."""
    with pytest.raises(ResourceError) as error:
        fetch(names.wanted(name), Events())
    assert TOKEN not in str(error.value)
    return str(error.value)


def one_for_all(wanted: names.Wanted, _response: object) -> ResourceError:
    """The mutant that says of every refusal what others say."""
    return access.unreachable(wanted, "not a local folder and not a valid identifier")


@pytest.fixture
def token(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> str:
    """A token that the hub knows, in the environment."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.tokens.add(TOKEN)
    return TOKEN


def models(tmp_path: Path, tiny_llama: Path) -> Path:
    """A folder `models/base` with a model in it."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "base").symlink_to(tiny_llama)
    return tmp_path


@case("C71", {"a path may be a hub id": change(names, "is_path", lambda _name: False)})
def test_path_without_a_folder_asks_nobody_and_offers_the_nearest(
    hub: Hub, tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(models(tmp_path, tiny_llama))

    with pytest.raises(ResourceError) as error:
        locate("./modles/base", tmp_path)
    outcome = call("model", "fetch", "./modles/base")

    assert str(error.value) == (
        "./modles/base: the folder does not exist\n  fix: use `./models/base`"
    )
    assert (outcome.code, outcome.err) == (3, f"{error.value}\n")
    assert hub.asked == []


@pytest.mark.parametrize("name", ["modles/base", "models/bose"])
def test_folder_mistyped_as_a_hub_id_is_offered_too(
    hub: Hub, tiny_llama: Path, tmp_path: Path, name: str
):
    with pytest.raises(ResourceError, match="or, if a folder is meant, use `models/base`"):
        locate(name, models(tmp_path, tiny_llama))
    assert hub.asked == []


def test_folder_that_holds_no_model_is_told_so(tmp_path: Path):
    (tmp_path / "empty").mkdir()

    with pytest.raises(ResourceError, match=r"no config\.json in the model's folder"):
        locate("./empty", tmp_path)


@case("C71", {"nothing is a name": change(names, "NOTHING", set())})
@pytest.mark.parametrize("name", ["", "  ", "None", "null"])
@pytest.mark.parametrize(
    "ask", [lambda name: locate(name, Path()), lambda name: told(name)], ids=["recipe", "fetch"]
)
def test_empty_id_is_a_fault_of_the_recipe(hub: Hub, name: str, ask: Callable[[str], object]):
    with pytest.raises(RecipeError, match="no base model is named") as error:
        ask(name)

    assert error.value.exit_code == 2
    assert hub.asked == []


@case("C71", {"all refusals alike": change(access, "refused", one_for_all)})
def test_gated_without_a_token_names_page_token_and_fallback(hub: Hub):
    hub.repositories[GEMMA] = Repository({"config.json": b"{}", "x.safetensors": b""}, "manual")

    said = told(GEMMA)

    assert "gated: it is given only to those who accepted its terms" in said
    assert f"accept the terms on {hub.endpoint}/{GEMMA}" in said
    assert "make a token on https://huggingface.co/settings/tokens" in said
    assert f"or use `{catalogue.find('gemma-3-270m').fallback}`, which has no gate" in said


def test_gated_of_taide_says_what_its_page_asks_for(hub: Hub, token: str):
    hub.repositories[TAIDE] = Repository({"config.json": b"{}", "x.safetensors": b""}, "auto")

    said = told(f"{TAIDE}@main")

    assert "gated, and the token's account has not been let in" in said
    assert "the page asks for: name, date of birth" in said
    assert "make a token" not in said


def test_gated_that_let_the_account_in_is_fetched(hub: Hub, token: str, tiny_llama: Path):
    hub.repositories[GEMMA] = Repository.of(tiny_llama, gated="auto", let_in={token})

    assert fetch(names.wanted(GEMMA), Events()).size_bytes > 0


@case("C71", {"all refusals alike": change(access, "refused", one_for_all)})
@pytest.mark.parametrize("is_private", [True, False])
def test_missing_and_private_are_not_told_apart_without_a_token(hub: Hub, is_private: bool):
    if is_private:
        hub.repositories["owner/secret"] = Repository({}, private=True)

    said = told("owner/secret")

    assert "missing, private or gated; without a token the hub does not say which" in said
    assert "set it in the environment as HF_TOKEN" in said


@case(
    "C71",
    {
        "all refusals alike": change(access, "refused", one_for_all),
        "no names are like it": change(access, "near_models", lambda _hub_id: []),
    },
)
def test_not_found_with_a_token_offers_cached_and_known_names(
    hub: Hub, token: str, hub_cache: Path
):
    (hub_cache / "models--google--gemma-3-270").mkdir(parents=True)

    said = told("google/gemma-3-27Om")

    assert "there is no such model on the hub, or the token may not see it" in said
    assert "did you mean `google/gemma-3-270m`, `google/gemma-3-270`" in said


def test_token_that_the_hub_does_not_know_is_told(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)

    assert "the hub does not know the token" in told("owner/secret")


def test_revision_that_is_not_there_is_told(hub: Hub, tiny_llama: Path):
    hub.repositories["owner/tiny"] = Repository.of(tiny_llama)

    assert "the repository has no revision `v9`" in told("owner/tiny@v9")


@pytest.mark.parametrize(
    ("status", "sentence"),
    [(503, "fails (503)"), (429, "fewer requests (429)"), (403, "may not read this model")],
)
def test_other_refusal_has_its_own_sentence(hub: Hub, status: int, sentence: str):
    hub.faults = Faults(status=status)

    assert sentence in told("owner/tiny")


def test_hub_that_nobody_answers_for_is_told(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    hub.pages.server_close()

    assert f"no connection to {hub.endpoint} (ConnectError)" in told("owner/tiny")


def test_five_sentences_differ(hub: Hub, token: str, monkeypatch: pytest.MonkeyPatch):
    hub.repositories[GEMMA] = Repository({"config.json": b"{}", "x.safetensors": b""}, "manual")
    sentences = [told(GEMMA), told("owner/missing")]
    monkeypatch.delenv("HF_TOKEN")
    sentences += [told("owner/missing"), told(GEMMA)]
    for name in ("./modles/base", ""):
        with pytest.raises((ResourceError, RecipeError)) as error:
            locate(name, Path())
        sentences.append(str(error.value))

    assert len({sentence.split("\n")[0].split(": ", 1)[1] for sentence in sentences}) == 6


@pytest.mark.parametrize("name", ["owner/na me", "owner/-x", "owner/a--b", "/"])
def test_name_that_the_hub_would_not_take_asks_nobody(hub: Hub, name: str):
    outcome = call("model", "fetch", name)

    assert outcome.code in (2, 3)
    assert hub.asked == []


def test_two_revisions_are_refused():
    with pytest.raises(RecipeError, match=r"two revisions are given \(main and v1\)"):
        names.wanted("owner/tiny@main", "v1")


def test_pinned_revision_of_the_catalogue_is_taken():
    entry = catalogue.find("gemma-3-taide-12b")

    assert names.wanted("gemma-3-taide-12b").revision == entry.revision
    assert names.wanted("gemma-3-taide-12b@main").revision == "main"
