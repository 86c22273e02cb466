"""The shape of the package: what importing it costs, and which module may know which."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import gemstream_widget as gem

PACKAGE = Path(gem.__file__).parent

# A module may import the ones before it. `server` is a package with an order of its own.
ORDER = [
    *(
        "clean",
        "redact",
        "errors",
        "model",
        "machine",
        "finish",
        "decode",
        "reducer",
        "shapes",
        "rules",
        "history",
        "turns",
        "repair",
        "chunks",
    ),
    *(
        "source",
        "server",
        "tools",
        "results",
        "approval",
        "capture",
        "acting",
        "events",
        "feed",
        "record",
        "restore",
        "runner",
        "retry",
        "pump",
        "driver",
        "run",
        "chat",
        "saved",
    ),
    *("pace", "fastlane", "widget", "show"),
]
UPWARDS = {
    ("run", "show"): "displaying a run asks the room that draws it",
    ("chat", "saved"): "saving a chat asks the room that knows the file",
}
ALLOWED = {
    "google": {"source"},
    "anywidget": {"widget"},
    "traitlets": {"widget"},
    "ipywidgets": {"widget"},
    "IPython": {"show"},
    "tornado": {"server"},
    "pydantic": {"source", "tools"},
    "pydantic_core": {"results"},
}
FORBIDDEN_AT_TOP = ("google", "pydantic")
HEAVY = ("google.genai", "anywidget", "ipywidgets", "traitlets", "IPython", "tornado", "pydantic")


def modules() -> list[tuple[str, Path]]:
    return [(p.relative_to(PACKAGE).parts[0].removesuffix(".py"), p) for p in sorted(PACKAGE.rglob("*.py"))]


def imports(path: Path) -> list[tuple[str, bool, bool]]:
    """(module, at the top of the file, only for types) for each import; relative ones as `.name`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    depth = len(path.relative_to(PACKAGE).parts)
    found = []
    for node in ast.walk(tree):
        for_types, at_top = id(node) in typing_only, node in tree.body
        if isinstance(node, ast.Import):
            found += [(alias.name, at_top, for_types) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0:
                found.append((node.module or "", at_top, for_types))
            elif node.level == depth:
                names = [node.module] if node.module else [alias.name for alias in node.names]
                found += [("." + str(name).split(".")[0], at_top, for_types) for name in names]
    return found


def test_every_module_has_its_place() -> None:
    assert {name for name, _ in modules()} - {"__init__"} == set(ORDER)


@pytest.mark.parametrize(("name", "path"), modules(), ids=lambda v: v.name if isinstance(v, Path) else v)
def test_imports_point_one_way_and_hosts_are_named_where_they_may_be(name: str, path: Path) -> None:
    for module, at_top, for_types in imports(path):
        root = module.split(".")[0]
        if module.startswith("."):
            target = module[1:]
            if name != "__init__" and not for_types and target != name and (name, target) not in UPWARDS:
                assert ORDER.index(target) < ORDER.index(name), f"{name} imports {target}, which comes after it"
        elif root in ALLOWED and not for_types:
            assert name in ALLOWED[root], f"{name} may not import {module}"
            assert not (at_top and root in FORBIDDEN_AT_TOP), f"{name} imports {module} at its top"


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
