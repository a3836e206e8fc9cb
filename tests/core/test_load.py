"""A good recipe loads; every value says where it came from; overrides and fragments apply."""

import random

import pytest

from foundry.core.errors import FoundryError, RecipeError, ResourceError
from foundry.core.load import leaves, load_recipe
from foundry.core.yaml_places import dotted

FIRST_SEED, ROUNDS = 0, 400


def test_defaults_fill_what_is_not_written(load):
    recipe = load().recipe

    assert (recipe.seed, recipe.encode.max_seq_len, recipe.adapter.kind) == (0, 512, "lora")
    assert (recipe.train.kind, recipe.train.spec.epochs, recipe.train.spec.max_steps) == (
        *("sft", 3, None),
    )


def test_recipe_cannot_be_changed(load):
    with pytest.raises(ValueError, match="frozen"):
        load().recipe.seed = 1


@pytest.mark.parametrize("rate", ["1e-4", "1.0e-4", "0.0001", '"1e-4"', "'0.0001'", "+1E-4"])
def test_every_spelling_of_a_learning_rate_is_one_float(load, rate):
    assert load(f"train: {{learning_rate: {rate}}}").recipe.train.spec.learning_rate == 0.0001


def test_whole_number_is_taken_where_a_number_is_wanted(load):
    alpha = load("adapter: {alpha: 8}").recipe.adapter.spec.alpha

    assert (alpha, type(alpha)) == (8.0, float)


def test_word_no_is_text(load):
    assert load(sets=("purpose=no",)).recipe.purpose == "no"


def test_source_declares_the_recipes_purpose_where_it_names_none(load):
    assert load().recipe.data.sources[0].declaration.purpose == "customer-service"


def test_source_may_declare_another_purpose(load):
    loaded = load(sets=("data.sources.0.declaration.purpose=research",))

    assert loaded.recipe.data.sources[0].declaration.purpose == "research"


def test_values_are_the_recipe_with_every_default(load):
    values = load("adapter: {rank: 4}").values

    assert values["adapter"] == {
        **{"kind": "lora", "rank": 4, "alpha": 32.0, "dropout": 0.0},
        **{"target_modules": "all-linear"},
    }
    assert values["title"] == {"zh-TW": "店", "en": "Shop"}


def test_every_leaf_has_an_origin(load):
    loaded = load()

    assert set(loaded.origins) == {dotted(path) for path in leaves(loaded.values)}


def test_origin_is_file_line_and_column(load):
    assert load("train: {max_steps: 5}").origins["train.max_steps"] == "shop.yaml:10:9"


def test_origin_of_a_value_in_a_list_names_its_index(load):
    assert load().origins["data.sources.0.path"] == "shop.yaml:8:8"


def test_origin_of_a_value_nobody_wrote_is_default(load):
    assert load().origins["train.learning_rate"] == "default"


def test_origin_of_an_override_is_the_argument(load):
    loaded = load(sets=("train.max_steps=5",))

    assert loaded.origins["train.max_steps"] == "--set train.max_steps"


def test_origin_of_a_fragments_value_is_the_fragment(load, configs):
    configs("adapters/small", "adapter:\n  kind: lora\n  rank: 2\n")

    loaded = load("extends: [adapters/small]")

    assert loaded.origins["adapter.rank"] == "configs/adapters/small.yaml:3:3"


def test_origin_tells_nothing_about_the_machine(load, tmp_path, monkeypatch):
    path = load().path.resolve()
    monkeypatch.chdir("/")
    monkeypatch.setattr("foundry.core.shipped.Path.cwd", lambda: tmp_path / "elsewhere")

    assert load_recipe(path).origins["name"] == "shop.yaml:2:1"


def test_byte_order_mark_and_windows_line_ends_change_nothing(load):
    plain = load()
    text = b"\xef\xbb\xbf" + plain.source_text.replace("\n", "\r\n").encode()

    assert load(text=text).values == plain.values


def test_source_text_is_the_file_as_written(load):
    assert load("# a comment\n").source_text.endswith("# a comment\n")


def test_big5_file_is_refused_with_the_command_that_converts_it(mistakes):
    found = mistakes(text="schema_version: 1\nname: 店".encode("cp950"))

    assert found == [
        "shop.yaml:2:7: not UTF-8 (byte 0xA9)\n"
        "  fix: save it as UTF-8: `iconv -f CP950 -t UTF-8 shop.yaml > utf8.yaml`"
    ]


def test_utf_16_file_is_recognised(mistakes):
    assert "iconv -f UTF-16" in mistakes(text="schema_version: 1".encode("utf-16"))[0]


def test_other_bytes_are_refused_without_a_guess(mistakes):
    assert mistakes(text=b"a: \xff\xff")[0].endswith("fix: save the file as UTF-8")


def test_file_of_two_megabytes_is_not_read(mistakes):
    assert mistakes(text=b"a: b\n" * 400_000)[0].startswith("shop.yaml: larger than 1048576 bytes")


@pytest.mark.parametrize("text", ["- a", "a", "[]", "5"])
def test_file_that_is_no_block_of_keys_is_refused(mistakes, text):
    assert "must be a block of keys" in mistakes(text=text)[0]


def test_token_in_a_recipe_is_refused_and_not_repeated(mistakes):
    found = mistakes("# hf_TESTTOKEN0123456789\nbase: hf_TESTTOKEN0123456789\n")

    assert [p.split(": ")[0] for p in found] == ["shop.yaml:10:3", "shop.yaml:11:7"]
    assert "TESTTOKEN" not in "".join(found)


def test_token_hidden_by_an_escape_is_refused(mistakes):
    assert "access token" in mistakes('package: {author: "hf\\x5fTESTTOKEN0123456789"}')[0]


def test_token_as_a_key_is_refused(mistakes):
    assert "access token" in mistakes('"hf\\x5fTESTTOKEN0123456789": 1')[0]


def test_token_in_an_override_is_refused_and_not_repeated(mistakes):
    found = mistakes(sets=("base_model=hf_TESTTOKEN0123456789",))

    assert found[0].startswith("--set: an access token stands here")
    assert "TESTTOKEN" not in found[0]


def test_directory_is_no_recipe(tmp_path):
    with pytest.raises(ResourceError, match="no such file"):
        load_recipe(tmp_path)


def test_unreadable_file_says_why(load, monkeypatch):
    load()

    def denied(*_arguments, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", denied)

    with pytest.raises(ResourceError, match=r"shop\.yaml: cannot be read: Permission denied"):
        load_recipe("shop.yaml")


def test_any_text_is_a_recipe_or_a_list_of_problems(load):
    """Damage the shipped recipe at random; nothing but a FoundryError may come out."""
    source = load_recipe("retail/customer-service").source_text.split("\n")
    rng = random.Random(FIRST_SEED)
    outcomes = {True: 0, False: 0}

    for __ in range(ROUNDS):
        text = "\n".join(_damaged(source, rng)).encode("utf-8", "surrogatepass")
        try:
            load(text=text)
            outcomes[True] += 1
        except FoundryError as error:
            assert str(error)
            outcomes[False] += 1

    assert min(outcomes.values()) > ROUNDS // 20  # both ways were walked


def _damaged(lines: list[str], rng: random.Random) -> list[str]:
    bits = [
        *("{", "}", "[", "]", ":", " ", "- ", "'", '"', "#", "|", ">", "&a ", "*a", "!!x ", "%"),
        *("\t", "?", "null", "true", "1e999", ".nan", "9" * 500, "-1", "0x1F", "\x00", "\u2028"),
        *(
            "\ud7ff",
            "kind: ",
            "lora",
            "part: ",
            "~",
            "<<: ",
            '"\\ud800"',
            "extends: ",
            "0",
            "\ud800",
        ),
    ]
    changed = list(lines)
    for __ in range(rng.choice([1, 1, 2, 5])):
        row = rng.randrange(len(changed))
        column = rng.randrange(len(changed[row]) + 1)
        cut = column + rng.choice([0, 0, 1, 5])
        edits = [
            changed[row][:column] + rng.choice(bits) + changed[row][cut:],
            changed[rng.randrange(len(changed))],
            "  " + changed[row],
            "",
        ]
        changed[row] = rng.choice(edits)
    return changed


def test_error_of_a_recipe_ends_with_exit_code_2():
    assert RecipeError.exit_code == 2
