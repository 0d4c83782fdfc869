#!/usr/bin/env python3
"""Writes chat_templates.json: templates, inputs, and what Python's jinja2 makes of them.

Needs jinja2 3. Usage: python3 make_chat_templates.py. The templates were written for this test, in
the styles of the model families. The environment is that of chat template renderers: trim_blocks,
lstrip_blocks, loop controls, plain tojson, raise_exception, strftime_now.
"""
import datetime
import json
import pathlib

from jinja2.exceptions import TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

HERE = pathlib.Path(__file__).resolve().parent
NOW = datetime.datetime(2026, 7, 26, 14, 5, 0)  # a Sunday


def raise_exception(message):
    raise TemplateError(message)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                      sort_keys=sort_keys)


ENVIRONMENT = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                            extensions=[loopcontrols])
ENVIRONMENT.filters["tojson"] = tojson
ENVIRONMENT.globals["raise_exception"] = raise_exception
ENVIRONMENT.globals["strftime_now"] = lambda form: NOW.strftime(form)

TALK = [
    {"role": "system", "content": "  You are terse.\n"},
    {"role": "user", "content": "Hi! \u00dcber \u4f60\u597d \U0001f600"},
    {"role": "assistant", "content": "Hello."},
    {"role": "user", "content": " 2 < 3 & \"x\"\n"},
]
NO_SYSTEM = TALK[1:]
TOOLS = [{"type": "function", "function": {"name": "add", "description": "Adds \u00e4",
          "parameters": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": ["integer", "null"]}},
                         "required": ["a"]}}}]
CALLS = TALK[:2] + [
    {"role": "assistant", "content": "", "tool_calls": [
        {"type": "function", "function": {"name": "add", "arguments": {"a": 1, "b": None}}}]},
    {"role": "tool", "name": "add", "content": "3"},
]

# Each: name, template, and how the input differs from TALK with a generation prompt.
CHATML = """{% for message in messages %}
{% if loop.first and message['role'] != 'system' %}
{{ '<|im_start|>system\\nYou are helpful<|im_end|>\\n' }}
{%- endif %}
{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}
{%- endfor %}
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
"""
HEADERS = """{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if not tools is defined %}{%- set tools = none %}{%- endif %}
{#- The system message, if there is one -#}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none %}{{- "Environment: ipython\\n" }}{%- endif %}
{{- "Today Date: " + date_string + "\\n\\n" }}
{{- system_message }}
{%- if tools is not none %}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
{%- endif %}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("This model only supports single tool-calls at once!") }}
        {%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}
        {{- '{"name": "' + tool_call.name + '", ' }}
        {{- '"parameters": ' }}
        {{- tool_call.arguments | tojson }}
        {{- "}" }}
        {{- "<|eot_id|>" }}
    {%- elif message.role == "tool" or message.role == "ipython" %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable and message.content is not string %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""
TOOLED = """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0]['role'] == 'system' %}
        {{- messages[0]['content'] }}
    {%- else %}
        {{- 'You are helpful.' }}
    {%- endif %}
    {{- "\\n\\n# Tools\\n\\n<tools>" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\\n</tools><|im_end|>\\n" }}
{%- else %}
    {%- if messages[0]['role'] == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant" and not message.tool_calls) %}
        {%- set content = message.content %}
        {%- if '</think>' in content %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.last or (not loop.last and loop.index0 > ns.last_query_index) %}
            {{- '[after]' }}
        {%- endif %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {{- '<|im_start|>' + message.role }}
        {%- for tool_call in message.tool_calls %}
            {%- if tool_call.function is defined %}
                {%- set tool_call = tool_call.function %}
            {%- endif %}
            {{- '\\n<tool_call>\\n{"name": "' }}
            {{- tool_call.name }}
            {{- '", "arguments": ' }}
            {{- tool_call.arguments | tojson }}
            {{- '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if (loop.index0 == 0) or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\\n<tool_response>\\n' }}
        {{- message.content }}
        {{- '\\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|im_end|>\\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}
"""
TURNS = """{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\\n'}}{% endif %}"""
INSTRUCT = """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}
{%- set ns = namespace(index=0) %}
{%- for message in loop_messages %}
    {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
        {{- raise_exception("roles must alternate") }}
    {%- endif %}
    {%- set ns.index = ns.index + 1 %}
{%- endfor %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"]|trim + eos_token}}
    {%- else %}
        {{- raise_exception("Only user and assistant roles are supported!") }}
    {%- endif %}
{%- endfor %}
{{- user_messages|length }}
"""
MACROS = """{%- macro field(name, value, sep=', ') -%}
{{ name }}={{ value }}{{ sep }}
{%- endmacro -%}
{%- macro describe(spec, level=0) -%}
{%- for key, value in spec | dictsort %}
{{ '  ' * level }}{{ key }}:{% if value is mapping %}{{ describe(value, level + 1) }}{% else %} {{ value | tojson }}{% endif %}
{% endfor -%}
{%- endmacro -%}
{{ field('a', 1) }}{{ field(name='b', value=[1, 'two', none, true], sep='') }}
{{ describe({'x': {'y': {'z': 1.5}}, 'a': 'b'}) }}
{% set block %}
  {% for m in messages if m.role == 'user' %}{{ loop.index }}/{{ loop.length }} {{ m.content | trim }}{% if not loop.last %}; {% endif %}{% else %}none{% endfor %}
{% endset %}
[{{ block | trim }}]
"""
SMALL = {
    "white space 1": "a\n  {% if true %}  \n  b\n  {% endif %}\n  c\n",
    "white space 2": "a  {%- if true -%}  b  {%- endif -%}  c\n\n",
    "white space 3": "a\n  {%+ if true %}\n b {# c #}\n   {# d #}\n e {%+ endif +%}\n f",
    "white space 4": "{{ 1 }}\n{{ 2 -}}\n  {{ 3 }}\n  {{- 4 }}\n\n{% set x = 1 %}\n\n{{ x }}\r\n{% if x %}\r\ny\r\n{% endif %}\n",
    "white space 5": "{% for i in range(3) %}\n\t{{ i }}\n\t{% endfor %}\n",
    "raw": "{% raw %}{{ x }} {% if %}{% endraw %}\n|{%- raw -%}  {# y #}  {%- endraw -%}  |",
    "numbers": "{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 10 }} {{ 1_000 + 1 }} {{ 1.5e3 }} {{ 3.0 }} {{ 1e16 }} {{ 0.1 + 0.2 }} {{ -1|abs }} {{ 10 - 2 - 3 }} {{ 2 * 3 + 4 }} {{ 2 + 3 * 4 }} {{ 1e-7 }}",
    "truth": "{{ 1 and 0 }} {{ '' or 'x' }} {{ not [] }} {{ none is none }} {{ true == 1 }} {{ 1 < 2 < 3 }} {{ 3 > 2 > 2 }} {{ 'a' in 'cat' }} {{ 'x' not in ['y'] }} {{ 'k' in {'k': 1} }} {{ not 1 == 2 }}",
    "undefined": "[{{ nothing }}][{{ nothing is defined }}][{{ nothing | default('d') }}][{{ '' | default('e', true) }}][{{ messages[0].nothing }}][{{ 'x' if false }}][{% for i in nothing %}x{% else %}y{% endfor %}][{{ nothing | length }}][{{ nothing == nothing2 }}][{{ 'a' ~ nothing ~ 1 ~ none ~ 1.0 }}]",
    "strings": r"""{{ 'a\'b' }} {{ "tab\tnew\nline \u00e9 \x41 \\" }} {{ 'ab' 'cd' }} {{ 'abc'[1] }} {{ 'abc'[-1] }} {{ 'héllo'[1:3] }} {{ 'abcdef'[::2] }} {{ 'abc'[::-1] }} {{ 'x' * 3 }} {{ 'ä' | length }}""",
    "methods": "{{ '  x '.strip() }}|{{ 'xxaxx'.strip('x') }}|{{ ' a'.lstrip() }}|{{ 'a '.rstrip() }}|{{ 'a,b,c'.split(',') }}|{{ 'a b  c'.split() }}|{{ 'a,b,c'.split(',', 1) }}|{{ 'Abc'.upper() }}|{{ 'ABC'.lower() }}|{{ 'ab cd'.title() }}|{{ 'aBC'.capitalize() }}|{{ 'aaa'.replace('a', 'b', 2) }}|{{ 'abc'.startswith('ab') }}|{{ 'abc'.endswith('ab') }}|{{ 'abc'.find('c') }}|{{ 'abcabc'.count('bc') }}|{{ '-'.join(['a', 'b']) }}|{{ 'a\\nb'.splitlines() }}|{{ {'a': 1}.get('a') }}|{{ {'a': 1}.get('b', 2) }}|{{ {'a': 1}.get('c') }}|{{ {'a': 1, 'b': 2}.items() | map('list') | list }}|{{ {'a': 1}.keys() | list }}|{{ {'a': 1}.values() | list }}|{{ 'x=y'.removeprefix('x=') }}|{{ '12'.isdigit() }}",
    "filters": "{{ ' x ' | trim }}|{{ 'abc' | upper | lower }}|{{ 'hello-wORLD foo' | title }}|{{ 'fOO' | capitalize }}|{{ [3, 1, 2] | sort }}|{{ [1, 2] | join('-') }}|{{ ['a', 'b'] | first }}|{{ ['a', 'b'] | last }}|{{ 'abc' | replace('b', 'x') }}|{{ '12' | int + 1 }}|{{ 'x' | int(7) }}|{{ '1.5' | float }}|{{ 3 | string ~ 'x' }}|{{ [1, 1, 2] | unique | list }}|{{ [1, 2, 3] | reverse | list }}|{{ 'ab' | list }}|{{ {'a': 1} | items | map('list') | list }}|{{ [1, 2, 3, 4] | select('even') | list }}|{{ [1, 2, 3] | reject('odd') | list }}|{{ ['a', 'b'] | map('upper') | join }}|{{ messages | map(attribute='role') | join(',') }}|{{ messages | selectattr('role', 'ne', 'user') | map(attribute='role') | list }}|{{ messages | rejectattr('role', 'equalto', 'user') | list | length }}|{{ 'a\\nb\\n\\nc' | indent(2) }}|{{ 'x' | safe }}|{{ ['b', 'A'] | sort }}|{{ [1,2] | length }}|{{ {'b':1,'a':2} | dictsort | map('list') | list }}",
    "json": "{{ {'a': [1, 2.5, none, true, 'ä\"\\n'], 'b': {}, 'c': []} | tojson }}\n{{ {'a': [1, {'b': 2}], 'c': {}, 'd': []} | tojson(indent=2) }}\n{{ '<&>' | tojson }}",
    "repr": "{{ [1, 'a', none, true, 1.0, {'k': 'it\\'s'}, \"q\\\"\"] }} {{ {'a': (1, 2)|list} }} {{ true }} {{ none }}",
    "tests": "{{ 1 is number }} {{ 'a' is string }} {{ [] is iterable }} {{ {} is mapping }} {{ 4 is divisibleby 2 }} {{ 4 is divisibleby(3) }} {{ 3 is odd }} {{ true is boolean }} {{ 1 is integer }} {{ 1.0 is float }} {{ none is not none }} {{ 'x' is in ['x'] }} {{ 1 is eq 1 }} {{ 2 is gt 1 }} {{ [] is sequence }} {{ false is false }} {{ 1 is true }} {{ 'A' is upper }} {{ x is undefined }}",
    "loops": "{% for k, v in {'a': 1, 'b': 2}.items() %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ k }}{{ v }};{% endfor %}{% for i in range(1, 10, 3) %}{{ i }}{{ loop.cycle('x', 'y') }}{% endfor %}{% for i in range(5) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% endfor %}{% for i in range(4) if i % 2 %}{{ loop.index }}:{{ i }} {{ loop.previtem }}{{ loop.nextitem }}{% endfor %}{% for c in 'añ' %}<{{ c }}>{% endfor %}{% for x in range(5, 0, -2) %}{{ x }}{% endfor %}",
    "scopes": "{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{{ x }}{% endfor %}{{ x }}{% if true %}{% set x = 3 %}{% endif %}{{ x }}{% set ns = namespace(n=0, s='') %}{% for i in range(3) %}{% set ns.n = ns.n + i %}{% set ns.s = ns.s ~ i %}{% endfor %}{{ ns.n }}{{ ns.s }}{% set a, b = 1, 2 %}{{ a }}{{ b }}{% with y = 5, z = 6 %}{{ y + z }}{% endwith %}{{ y }}{% macro f(q) %}{{ x }}{{ q }}{{ i }}{% endmacro %}{{ f(9) }}{% for i in [7] %}{{ f(i) }}{% endfor %}",
    "lists": "{{ [1, 2, 3][1:] }} {{ [1, 2, 3][-2:] }} {{ [1, 2, 3][:-1] }} {{ [1, 2, 3][::-1] }} {{ [1, 2] + [3] }} {{ [0] * 2 }} {{ [1, 2][5] }} {{ (1, 2, 3)[0] }} {{ [[1], [2]][1][0] }} {{ messages[-1]['role'] }} {{ messages[0].content.strip() }} {{ [1, 2].index(2) }} {{ {'a': {'b': [5]}}.a.b[0] }} {{ [1,2] == [1,2] }} {{ {'a':1} == {'a':1} }} {{ [1,2,3][10:] }} {{ [1,2,3][-10:2] }}",
    "time": "{{ strftime_now('%Y-%m-%d %A %a %B %b %H:%M:%S %p %I %j %y %%') }}",
    "conditions": "{% if false %}a{% elif 0 %}b{% elif 1 %}c{% else %}d{% endif %}{{ 'x' if 1 > 2 else 'y' if none else 'z' }}{{ (1 if true else 2) + 1 }}",
    "precedence": "{{ 'a' ~ (1 + 2) }} {{ not true or true }} {{ 'x' + 2 ~ 3 }} {{ 2 * 3 ~ 4 }} {{ -2 ** 2 }} {{ 'a' + 'b' | upper }} {{ ('a' + 'b') | upper }} {{ 1 == 1 and 2 == 2 }} {{ 'x' ~ 'y' == 'xy' }} {{ 3 - -2 }} {{ not 'a' is string }} {{ 1 if 0 else 2 }}",
    "comments": "{# a #}\n{#- b -#}  x {#\n multi {% if %} #} y",
    "end": "{{ messages | length }}\n\n",
    "unicode": "{{ 'ÄÖ' | lower }} {{ 'привет' | upper }} {{ 'İ' | length }} {{ '你好'[0] }} 😀{{ '\\u00a0x\\u3000' | trim }}|",
}
ERRORS = {
    "error: unknown filter": "{{ 1 | nonsense }}",
    "error: unknown test": "{{ 1 is nonsense }}",
    "error: open tag": "{{ 1 ",
    "error: open block": "{% if true %}x",
    "error: stray end": "x{% endif %}",
    "error: open string": "{{ 'x }}",
    "error: bad bracket": "{{ [1, 2) }}",
    "error: add text and number": "{{ 'a' + 1 }}",
    "error: attribute of undefined": "{{ nothing.x }}",
    "error: call of undefined": "{{ nothing() }}",
    "error: division by zero": "{{ 1 // 0 }}",
    "error: order": "{{ 'a' < 1 }}",
    "error: loop over number": "{% for i in 5 %}{% endfor %}",
    "error: include": "{% include 'x' %}",
    "error: refuses": "{{ raise_exception('no') }}",
    "error: range": "{{ range(10000000000) | length }}",
    "error: unpack": "{% for a, b in [[1]] %}{% endfor %}",
    "error: dunder": "{{ ''.__class__.__mro__ }}",
    "error: import": "{% import 'os' as os %}",
    "error: open comment": "x {# y",
    "error: empty expression": "{{ }}",
    "error: mutation": "{% set x = [] %}{{ x.append(1) }}",
}
WITH_INPUT = [
    ("chatml", CHATML, {}), ("chatml without system", CHATML, {"messages": NO_SYSTEM}),
    ("chatml without prompt", CHATML, {"add_generation_prompt": False}),
    ("headers", HEADERS, {}), ("headers with tools", HEADERS, {"messages": CALLS, "extra": {"tools": TOOLS}}),
    ("headers with a date", HEADERS, {"messages": NO_SYSTEM, "extra": {"date_string": "1 Jan 2025"}}),
    ("tooled", TOOLED, {}), ("tooled with tools", TOOLED, {"messages": CALLS, "extra": {"tools": TOOLS}}),
    ("tooled without thinking", TOOLED, {"extra": {"enable_thinking": False}}),
    ("turns", TURNS, {"messages": NO_SYSTEM}), ("turns refuse", TURNS, {}),
    ("instruct", INSTRUCT, {}), ("instruct refuses", INSTRUCT, {"messages": CALLS}),
    ("macros", MACROS, {}),
]


def render(name, template, change):
    data = {"messages": TALK, "add_generation_prompt": True, "bos_token": "<s>",
            "eos_token": "</s>", "extra": {}}
    data.update(change)
    case = {"name": name, "template": template, "input": data}
    variables = {"tools": None, "documents": None, **data["extra"],
                 **{key: value for key, value in data.items() if key != "extra"}}
    try:
        case["expected"] = ENVIRONMENT.from_string(template).render(**variables)
    except Exception as error:  # whatever Python raises, an error is what is expected
        case["error"] = f"{type(error).__name__}: {error}"
    assert ("error" in case) == (name.startswith("error") or "refuse" in name), case
    return case


def main():
    cases = [render(*entry) for entry in WITH_INPUT]
    cases += [render(name, template, {}) for name, template in (SMALL | ERRORS).items()]
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    (HERE / "chat_templates.json").write_text("[\n" + lines + "\n]\n")
    print(f"{len(cases)} cases")


main()
