"""The shape of the package: its rooms, which may know which, and what importing it costs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import gemstream_widget as gem

PACKAGE = Path(gem.__file__).parent

ROOMS = (
    "_plain _process _redact _shell _interrupts _api_words errors", "_stream", "_request", "_tools", "_engine",
    "_archive", "_run", "_branches _offers", "_chat_file", "_chat", "_notebook",
)  # fmt: skip
"""From the ground up: a room may import the ones below it. CONTRIBUTING.md draws the house from this list."""
BESIDE = {"server": {"_plain", "_process", "_request", "_engine", "errors"}, "events": {"_stream"}}
"""Rooms that nothing imports but by name, inside a function, and what they may import."""
SERVER = (
    "account errors example faults framing listener models signatures tokens", "question", "actions reply",
    "hops exchange recordings script", "demo", "service", "app", "local", "__init__ __main__",
)  # fmt: skip
"""The local Gemini's own rooms, from the ground up."""
UPWARDS = {("_run", "_notebook"): "displaying a run asks the room that draws it"}
ALLOWED = {
    "google": {"_engine.gemini"},
    "anywidget": {"_notebook"},
    "traitlets": {"_notebook"},
    "ipywidgets": {"_notebook"},
    "IPython": {"_notebook"},
    "tornado": {"server"},
    "pydantic": {"_archive.journal_file", "_engine.gemini", "_tools"},
    "pydantic_core": {"_tools"},
}
"""Who may import a host or a heavy library."""
FORBIDDEN_AT_TOP = ("google", "pydantic")
HEAVY = ("google.genai", "anywidget", "ipywidgets", "traitlets", "IPython", "tornado", "pydantic")
FLOOR = {room: floor for floor, rooms in enumerate(ROOMS) for room in rooms.split()}
Import = tuple[str, bool, bool]


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__") or "__init__"


def room_of(module: str) -> str:
    return module.split(".", maxsplit=1)[0]


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports(module: str) -> Iterator[Import]:
    """(module, at the top of the file, only for types) for each import; ours as `.name`, from the package's root."""
    path = MODULES[module]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    package = path.relative_to(PACKAGE).parts[:-1]
    for node in ast.walk(tree):
        for_types, at_top = id(node) in typing_only, node in tree.body
        if isinstance(node, ast.Import):
            yield from ((alias.name, at_top, for_types) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or "", at_top, for_types
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1], *([node.module] if node.module else [])]
            for alias in node.names:
                inner = ".".join([*base, alias.name])
                yield "." + (inner if inner in MODULES else ".".join(base)), at_top, for_types


def test_every_module_has_its_room() -> None:
    assert {room_of(name) for name in MODULES} - {"__init__"} == {*FLOOR, *BESIDE}


@pytest.mark.parametrize("name", [name for name in MODULES if name != "__init__"])
def test_imports_point_down_and_hosts_are_named_where_they_may_be(name: str) -> None:
    room = room_of(name)
    for module, at_top, for_types in imports(name):
        if for_types:
            continue
        root, target = module.split(".")[0], room_of(module[1:])
        if not module.startswith("."):
            if root in ALLOWED:
                assert {name, room} & ALLOWED[root], f"{name} may not import {module}"
                assert not (at_top and root in FORBIDDEN_AT_TOP), f"{name} imports {module} at its top"
        elif target == room or (room, target) in UPWARDS:
            continue
        elif target in BESIDE:
            assert not at_top, f"{name} imports {target} at its top, which stands beside the house"
        elif room in BESIDE:
            assert target in BESIDE[room], f"{name} may not import {target}"
        else:
            same_floor = FLOOR[target] == FLOOR[room] == 0
            assert FLOOR[target] < FLOOR[room] or same_floor, f"{name} imports {module[1:]}, which is above it"


def test_the_local_gemini_is_built_from_the_ground_up() -> None:
    floor = {room: number for number, rooms in enumerate(SERVER) for room in rooms.split()}
    within = [name.removeprefix("server.") for name in MODULES if name.startswith("server.")] + ["__init__"]
    assert {room_of(name) for name in within} == {*floor}
    for name in within:
        for module, _, _ in imports("server" if name == "__init__" else f"server.{name}"):
            if module.startswith(".server."):
                target = room_of(module.removeprefix(".server."))
                assert floor[target] < floor[room_of(name)] or target == room_of(name), f"{name} imports {module}"


def circles() -> list[set[str]]:
    """Sets of modules that import one another, at the top of their files."""
    graph = {name: {m[1:] for m, top, types in imports(name) if m[0] == "." and top and not types} for name in MODULES}

    def reached(start: str) -> set[str]:
        seen, todo = set[str](), [start]
        while todo:
            for target in graph.get(todo.pop(), ()):
                if target not in seen:
                    seen.add(target)
                    todo.append(target)
        return seen

    return [{name} for name in graph if name in reached(name)]


def test_no_module_imports_itself_by_a_detour() -> None:
    assert circles() == []


def test_the_guide_draws_the_same_house() -> None:
    guide = (PACKAGE.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]*`) \|", guide, re.MULTILINE)
    assert [" ".join(re.findall(r"`(\w+)`", row)) for row in rows] == list(ROOMS)


def test_importing_the_package_loads_neither_the_sdk_nor_jupyter() -> None:
    program = f"import sys, gemstream_widget; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_script_can_chat_without_jupyter() -> None:
    program = (
        "import sys, gemstream_widget as gem\n"
        "run = gem.Chat(model='demo', runner='thread').send('@say hello').result(timeout_s=60)\n"
        "print(run.text, [m for m in ('anywidget', 'ipywidgets', 'IPython') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=90)
    assert done.stdout.strip() == "hello []"


def test_public_names_exist_and_an_unknown_one_is_refused() -> None:
    for name in gem.__all__:
        assert getattr(gem, name) is not None
    assert set(gem.__all__) <= set(dir(gem))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        gem.nonsense  # noqa: B018


def test_what_a_reader_sees_of_the_package_is_its_public_surface() -> None:
    """After everything was used, too: a module is never a public name by accident."""
    program = (
        "import gemstream_widget as gem\n"
        "for name in gem.__all__: getattr(gem, name)\n"
        "public = {n for n in dir(gem) if not n.startswith('_')}\n"
        "print(sorted(public ^ {n for n in gem.__all__ if not n.startswith('_')}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_a_reader_sees_of_a_run_and_a_chat_is_for_readers() -> None:
    """What only friends call (start, restore, feeds) begins with an underscore."""
    public = {kind: {name for name in dir(kind) if not name.startswith("_")} for kind in (gem.Run, gem.Chat)}
    assert public[gem.Run] == set(
        "again approve attachments chunks contents decisions deny done error finish_reason frames id loop model "
        "next_pending notice now_s offers parts pending receipt result retries revoke save snapshot status steps stop "
        "stopped_by text thoughts timing tool_calls usage wait".split()
    )
    assert public[gem.Chat] == set(
        "again branches change check count history model parent queue recording repair runs save send switch system "
        "tools".split()
    )
    assert {name for name in vars(gem.Chat()) if not name.startswith("_")} == {"options"}
