"""YAML is read with places; what could be executed or multiplied is refused (C79)."""

import pytest

from foundry.core.errors import Place, RecipeError
from foundry.core.yaml_places import MAX_DEPTH, MAX_REFUSED, MAX_VALUES, read


def place(line: int, column: int) -> Place:
    return Place("f.yaml", line, column)


def refused(text: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        read(text, place)
    return [str(problem) for problem in caught.value.problems]


def test_value_has_the_place_of_its_key():
    tree, __ = read("a:\n  b: {c: 1}\n", place)

    assert str(tree.at("a", "b", "c").place) == "f.yaml:2:7"


def test_item_has_its_own_place():
    tree, __ = read("a:\n  - x\n  - y\n", place)

    assert str(tree.at("a", 1).place) == "f.yaml:3:5"


def test_missing_path_is_none():
    tree, __ = read("a: [x]\n", place)

    assert [tree.at("a", 1), tree.at("a", -1), tree.at("a", "b"), tree.at("b", "c")] == [None] * 4


def test_quoted_number_is_text():
    assert read("a: '1'\nb: \"2\"\nc: |\n  3\n", place)[0].plain() == {
        "a": "1",
        "b": "2",
        "c": "3\n",
    }


def test_repeated_key_names_both_lines_and_keeps_the_first():
    tree, repeated = read("a:\n  b: 1\n  b: 2\n", place)

    assert tree.plain() == {"a": {"b": 1}}
    assert str(repeated[0]) == (
        "f.yaml:3:3: a.b: this key stands here a second time (first in line 2)\n"
        "  fix: remove one of the two"
    )


def test_repeated_key_in_an_item_is_named_by_its_index():
    __, repeated = read("a: [1, {k: 1, k: 2}]\n", place)

    assert repeated[0].where == "f.yaml:1:15: a.1.k"


def test_object_tag_is_refused_with_its_place():
    assert refused("a: 1\nb: !!python/object/apply:os.system [x]")[0].startswith(
        "f.yaml:2:4: tags (`tag:yaml.org,2002:python/object/apply:os.system`) are not part"
    )


def test_alias_bomb_is_refused_before_it_grows():
    levels = [
        f"{chr(98 + n)}: &{chr(98 + n)} [{'*' + chr(97 + n)}{',*' + chr(97 + n)}]" for n in range(9)
    ]

    found = refused("\n".join(["a: &a [x, x]", *levels]))

    assert len(found) == 1 + 9 + 18
    assert found[0].startswith("f.yaml:1:4: anchors (`&a`) are not part of the recipe language")


def test_flood_of_aliases_is_cut_off():
    assert len(refused("a: [" + "*x," * 1000 + "]")) == MAX_REFUSED


def test_flood_of_values_is_refused():
    assert "more than 20000 keys and values" in refused("a: [" + "1," * MAX_VALUES + "]")[0]


def test_depth_is_bounded():
    assert f"nested deeper than {MAX_DEPTH} levels" in refused("[" * 100_000)[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:\n\t- b", "f.yaml:2:1: not valid YAML: found character '\\t'"),
        ("a: b: c", "f.yaml:1:5: not valid YAML: mapping values are not allowed here"),
        ("a: [", "not valid YAML"),
        ('a: "\\U00110000"', "an escape is out of range"),
        ("", "f.yaml:1:1: there is nothing in it"),
        ("# only a comment", "there is nothing in it"),
        ("a: 1\n---\nb: 2", "f.yaml:2:1: a second document begins here"),
        ("? [a]\n: b", "f.yaml:1:3: a key must be text"),
        ("a: \x00", "f.yaml:1:4: the file holds the control character U+0000"),
        ('a: "\\e[2J"', "f.yaml:1:4: a value holds the control character U+001B"),
        ('a: "\\ud800"', "a value holds the control character U+D800"),
        ('"\\0": a', "a value holds the control character U+0000"),
        ("*a : b", "aliases"),
        ("%YAML 3.0\n---\na", "incompatible YAML document"),
    ],
)
def test_text_that_is_no_plain_yaml_is_refused_with_its_place(text, message):
    assert message in refused(text)[0]


def test_tab_has_the_fix():
    assert refused("a:\n\t- b")[0].endswith("fix: indent with spaces, not with tabs")


def test_message_repeats_nothing_of_the_file():
    assert "SECRET" not in refused("a: SECRET: b")[0]
