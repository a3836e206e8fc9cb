"""Cases C62, C63 and C79 with their own input, each red under a fault of ours."""

import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from foundry.core import explain, load, recipe_file, scalars, yaml_places
from foundry.core.errors import Place, RecipeError
from foundry.core.load import load_recipe
from foundry.core.recipe import Recipe
from foundry.core.yaml_places import Node, dotted
from tests.cases import case, change
from tests.tiny_recipe import TinyRecipe, call

GOOD = """\
schema_version: 1
base_model: base
data:
  sources: [{path: rows.csv, licence: MIT, declaration: {basis: own-work, by: Us}}]
  format: {kind: question-answer}
"""
FOUNDRY = Path(explain.__file__).parents[1]
# YAML 1.1 as PyYAML reads it: https://github.com/yaml/pyyaml/blob/6.0.2/lib/yaml/resolver.py.
YAML_1_1 = re.compile(r"[-+]?[0-9][0-9_]*\.[0-9_]*([eE][-+][0-9]+)?|[-+]?[0-9]+")
Write = Callable[[str], str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a recipe; its name, in the working folder."""
    monkeypatch.chdir(tmp_path)

    def run(text: str) -> str:
        Path("r.yaml").write_text(text, encoding="utf-8")
        return "r.yaml"

    return run


def problems(recipe: str) -> list[str]:
    """What is wrong with a recipe, one text a problem; nothing for a good one."""
    try:
        load_recipe(recipe)
    except RecipeError as error:
        return [str(problem) for problem in error.problems]
    return []


@case("C62", {"numbers are read as YAML 1.1 has them": change(scalars, "NUMBER", YAML_1_1)})
def test_every_spelling_of_a_learning_rate_is_one_float(write: Write):
    for rate in ("1e-4", "1.0e-4", "0.0001", '"1e-4"'):
        spec = load_recipe(write(f"{GOOD}train: {{learning_rate: {rate}}}\n")).recipe.train.spec
        assert (spec.learning_rate, type(spec.learning_rate)) == (0.0001, float)
    epochs = load_recipe(write(f"{GOOD}train: {{epochs: 1.0e4}}\n")).recipe.train.spec.epochs
    assert epochs == 10_000


@case(
    "C62",
    {
        "the place is lost": change(explain, "locate", lambda tree, path: dotted(path)),
        "what is wrong is taken as it was meant": change(
            load, "_check", lambda tree: (_lenient(tree, lambda detail: True), [])
        ),
    },
)
def test_impossible_learning_rate_is_refused_by_key_and_line(write: Write):
    for rate in ("abc", "nan", ".nan", "-1", "0", "1.1", "2"):
        found = problems(write(f"{GOOD}train:\n  learning_rate: {rate}\n"))
        assert len(found) == 1
        assert found[0].startswith("r.yaml:7:3: train.learning_rate: must be a number greater ")


def _lenient(tree: Node, ignored: Callable[[dict], bool]) -> Recipe:
    """The recipe without the values that `ignored` takes out, as tools read it that forgive."""
    values = tree.plain()
    while True:
        try:
            return Recipe.model_validate(values)
        except ValidationError as error:
            details = [d for d in error.errors(include_url=False) if ignored(d)]
            if not details:
                raise RecipeError(explain.problems(error, tree)) from None
            head, *rest = details[0]["loc"]  # within a block, the kind stands beside its keys
            _remove(values, [head, *(part for part in rest if part not in ("sft", "lora"))])


def _remove(values: dict, path: list) -> None:
    for part in path[:-1]:
        if not isinstance(values[part], dict | list):  # the rest names a member of a union
            del values[part]
            return
        values = values[part]
    del values[path[-1]]


def _ignoring(tree: Node) -> tuple[Recipe, list]:
    return _lenient(tree, lambda detail: detail["type"] == explain.UNKNOWN), []


@case(
    "C63",
    {
        "unknown keys are ignored": change(load, "_check", _ignoring),
        "no name is proposed": change(explain, "unknown_key", lambda *_: ("remove it", None)),
        "an unknown block is not looked into": change(explain, "_inside", lambda *_: []),
        "the place is lost": change(explain, "locate", lambda tree, path: dotted(path)),
    },
)
def test_unknown_key_at_any_depth_has_a_line_of_its_own(write: Write):
    text = f"{GOOD}learning_rate: 1e-4\ntraining:\n  num-epochs: 3\nlora:\n  rnak: 8\n"

    outcome = call("recipe", "check", write(text))

    assert outcome.code == 2
    assert outcome.err.splitlines() == [
        "r.yaml:6:1: learning_rate: unknown key",
        "  fix: move it to `train.learning_rate`",
        "r.yaml:7:1: training: unknown key",
        "  fix: rename it to `train`",
        "r.yaml:8:3: training.num-epochs: unknown key",
        "  fix: rename it to `epochs`",
        "r.yaml:9:1: lora: unknown key",
        "  fix: rename it to `adapter`",
        "r.yaml:10:3: lora.rnak: unknown key",
        "  fix: rename it to `rank`",
    ]


@case("C63", {"defaults are not marked": change(load, "DEFAULT", "recipe.yaml")})
def test_saved_plan_has_every_value_with_the_defaults_marked(recipe: TinyRecipe):
    outcome = recipe.train("--until", "plan")

    plan = recipe.run.file("plan.json").read_text("utf-8")
    assert outcome.code == 0, outcome
    assert '"train.weight_decay": "default"' in plan
    assert '"weight_decay": 0.0' in plan
    assert recipe.run.file("recipe.yaml").read_text("utf-8") == recipe.file.read_text("utf-8")


BOMB = "".join(
    f"{name}: &{name} [{', '.join(['lol' if below is None else f'*{below}'] * 9)}]\n"
    for name, below in zip("abcdefghi", [None, *"abcdefgh"], strict=True)
)
EVIL = "schema_version: 1\nname: !!python/object/apply:os.mkdir [hacked]\n"


def peak(function: Callable[[], object]) -> int:
    """The most bytes that Python held at once while `function` ran."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _built(text: str, place_of: yaml_places.PlaceOf) -> tuple[Node, list]:
    """What a loader makes that builds what tags ask for, and writes out what aliases mean."""
    import yaml

    def node(value: object) -> Node:
        if isinstance(value, dict):
            return Node({str(k): node(v) for k, v in value.items()}, Place("r.yaml"))
        if isinstance(value, list):  # three of nine levels are enough to see it
            return Node([node(v) for v in value[:3]], Place("r.yaml"))
        return Node(str(value), Place("r.yaml"), str(value))

    return node(yaml.load(text, Loader=yaml.UnsafeLoader)), []


LOADS_ALL = {"YAML is loaded with all it can do": change(yaml_places, "read", _built)}


@case("C79", LOADS_ALL)
def test_object_tag_is_refused_with_its_line_and_builds_nothing(write: Write):
    outcome = call("recipe", "check", write(EVIL))

    assert outcome.code == 2
    assert outcome.err.startswith("r.yaml:2:7: tags (`tag:yaml.org,2002:python/object/apply:os.mk")
    assert not Path("hacked").exists()


@case("C79", LOADS_ALL)
def test_alias_bomb_is_refused_with_its_lines_in_little_memory(write: Write):
    recipe = write(BOMB)

    assert peak(lambda: problems(recipe)) < 20_000_000
    found = problems(recipe)
    assert found[0].startswith("r.yaml:1:4: anchors (`&a`) are not part of the recipe language")
    assert found[2].startswith("r.yaml:2:8: aliases (`*a`) are not part of the recipe language")
    assert call("recipe", "check", recipe).code == 2


@pytest.fixture
def huge(write: Write) -> str:
    """A recipe of 50 MB; what is beyond the first may not be read."""
    recipe = write("a: b\n" * 210_000)
    with open(recipe, "r+b") as stream:
        stream.truncate(50_000_000)
    return recipe


@case("C79", {"any size is read": change(recipe_file, "MAX_BYTES", 1 << 30)})
def test_recipe_of_50_mb_is_refused_in_little_memory(huge: str):
    outcomes = []

    assert peak(lambda: outcomes.append(call("recipe", "check", huge))) < 20_000_000
    assert outcomes[0].code == 2
    assert "larger than 1048576 bytes" in outcomes[0].err


def test_yaml_is_read_in_one_place_only():  # C79: so no card and no model folder is
    use = re.compile(
        r"(?<!/)\byaml\.(?!safe_dump\b)([a-z_]+)|import (?:ruamel|strictyaml)|from yaml"
    )
    uses = {p.relative_to(FOUNDRY).as_posix(): p.read_text("utf-8") for p in FOUNDRY.rglob("*.py")}

    assert [name for name, text in uses.items() if use.search(text)] == ["core/yaml_places.py"]
