"""The light tokenizer is transformers' own as far as a look at rows goes."""

import json
import shutil
from pathlib import Path

import pytest

from foundry.models.light_tokenizer import LightTokenizer, open_light
from foundry.models.load import control_tokens, own_bos
from foundry.models.tokenizer import open_tokenizer

TEXTS = ("你好，世界！ hello  world\n\n👍🏽", "<start_of_turn>user\nhi<end_of_turn>\n", " x\t\r\n①")


@pytest.fixture(params=["tiny_llama", "tiny_gemma3"])
def folder(request: pytest.FixtureRequest) -> Path:
    """The folder of a tiny model."""
    return request.getfixturevalue(request.param)


def light(folder: Path) -> LightTokenizer:
    found = open_light(folder)
    assert found is not None
    return found


def same(folder: Path) -> None:
    """Hold the light tokenizer of a folder against transformers'."""
    one, other = light(folder), open_tokenizer(folder)
    for text in TEXTS:
        for special in (True, False):
            ids = [t(text, add_special_tokens=special)["input_ids"] for t in (one, other)]
            assert ids[0] == ids[1]
    for name in ("bos_token", "eos_token", "bos_token_id", "eos_token_id", "chat_template"):
        assert getattr(one, name) == getattr(other, name)
    assert control_tokens(one) == control_tokens(other)
    assert own_bos(one) == own_bos(other)


def test_it_is_the_tokenizer_of_transformers(folder: Path):
    same(folder)


def test_end_of_a_text_is_a_control_token_even_if_its_file_does_not_say_so(
    tiny_gemma3: Path, tmp_path: Path
):
    folder = shutil.copytree(tiny_gemma3, tmp_path / "base")
    file = folder / "tokenizer.json"
    values = json.loads(file.read_text("utf-8"))
    for token in values["added_tokens"]:
        token["special"] = False
    file.write_text(json.dumps(values), encoding="utf-8")

    assert set(control_tokens(light(folder))) == {"<bos>", "<eos>"}
    assert {"<bos>", "<eos>"} <= set(control_tokens(open_tokenizer(folder)))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gemma-3-270m", "smollm2-135m"])
def test_it_is_the_tokenizer_of_the_embedded_models(name: str):
    from foundry.models.fetch import locate

    same(Path(locate(name, Path()).folder))


def test_folder_without_a_fast_tokenizer_is_left_to_transformers(tmp_path: Path):
    (tmp_path / "tokenizer_config.json").write_text("{}", encoding="utf-8")

    assert open_light(tmp_path) is None


def test_template_of_its_own_file_comes_first(folder: Path, tmp_path: Path):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    config = json.loads((tmp_path / "tokenizer_config.json").read_text("utf-8"))
    config["chat_template"] = [{"name": "default", "template": "a"}, {"name": "b", "template": "c"}]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    several = light(tmp_path).chat_template
    (tmp_path / "chat_template.jinja").write_text("own", encoding="utf-8")

    assert several == {"default": "a", "b": "c"}
    assert light(tmp_path).chat_template == "own"
