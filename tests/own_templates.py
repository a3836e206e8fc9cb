"""Chat templates in our own words, of formats whose real template no package here carries.

They write the published format of turns, without the parts for images, files and the like; in use
the model's own tokenizer brings the template. `tests/models/test_own_templates.py` holds those
that llama.cpp or mistral-common knows against what these write.
"""


def join(*lines: str) -> str:
    """One template of several lines, with nothing between them."""
    return "".join(lines)


_ASK = "{% if add_generation_prompt %}"
# Two kinds of turns are all that Llama 2 and Mistral know; they must take turns.
_SYSTEM = (
    "{% if messages[0].role == 'system' %}{% set system = messages[0].content %}"
    "{% set turns = messages[1:] %}{% else %}{% set turns = messages %}{% endif %}"
)
_ALTERNATE = (
    "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate between user and assistant') }}{% endif %}"
)

# The system text stands in the first question, between <<SYS>> and <</SYS>>.
LLAMA2 = join(
    _SYSTEM,
    "{% for m in turns %}",
    _ALTERNATE,
    "{% if m.role == 'user' %}{{ bos_token }}[INST] ",
    "{% if loop.first and system is defined %}<<SYS>>\n{{ system }}\n<</SYS>>\n\n{% endif %}",
    "{{ m.content | trim }} [/INST]",
    "{% else %} {{ m.content | trim }} {{ eos_token }}{% endif %}{% endfor %}",
)

# Version 3, the first with tools: they stand before the last question. No place for a system turn.
MISTRAL_V3 = join(
    "{{ bos_token }}",
    "{% set last = namespace(question=0) %}{% for m in messages %}",
    "{% if m.role == 'user' %}{% set last.question = loop.index0 %}{% endif %}{% endfor %}",
    "{% for m in messages %}",
    "{% if m.role == 'user' %}",
    "{% if tools and loop.index0 == last.question %}",
    "[AVAILABLE_TOOLS] {{ tools | tojson }}[/AVAILABLE_TOOLS]{% endif %}",
    "[INST] {{ m.content }}[/INST]",
    "{% elif m.role == 'assistant' and m.tool_calls %}[TOOL_CALLS] [",
    "{% for c in m.tool_calls %}",
    '{"name": {{ c.function.name | tojson }}, "arguments": {{ c.function.arguments | tojson }}, ',
    '"id": {{ c.id | tojson }}}{% if not loop.last %}, {% endif %}{% endfor %}]{{ eos_token }}',
    "{% elif m.role == 'assistant' %} {{ m.content }}{{ eos_token }}",
    "{% elif m.role == 'tool' %}[TOOL_RESULTS] ",
    '{"content": {{ m.content }}, "call_id": {{ m.tool_call_id | tojson }}}',
    "[/TOOL_RESULTS]",
    "{% else %}{{ raise_exception('only user, assistant and tool turns') }}{% endif %}",
    "{% endfor %}",
)

# Version 13, of Ministral 3: a system turn and tools have places of their own, thoughts a bracket.
MINISTRAL_3 = join(
    "{{ bos_token }}",
    "{% if messages[0].role == 'system' %}",
    "[SYSTEM_PROMPT]{{ messages[0].content }}[/SYSTEM_PROMPT]{% endif %}",
    "{% if tools %}[AVAILABLE_TOOLS]{{ tools | tojson }}[/AVAILABLE_TOOLS]{% endif %}",
    "{% for m in messages %}{% if m.role == 'user' %}[INST]{{ m.content }}[/INST]",
    "{% elif m.role == 'assistant' %}",
    "{% if m.reasoning_content %}[THINK]{{ m.reasoning_content }}[/THINK]{% endif %}",
    "{{ m.content }}",
    "{% for c in m.tool_calls or [] %}",
    "[TOOL_CALLS]{{ c.function.name }}[ARGS]{{ c.function.arguments | tojson }}{% endfor %}",
    "{{ eos_token }}",
    "{% elif m.role == 'tool' %}[TOOL_RESULTS]{{ m.content }}[/TOOL_RESULTS]{% endif %}",
    "{% endfor %}",
)

PHI_4 = join(
    "{% for m in messages %}",
    "<|im_start|>{{ m.role }}<|im_sep|>{{ m.content }}<|im_end|>{% endfor %}",
    _ASK,
    "<|im_start|>assistant<|im_sep|>{% endif %}",
)

GRANITE = join(
    "{% if tools %}<|start_of_role|>available_tools<|end_of_role|>{{ tools | tojson(indent=4) }}"
    "<|end_of_text|>\n{% endif %}",
    "{% for m in messages %}",
    "<|start_of_role|>{{ 'tool_response' if m.role == 'tool' else m.role }}<|end_of_role|>",
    "{{ m.content }}",
    "{% if m.tool_calls %}<|tool_call|>[{% for c in m.tool_calls %}{{ c.function | tojson }}"
    "{% if not loop.last %}, {% endif %}{% endfor %}]{% endif %}<|end_of_text|>\n{% endfor %}",
    _ASK,
    "<|start_of_role|>assistant<|end_of_role|>{% endif %}",
)

# Roles are plain text; only the last answer's end is followed by no line break.
OLMO_2 = join(
    "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}",
    "{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}",
    "{{ '\\n' if not loop.last }}{% endfor %}",
    _ASK,
    "{{ '\\n<|assistant|>\\n' }}{% endif %}",
)

# ChatML whose last answer ends with the EOS instead of the end of a turn.
OLMO_3 = join(
    "{% if messages[0].role != 'system' %}<|im_start|>system\nYou are Olmo.<|im_end|>\n{% endif %}",
    "{% for m in messages %}<|im_start|>{{ 'environment' if m.role == 'tool' else m.role }}\n",
    "{{ m.content }}",
    "{% if m.role == 'system' and tools %}<functions>{{ tools | tojson }}</functions>{% endif %}",
    "{% if m.tool_calls %}<function_calls>{% for c in m.tool_calls %}{{ c.function.name }}",
    "({{ c.function.arguments | tojson }}){{ '\\n' if not loop.last }}{% endfor %}",
    "</function_calls>{% endif %}",
    "{% if loop.last and m.role == 'assistant' %}{{ eos_token }}{% else %}<|im_end|>\n{% endif %}",
    "{% endfor %}",
    _ASK,
    "<|im_start|>assistant\n{% endif %}",
)

# A head of metadata with the date; answers without thoughts begin with an empty pair of tags.
SMOLLM_3 = join(
    "<|im_start|>system\n## Metadata\n\nKnowledge Cutoff Date: June 2025\n",
    "Today Date: {{ strftime_now('%d %B %Y') }}\nReasoning Mode: /no_think\n\n",
    "## Custom Instructions\n\n",
    "{{ messages[0].content if messages[0].role == 'system' else 'You are SmolLM.' }}\n\n",
    "{% if tools %}### Tools\n\n<tools>\n{% for t in tools %}{{ t | tojson }}\n{% endfor %}",
    "</tools>\n\n{% endif %}<|im_end|>\n",
    "{% for m in messages %}{% if m.role == 'user' %}<|im_start|>user\n{{ m.content }}<|im_end|>\n",
    "{% elif m.role == 'assistant' %}<|im_start|>assistant\n<think>\n\n</think>\n{{ m.content }}",
    "{% for c in m.tool_calls or [] %}<tool_call>{{ c.function | tojson }}</tool_call>{% endfor %}",
    "<|im_end|>\n",
    "{% elif m.role == 'tool' %}<|im_start|>user\n{{ m.content }}<|im_end|>\n{% endif %}",
    "{% endfor %}",
    _ASK,
    "<|im_start|>assistant\n<think>\n\n</think>\n{% endif %}",
)

# A developer turn that says what is allowed follows the system turn; tools are listed there.
APERTUS = join(
    "{{ bos_token }}<|system_start|>",
    "{{ messages[0].content if messages[0].role == 'system' else 'You are Apertus.' }}",
    "<|system_end|><|developer_start|>Deliberation: disabled\nTool Capabilities:",
    "{% if tools %}{% for t in tools %}{{ '\\n' }}{{ t.function | tojson }}{% endfor %}",
    "{% else %} disabled{% endif %}<|developer_end|>",
    "{% for m in messages %}{% if m.role == 'user' %}<|user_start|>{{ m.content }}<|user_end|>",
    "{% elif m.role == 'assistant' and m.tool_calls %}",
    "<|assistant_start|>{{ m.content }}<|tools_prefix|>[{% for c in m.tool_calls %}",
    "{{ '{' }}{{ c.function.name | tojson }}: {{ c.function.arguments | tojson }}{{ '}' }}",
    "{% if not loop.last %}, {% endif %}{% endfor %}]<|tools_suffix|>",
    "{% elif m.role == 'assistant' %}",
    "{% if not loop.previtem or loop.previtem.role != 'tool' %}<|assistant_start|>{% endif %}",
    "{{ m.content }}<|assistant_end|>",
    "{% elif m.role == 'tool' %}[{{ m.content }}]{% endif %}{% endfor %}",
    "{% if add_generation_prompt and messages[-1].role != 'tool' %}<|assistant_start|>{% endif %}",
)
