"""Recipe over fragments, `--set` over both: merged by key, replaced where the kind changes."""

import pytest

GGUF = "exports: [{kind: gguf, quantization: f16}, {kind: adapter}]\n"


@pytest.fixture
def other_adapter(monkeypatch):
    """A second adapter, as another package would add one."""
    from types import SimpleNamespace

    from foundry.core import plugins
    from foundry.core.fields import Closed

    class Spec(Closed):
        size: int = 1

    real_load, real_origins = plugins.load, plugins._origins
    monkeypatch.setattr(plugins, "names", lambda p: tuple(sorted(plugins._origins(p))))
    monkeypatch.setattr(
        plugins, "_origins", lambda p: real_origins(p) | ({"dora": "x"} if p == "adapter" else {})
    )
    monkeypatch.setattr(
        plugins,
        "load",
        lambda p, kind: SimpleNamespace(Spec=Spec) if kind == "dora" else real_load(p, kind),
    )


def test_recipe_overrides_single_keys_of_a_fragment(load, configs):
    configs("adapters/small", "adapter: {kind: lora, rank: 2, alpha: 4}\n")

    spec = load("extends: [adapters/small]\nadapter: {alpha: 8}").recipe.adapter.spec

    assert (spec.rank, spec.alpha) == (2, 8)


def test_override_beats_recipe_and_fragment(load, configs):
    configs("adapters/small", "adapter: {kind: lora, rank: 2}\n")

    loaded = load("extends: [adapters/small]\nadapter: {rank: 3}", sets=("adapter.rank=4",))

    assert loaded.recipe.adapter.spec.rank == 4


def test_last_override_wins(load):
    assert load(sets=("seed=1", "seed=2")).recipe.seed == 2


def test_override_reads_yaml(load):
    loaded = load(sets=("exports=[{kind: gguf}]", "title={zh-TW: 甲, en: A}"))

    assert [block.kind for block in loaded.recipe.exports] == ["gguf"]
    assert loaded.recipe.title.zh_TW == "甲"


def test_override_with_nothing_behind_it_is_null(load):
    assert load("package: {author: Us}", sets=("package.author=",)).recipe.package.author is None


def test_override_may_hold_an_equals_sign(load):
    assert load(sets=("purpose=a=b",)).recipe.purpose == "a=b"


def test_override_changes_one_item_of_a_list(load):
    exports = load(GGUF, sets=("exports.0.quantization=q8_0",)).values["exports"]

    assert exports == [{"kind": "gguf", "quantization": "q8_0"}, {"kind": "adapter"}]


def test_block_whose_kind_changes_is_replaced(load, configs, other_adapter):
    configs("adapters/small", "adapter: {kind: lora, rank: 2}\n")

    loaded = load("extends: [adapters/small]\nadapter: {kind: dora}")

    assert loaded.values["adapter"] == {"kind": "dora", "size": 1}


def test_item_whose_kind_changes_is_replaced(load):
    assert load(GGUF, sets=("exports.0.kind=merged",)).values["exports"][0] == {
        "kind": "merged",
        "dtype": "float32",
    }


def test_default_kind_changes_too(load, other_adapter):
    loaded = load("adapter: {rank: 2}", sets=("adapter.kind=dora", "adapter.size=3"))

    assert loaded.values["adapter"] == {"kind": "dora", "size": 3}


def test_naming_the_default_kind_keeps_the_block(load):
    assert load("adapter: {rank: 2}", sets=("adapter.kind=lora",)).recipe.adapter.spec.rank == 2


def test_order_of_overrides_of_one_block_does_not_matter(load, other_adapter):
    sets = ("adapter.size=3", "adapter.kind=dora")

    assert load("adapter: {rank: 2}", sets=sets).values["adapter"]["size"] == 3


def test_lists_are_replaced_not_joined(load):
    assert len(load(GGUF, sets=("exports=[]",)).recipe.exports) == 0


def test_block_in_two_fragments_names_both(mistakes, configs):
    configs("adapters/a", "adapter: {rank: 2}\n")
    configs("adapters/b", "seed: 1\nadapter: {rank: 4}\n")

    assert mistakes("extends: [adapters/a, adapters/b]") == [
        "configs/adapters/b.yaml:2:1: adapter: the block is defined in two fragments, "
        "also in configs/adapters/a.yaml:1:1\n"
        "  fix: extend one of the two, and write the rest in the recipe"
    ]


def test_fragment_cannot_extend(mistakes, configs):
    configs("adapters/a", "extends: [adapters/b]\nadapter: {rank: 2}\n")

    assert mistakes("extends: [adapters/a]")[0].startswith(
        "configs/adapters/a.yaml:1:1: extends: a fragment cannot extend another"
    )


def test_mistake_in_a_fragment_is_told_where_it_stands(mistakes, configs):
    configs("adapters/a", "adapter: {rnak: 2}\n")

    assert mistakes("extends: [adapters/a]") == [
        "configs/adapters/a.yaml:1:11: adapter.rnak: unknown key\n  fix: rename it to `rank`"
    ]


def test_broken_fragment_is_told_with_the_recipes_own_mistakes(mistakes, configs):
    configs("adapters/a", "adapter: {rank: [}\n")

    found = mistakes("extends: [adapters/a]\nsed: 1\n")

    assert [problem.split(":")[0] for problem in found] == [
        "configs/adapters/a.yaml",
        "shop.yaml",
    ]


def test_unknown_fragment_lists_those_there_are_and_the_nearest(mistakes):
    assert mistakes("extends: [adapters/lroa]") == [
        "shop.yaml:10:11: extends.0: unknown fragment `adapters/lroa`; there are: adapters/dora, "
        "adapters/full, adapters/hira, adapters/ia3, adapters/lora, adapters/lora-plus, "
        "adapters/oft, adapters/olora, adapters/pissa, adapters/qlora, adapters/rslora, "
        "adapters/vera\n"
        "  fix: use `adapters/lora`"
    ]


@pytest.mark.parametrize("name", ["../../etc/passwd", "models/gemma-3-270m", "5", "{}"])
def test_no_other_file_can_be_extended(mistakes, name):
    assert "unknown fragment" in mistakes(f"extends: [{name}]")[0]


def test_extends_must_be_a_list(mistakes):
    assert mistakes("extends: adapters/lora") == [
        "shop.yaml:10:1: extends: must be a list; got the text `adapters/lora`\n"
        "  fix: write `extends: [adapters/lora]`"
    ]


def test_extends_of_nothing_is_nothing(load):
    assert load("extends:").values == load().values


@pytest.mark.parametrize("argument", ["train", "=5", "a..b=1", ".a=1", "a" + ".a" * 50 + "=1"])
def test_override_of_another_form_is_refused_with_an_example(mistakes, argument):
    assert mistakes(sets=(argument,))[0].endswith("write `--set train.learning_rate=1e-4`")


def test_override_of_an_item_that_is_not_there(mistakes):
    assert mistakes(GGUF, sets=("exports.2.kind=gguf",)) == [
        "--set exports.2.kind: no item `2`; the list has 2 items, counted from 0\n"
        "  fix: give the number of an item"
    ]


def test_override_of_an_unknown_key_is_told_without_repeating_the_key(mistakes):
    assert mistakes(sets=("train.max_step=5",)) == [
        "--set train.max_step: unknown key\n  fix: rename it to `max_steps`"
    ]


def test_override_that_is_not_yaml_is_refused(mistakes):
    assert mistakes(sets=("seed=[",))[0].startswith("--set seed: not valid YAML")


def test_repeated_key_in_an_override_is_refused(mistakes):
    assert "second time" in mistakes(sets=("title={en: a, en: b, zh-TW: c}",))[0]


def test_later_override_may_change_an_item_of_an_earlier_list(load):
    loaded = load(sets=("exports=[{kind: gguf}]", "exports.0.quantization=f16"))

    assert loaded.recipe.exports[0].spec.quantization == "f16"


def test_override_of_an_absurd_index_is_refused(mistakes):
    assert "no item" in mistakes(GGUF, sets=(f"exports.{'9' * 5000}.kind=gguf",))[0]


def test_how_a_source_is_read_is_a_block_like_any_other(load):
    source = load(sets=("data.sources.0.read.kind=csv",)).recipe.data.sources[0]

    assert (source.read.kind, source.path) == ("csv", "a.csv")
