"""A template that loops, swells or reaches out is stopped, and the next one is rendered (C75)."""

import json
from functools import cache
from pathlib import Path

import pytest
from jinja2 import Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from foundry.core.errors import DataError
from foundry.core.records import Turn
from foundry.encode import render
from foundry.encode import render_child as child
from tests import tiny_recipe
from tests.cases import Patch, case

QUESTION = Turn("user", "請問電風扇保固多久？")
PLAIN = "{{ messages[0].content }}"
CHILD = "from foundry.encode import render_child as child; import jinja2; {}; child.main()"
WALK = "{{ ''.__class__.__mro__[1].__subclasses__() }}"
SHELL = "{{ cycler.__init__.__globals__.os.system('touch CANARY') }}"
LOOPS = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}done"
STRING = "{{ 'x' * 20000000 }}"
TOO_MUCH = "{{ ('x' * 150000000) ~ ('y' * 150000000) }}"


def child_in_which(change: str) -> Patch:
    """The mutant whose rendering process runs with `change` made to its module."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        command = (render.COMMAND[0], "-P", "-c", CHILD.format(change))
        monkeypatch.setattr(render, "COMMAND", command)
        renew(monkeypatch)

    return patch


def renew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "_process", cache(render._Process))


def no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "SECONDS", 600.0)


@pytest.fixture
def half_a_second(monkeypatch: pytest.MonkeyPatch):
    """A limit under which the test does not take five seconds; the process is up before."""
    rendered(PLAIN)
    monkeypatch.setattr(render, "SECONDS", 0.5)


def rendered(template: str) -> str:
    return render.render([QUESTION], template, bos_token="")


@case(
    "C75",
    {"no sandbox": child_in_which("child.Sandbox = jinja2.Environment")},
)
@pytest.mark.parametrize("template", [WALK, SHELL.replace("CANARY", "{canary}")])
def test_walk_through_attributes_is_refused_and_no_canary_made(template: str, tmp_path: Path):
    canary = tmp_path / "canary"

    with pytest.raises(DataError, match="refused the conversation"):
        rendered(template.replace("{canary}", str(canary)))

    assert not canary.exists()


@case("C75", {"nobody looks at the clock": no_clock})
def test_nested_loops_are_stopped_by_the_clock(half_a_second):
    with pytest.raises(DataError, match=r"one conversation took more than 0\.5 seconds"):
        rendered(LOOPS)


@case("C75", {"any length": child_in_which("child.MAX_RENDERED_CHARS = 10**12")})
def test_huge_string_is_refused_with_its_size():
    with pytest.raises(DataError, match="made 20000000 characters; the most is 10000000"):
        rendered(STRING)


@case("C75", {"any memory": child_in_which("child.limit_itself = lambda: None")})
def test_template_that_needs_too_much_memory_is_refused():
    with pytest.raises(DataError, match="more memory than a template is given"):
        rendered(TOO_MUCH)


def test_fix_for_a_template_that_takes_too_much_is_not_the_order_of_the_roles():
    for template, found in ((STRING, "20000000"), (TOO_MUCH, "256 MiB")):
        with pytest.raises(DataError) as error:
            rendered(template)

        (problem,) = error.value.problems
        assert found in problem.what
        assert problem.fix is not None and problem.fix.startswith("shorten the conversation")


def test_conversation_after_a_stopped_template_is_rendered(half_a_second):
    with pytest.raises(DataError):
        rendered(LOOPS)

    assert rendered(PLAIN) == QUESTION.content


def test_reason_of_a_refusal_is_short():
    with pytest.raises(DataError) as caught:
        rendered("{{ raise_exception('x' * 100000) }}")

    assert len(str(caught.value)) < 1000


def test_clock_stands_still_for_a_template_that_needs_one():
    assert rendered("{{ strftime_now('%Y-%m-%d') }}") == "2026-01-01"


def test_module_of_the_working_folder_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "jinja2.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w')")
    monkeypatch.chdir(tmp_path)
    renew(monkeypatch)

    assert rendered(PLAIN) == QUESTION.content
    assert not (tmp_path / "canary").exists()


def test_many_views_come_in_the_order_they_were_asked_for():
    turns = [Turn("user", "一"), Turn("assistant", "二"), Turn("user", "三")]
    template = (
        "{% for m in messages %}{{ m.content }}{% endfor %}{{ '>' if add_generation_prompt }}"
    )
    jobs = [render.Job(turns[: n + 1], [(n, True), (n + 1, False)]) for n in range(3)]

    texts = render.render_many(jobs, render.Template(template, ""))

    assert texts == [[">", "一"], ["一>", "一二"], ["一二>", "一二三"]]


@pytest.mark.parametrize("template", [WALK, SHELL, STRING], ids=["walk", "shell", "string"])
def test_evil_template_in_a_model_folder_ends_the_run_before_training(
    template: str, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    recipe = tiny_recipe.lay_out(tmp_path / "recipe", tiny_base)
    file = recipe.folder / "base" / "tokenizer_config.json"
    values = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**values, "chat_template": template}), encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    outcome = recipe.train("--until", "encode", "--json")

    assert outcome.code == 1, outcome.out
    assert outcome.document["problems"][0]["where"] == "chat_template"
    assert not (tmp_path / "CANARY").exists()


def test_remembered_safety_is_the_librarys():  # C75
    remembering, plain = child.environment(""), ImmutableSandboxedEnvironment()
    objects = [{}, [], "a", 1, print, str.format, type, (n for n in ()), Namespace(), Undefined()]
    names = ["items", "append", "pop", "format", "mro", "gi_frame", "__class__", "_private", "x"]

    for _twice in range(2):
        for value in objects:
            for name in names:
                found = remembering.is_safe_attribute(value, name, None)
                assert found == plain.is_safe_attribute(value, name, None)


def test_names_made_of_the_data_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(child, "MOST_KNOWN", 3)
    remembering = child.environment("")

    assert all(remembering.is_safe_attribute({}, f"name{n}", None) for n in range(10))
    assert len(remembering._known) <= 3
