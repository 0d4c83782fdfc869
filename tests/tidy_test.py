#!/usr/bin/env python3
"""The rules of the house that a machine can check. Usage: tidy_test.py SOURCE_DIRECTORY

Includes follow src/rooms.txt; lines, functions and files have limits; names and words are banned each with
its replacement; every room has tests; nothing of the workshop is in the tree.
"""
import pathlib
import re
import sys

LINE_MAX = 100
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 500
TEST_LINES_MAX = 800

BANNED = {
    r"\bstd::regex\b": "PCRE2 (match limits)",
    r"\bstd::expected\b": "base::Result",
    r"\bstd::format\b": "fmt::format",
    r"\bTODO\b|\bFIXME\b|\bXXX\b": "finish it, or say it in an issue",
    r"\bclass \w*(Manager|Helper|Util|Impl)\b": "a noun for what it is",
    r"\busing namespace std\b": "qualified names",
    r"/work/|/root/|/home/\w": "no machine paths",
    r"pypi\.org|pythonhosted|debian\.org": "package names only",
}
ENVIRONMENT = re.compile(r"\bgetenv\(|\bstd::cout\b|\bprintf\(|\bexit\(")


def rooms(root):
    edges = {}
    for line in (root / "src/rooms.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            room, uses = line.split(":")
            edges[room] = set(uses.split()) | {room}
    return edges


def check_includes(path, room, lines, edges):
    for number, line in enumerate(lines, 1):
        match = re.match(r'#include "(\w+)/', line)
        if match and match[1] in edges and match[1] not in edges[room]:
            yield number, f"room {room} must not include room {match[1]}"


def check_functions(lines):
    """Functions by brace depth: a line that ends in '{' after ')' opens one, its closing brace ends it."""
    start, depth_at_start, depth = None, 0, 0
    for number, line in enumerate(lines, 1):
        code = re.sub(r'"(\\.|[^"\\])*"|\'(\\.|[^\'\\])\'|//.*', "", line)
        opens = re.search(r"\)[\w\s:&,<>*()={}.]*\{$", code) and not re.match(
            r"\s*(if|for|while|switch|else|do|namespace|return|\}|extern)\b", code)
        if start is None and opens and "[&]" not in code and "[=" not in code:
            start, depth_at_start = number, depth
        depth += code.count("{") - code.count("}")
        if start is not None and depth <= depth_at_start:
            if number - start + 1 > FUNCTION_LINES_MAX:
                yield start, f"function of {number - start + 1} lines (limit {FUNCTION_LINES_MAX})"
            start = None


def check_source(root, path, edges):
    lines = path.read_text().splitlines()
    room = path.relative_to(root / "src").parts[0]
    test = re.search(r"(_test|_fuzz|_bench|_fixture)\.(cc|h)$", path.name) or path.name.startswith("fake_")
    limit = TEST_LINES_MAX if test else FILE_LINES_MAX
    # Tables are data: their length is that of what they list.
    if len(lines) > limit and not path.name.endswith(("_table.cc", "messages_en.cc", "messages_zh.cc")):
        yield 1, f"{len(lines)} lines (limit {limit})"
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_MAX:
            yield number, f"{len(line)} columns (limit {LINE_MAX})"
        for pattern, instead in BANNED.items():
            if re.search(pattern, line):
                yield number, f"banned: {line.strip()[:60]!r}; use {instead}"
        code = line.split("//")[0]
        if room != "cli" and not test and ENVIRONMENT.search(code):
            yield number, "only cli prints, exits or reads the environment"
    yield from check_includes(path, room, lines, edges)
    yield from check_functions(lines)


def main():
    root = pathlib.Path(sys.argv[1])
    edges = rooms(root)
    problems = []
    sources = [p for p in sorted((root / "src").rglob("*")) if p.suffix in (".h", ".cc", ".inc")]
    for path in sources:
        for number, text in check_source(root, path, edges):
            problems.append(f"{path.relative_to(root)}:{number}: {text}")
    for room in edges.keys() - {"cli"}:  # the binary as a whole is tested by tests/system
        if any((root / "src" / room).glob("**/*.cc")) and not any((root / "src" / room).glob("**/*_test.cc")):
            problems.append(f"src/{room}: no tests")
    print("\n".join(problems))
    print(f"{len(sources)} files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
