"""A template that looks into the words is found out, whatever way it looks."""

import pytest

from foundry.core.errors import DataError, Problem
from foundry.core.records import Turn
from foundry.encode import masking
from foundry.encode.masking import Talk, mask_many
from foundry.encode.render import Job, Template, render_many
from foundry.encode.shapes import Mould, placeholders
from tests.encoders import conversation
from tests.templates import stock_template

SHAPE = (("user", False), ("assistant", False), ("user", False), ("assistant", True))
LOOP = "{{% for m in messages %}}<{{{{ m.role }}}}>{}<end>{{% endfor %}}"
LOOKS = {
    "search": "{{ 'a' if 'x' in m.content else 'b' }}",
    "search in a text": "{% set w = m.content %}{{ 'a' if w in 'abc' else 'b' }}",
    "search twice": "{% set w = m.content %}{{ 'a' if w in 'abc' in 'abc' else 'b' }}",
    "no search in a text": "{% set w = m.content %}{{ 'a' if w not in 'abc' else 'b' }}",
    "second of two searches": "{% set w = m.content %}{{ 'a' if 'a' == w in 'abc' else 'b' }}",
    "search in a list": "{{ 'a' if m.content in ['a', 'b'] else 'b' }}",
    "search in a list of words": "{{ 'a' if 'x' in [m.content] else 'b' }}",
    "equal": "{{ 'a' if m.content == 'x' else 'b' }}",
    "equal from the right": "{{ 'a' if 'x' == m.content else 'b' }}",
    "order": "{{ 'a' if m.content > 'x' else 'b' }}",
    "equal messages": "{{ 'a' if messages[0] == messages[2] else 'b' }}",
    "length": "{{ m.content | length }}",
    "slice": "{{ m.content[:1] }}",
    "letters": "{% for c in m.content %}{{ c }}{% endfor %}",
    "split": "{{ m.content.split('x')[-1] }}",
    "replace": "{{ m.content.replace('x', 'y') }}",
    "strip of letters": "{{ m.content.strip('x') }}",
    "trim of letters": "{{ m.content | trim('x') }}",
    "start": "{{ m.content.startswith('x') }}",
    "start of another text": "{{ 'xyz'.startswith(m.content) }}",
    "upper": "{{ m.content | upper }}",
    "upper by a method": "{{ m.content.upper() }}",
    "repeat": "{{ 2 * m.content }}",
    "repeat from the right": "{{ m.content * 2 }}",
    "JSON": "{{ m.content | tojson }}",
    "JSON of messages": "{{ messages | tojson }}",
    "the list printed": "{{ messages }}",
    "the message printed": "{{ m }}",
    "key": "{{ {'x': 1}[m.content] or '' }}",
    "key of a new mapping": "{% set d = {m.content: 1} %}",
    "format": "{{ 'x%s' % m.content }}",
    "format of a list": "{% set w = 'x%s' % (m.content,) %}{{ w | length }}",
    "format by a method": "{{ '{}'.format(m.content) }}",
    "format of the words": "{{ (m.content + '{}').format('x') }}",
    "join": "{% set w = [m.content, ''] | join %}{{ w | length }}",
    "join by a method": "{% set w = ''.join([m.content]) %}{{ w | length }}",
    "put together otherwise": "{% set w = m.content ~ '' %}{{ w | length }}",
    "written into a text": "{% set w %}{{ m.content }}{% endset %}{{ w | length }}",
    "macro": "{% macro f() %}{{ m.content }}{% endmacro %}{{ f() | length }}",
    "block": "{% block b scoped %}{{ m.content }}{% endblock %}",
    "filter block": "{% filter upper %}{{ m.content }}{% endfilter %}",
    "loop within itself": "{% for x in [1] recursive %}{{ m.content }}{% endfor %}",
    "kept and looked at": "{% set ns = namespace(w=m.content) %}{{ ns.w | length }}",
    "put together and looked at": "{{ ('x' + m.content + 'y') | length }}",
    "trimmed and looked at": "{{ (m.content | trim) | length }}",
    "whether it changed": "{{ 'a' if loop.changed(m.content) else 'b' }}",
    "test": "{{ m.content is eq 'x' }}",
    "sorted": "{{ (messages | sort(attribute='content'))[0].role }}",
    "selected": "{{ (messages | selectattr('content') | list) | length }}",
    "the greatest": "{{ (messages | map(attribute='content') | max) }}",
    "number": "{{ m.content | int }}",
    "ends a loop": "{% for x in [1] if m.content == 'x' %}{{ x }}{% endfor %}",
}
PASSED_ON = {
    "written": "{{ m.content }}",
    "trimmed": "{{ m.content | trim }}",
    "stripped": "{{ m['content'].strip() }}",
    "put together": "{{ '[' + m.content + ']' + m.content }}",
    "kept": "{% set ns = namespace(w='') %}{% set ns.w = m.content %}{{ ns.w }}",
    "in a new message": "{% set new = [{'role': 'x', 'content': m.content}] %}{{ new[0].content }}",
    "by its name": "{{ m.get('content') }}",
    "if it is a text": "{% if m.content is string %}{{ m.content }}{% endif %}",
    "if there is one": "{% if m.content %}{{ m.content }}{% else %}none{% endif %}",
    "or another": "{{ m.content or 'none' }}",
    "unless it lacks": "{{ m.content | default('none') }}",
    "with what comes before": "{{ loop.previtem.content if loop.previtem else '' }}{{ m.content }}",
    "by the role": "{% if m.role in ['user', 'system'] %}{{ m.content }}{% endif %}",
    "by a list of roles": "{% set r = ['user'] %}{% if m.role in r %}{{ m.content }}{% endif %}",
    "by the keys": "{% if 'content' in m %}{{ m.content }}{% endif %}",
    "by the place": "{% if loop.index0 % 2 == 0 %}{{ m.content }}{% endif %}",
    "by the length of the list": "{{ (messages | length) }}{{ messages[-1].content }}",
}
# Of TRL's own: those that look search for their marks (`</think>`) or count.
BLIND = ["gemma", "gemma3", "llama3", "llama3_1", "llama3_2", "phi3", "qwen2_5"]
SEEING = ["qwen3", "gemma4", "gptoss"]


def looks(source: str) -> bool:
    """Whether a rendering of placeholders is refused because the template looks at them."""
    turns = placeholders(SHAPE)
    views = [(len(turns), False)]
    template = Template(source, "<bos>", "<eos>")
    (seen,), (unseen,) = render_many([Job(turns, views), Job(turns, views, blind=True)], template)
    assert not isinstance(seen, Problem), seen
    assert isinstance(unseen, Problem) or unseen == seen
    return isinstance(unseen, Problem)


@pytest.mark.parametrize("how", LOOKS)
def test_look_is_found(how: str):
    assert looks(LOOP.format(LOOKS[how]))


@pytest.mark.parametrize("how", PASSED_ON)
def test_words_may_be_passed_on(how: str):
    assert not looks(LOOP.format(PASSED_ON[how]))


@pytest.mark.parametrize("name", BLIND)
def test_template_that_does_not_look_is_known(name: str):
    assert not looks(stock_template(name))


@pytest.mark.parametrize("name", SEEING)
def test_template_that_looks_is_known(name: str):
    assert looks(stock_template(name))


@pytest.mark.parametrize("name", ["gemma3", "llama3_2", "qwen2_5"])
def test_conversation_cast_reads_as_it_is_rendered(name: str, monkeypatch: pytest.MonkeyPatch):
    template = Template(stock_template(name), "<bos>", "<eos>")
    control = frozenset({"<end_of_turn>", "<|eot_id|>", "<|im_end|>"})
    texts = ["甲", "{{ 7 * 7 }}", "<end_of_turn>", "a\nb", "</think>x", "<|im_end|>", "%s {}", "🍵"]
    talks = [Talk(conversation(*(f"{a}{n}", b) * 2)) for n, a in enumerate(texts) for b in texts]

    quick = mask_many(talks, template, control)
    monkeypatch.setattr(Mould, "cast", lambda *_arguments: None)

    assert quick == mask_many(talks, template, control)


def test_white_space_that_a_template_may_trim_is_rendered(monkeypatch: pytest.MonkeyPatch):
    template = Template(stock_template("gemma3"), "<bos>", "<eos>")
    jobs = list[Job]()
    plain = render_many

    def counting(some, by):
        jobs.extend(some)
        return plain(some, by)

    monkeypatch.setattr(masking, "render_many", counting)
    talks = [Talk(conversation("問", "答")), *[Talk(conversation("問", f" 答{n} ")) for n in "ab"]]
    first, *others = mask_many(talks, template, frozenset({"<end_of_turn>"}))

    assert [job.turns for job in jobs if not job.blind][-3:] == [talk.turns for talk in talks]
    assert isinstance(first, tuple)
    assert all(isinstance(one, tuple) and "\n答" in one[0].text for one in others)


def test_rendering_unlike_the_cast_is_our_fault(monkeypatch: pytest.MonkeyPatch):
    """One conversation of each shape in a batch is rendered, and tells of a template that looks."""
    source = stock_template("qwen3")
    monkeypatch.setattr(Job, "blind", False)
    monkeypatch.setattr(
        masking, "Job", lambda turns, views, tools=(), blind=False: Job(turns, views)
    )
    masking._learned.cache_clear()
    turns = conversation("一", "<think>\n想\n</think>\n\n甲", "二", "乙")

    with pytest.raises(RuntimeError, match="not to look into the words"):
        mask_many([Talk(turns)], Template(source, "", "<|im_end|>"), frozenset({"<|im_end|>"}))

    masking._learned.cache_clear()


def test_words_reach_nothing_outside_the_sandbox():
    """What a template does with words does not get around the guard of `str.format`."""
    walk = "{{ (messages[0].content + '{0.__class__.__mro__}').format(messages) }}"

    turns = (Turn("user", "問"),)
    job = Job(turns, [(1, False)], blind=True)
    ((answer,),) = render_many([job], Template(walk, "", ""))

    assert isinstance(answer, Problem)
    with pytest.raises(DataError):
        masking.render_many([job], Template("x" * 300_000, "", ""))
