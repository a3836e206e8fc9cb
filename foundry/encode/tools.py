"""Tools for templates that know none, written into the template itself (C59).

Gemma 3, which TAIDE is built on, and Llama 3 have no place for tools: their templates refuse a
`tool` turn or drop the calls without a word. These get a prelude that says tools, calls and results
in the text of the turns, in the form of Nous Research's Hermes models (`<tools>`, `<tool_call>`,
`<tool_response>`; https://github.com/NousResearch/Hermes-Function-Calling), which llama.cpp and
vLLM read and which twinkle-ai/gemma-3-4B-T1-it uses on Gemma's turns. As a part of the template it
goes wherever the template goes, like the prelude for system turns (`foundry/encode/system.py`).
"""

from foundry.core.errors import DataError
from foundry.core.records import ToolCall, Turn
from foundry.encode.render import render

# A line break after a block is trimmed, so that only what stands in quotes reaches the text.
AS_TEXT = r"""
{%- set say = namespace(turns=[], text='', results='', wanted=tools) -%}
{%- for message in messages -%}
{%- if message['role'] == 'tool' or message['tool_calls'] -%}
{%- set say.wanted = true -%}
{%- endif -%}
{%- endfor -%}
{%- if say.wanted -%}
{%- if tools -%}
{%- set say.text = '# Tools\n\n<tools>' -%}
{%- for tool in tools -%}{%- set say.text = say.text + '\n' + (tool | tojson) -%}{%- endfor -%}
{%- set say.text = say.text + '\n</tools>\n\nTo use one, answer with:\n<tool_call>\n'
 + '{"name": ..., "arguments": {...}}\n</tool_call>' -%}
{%- if messages and messages[0]['role'] == 'system' -%}
{%- set say.turns = [{'role': 'system', 'content': messages[0]['content'] + '\n\n' + say.text}] -%}
{%- set messages = messages[1:] -%}
{%- else -%}
{%- set say.turns = [{'role': 'system', 'content': say.text}] -%}
{%- endif -%}
{%- endif -%}
{%- for message in messages -%}
{%- if message['role'] == 'tool' -%}
{%- set say.results = say.results + ('\n' if say.results else '')
 + '<tool_response>\n' + message['content'] + '\n</tool_response>' -%}
{%- else -%}
{%- if say.results -%}
{%- if message['role'] == 'user' -%}
{%- set message = {'role': 'user', 'content': say.results + '\n\n' + message['content']} -%}
{%- else -%}
{%- set say.turns = say.turns + [{'role': 'user', 'content': say.results}] -%}
{%- endif -%}
{%- set say.results = '' -%}
{%- endif -%}
{%- if message['tool_calls'] -%}
{%- set say.text = message['content'] or '' -%}
{%- for call in message['tool_calls'] -%}
{%- set say.text = say.text + ('\n' if say.text else '') + '<tool_call>\n{"name": '
 + (call['function']['name'] | tojson) + ', "arguments": '
 + (call['function']['arguments'] | tojson) + '}\n</tool_call>' -%}
{%- endfor -%}
{%- set say.turns = say.turns + [{'role': 'assistant', 'content': say.text}] -%}
{%- else -%}
{%- set say.turns = say.turns + [message] -%}
{%- endif -%}
{%- endif -%}
{%- endfor -%}
{%- if say.results -%}
{%- set say.turns = say.turns + [{'role': 'user', 'content': say.results}] -%}
{%- endif -%}
{%- set messages = say.turns -%}
{%- set tools = none -%}
{%- endif -%}
{{- '' }}"""
ARGUMENT, RESULT = "PROBE ARGUMENT", "PROBE RESULT"
PROBE_TOOLS = (
    {
        "type": "function",
        "function": {
            "name": "probe",
            "description": "PROBE OFFER",
            "parameters": {"type": "object", "properties": {"key": {"type": "string"}}},
        },
    },
)
PROBE = (
    Turn("user", "QUESTION"),
    Turn("assistant", "", tool_calls=(ToolCall("probe", {"key": ARGUMENT}, "call00001"),)),
    Turn("tool", RESULT, name="probe", call_id="call00001"),
    Turn("assistant", "ANSWER"),
)


def with_tool_turns(template: str, bos_token: str, eos_token: str) -> str:
    """`template`, with `AS_TEXT` in front unless it has places of its own for tools.

    It has them if the argument of a call and the result each come out once. An offer that such a
    template leaves out stays out, and the mask report says so: the form in which a model calls its
    tools is its own.
    """
    try:
        text = render(PROBE, template, bos_token=bos_token, eos_token=eos_token, tools=PROBE_TOOLS)
    except DataError:
        return AS_TEXT + template
    keeps = text.count(ARGUMENT) == 1 and text.count(RESULT) == 1
    return template if keeps else AS_TEXT + template
