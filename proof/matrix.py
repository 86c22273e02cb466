"""python -m proof.matrix [--python PATH ...] [--only NAME]

The package with every run-time dependency at its lower bound (pyproject.toml) and at its newest, and with other
Pythons: for each combination an environment in .kernels/matrix, in which the short list of tests is run
(tests/test_environments.py), and one client is tried on several event loops (proof/two_loops.py). Prints a table; of
all combinations it is also written to docs/environments.md. Exits with 1 where anything failed, or where the control
did not: a dependency below its bound. `--only` tries the short list of one combination.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Combination", "bounds", "combinations"]

ROOT = Path(__file__).resolve().parents[1]
_HOMES = ROOT / ".kernels" / "matrix"
_PAGE = ROOT / "docs" / "environments.md"
_PYTHONS = ("python3.11", "python3.12", "python3.13")
_MAJORS = (2, 3)
"""Of google-genai: the newest before each."""
_BELOW = "google-genai==1.48.0"
_TESTS = ("pytest>=8.4", "pytest-timeout>=2.4")
_RUNS = 60


@dataclass(frozen=True)
class Combination:
    """Requirements beside the package's own, and the Python that gets them. `is_control`: it has to fail."""

    name: str
    requirements: tuple[str, ...] = ()
    python: str = sys.executable
    is_control: bool = False


@dataclass(frozen=True)
class Result:
    combination: Combination
    versions: dict[str, str]
    tests: str
    """What pytest said last."""
    passed: bool
    loops: dict[str, dict[str, dict[str, int]]]
    took_s: float

    @property
    def holds(self) -> bool:
        return self.passed is not self.combination.is_control


def bounds() -> dict[str, str]:
    """The lower bound of each run-time dependency, by its name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = (re.fullmatch(r"([\w-]+)>=([\d.]+)", one) for one in project["dependencies"])
    return {match[1]: match[2] for match in found if match is not None}


def combinations(pythons: Iterable[str]) -> Iterator[Combination]:
    lowest = {name: f"{name}=={bound}" for name, bound in bounds().items()}
    yield Combination("lowest", tuple(lowest.values()))
    yield Combination("newest")
    for name, requirement in lowest.items():
        yield Combination(f"lowest {name}", (requirement,))
    for major in _MAJORS:
        yield Combination(f"google-genai before {major}", (f"google-genai<{major}",))
    for python in pythons:
        yield Combination(f"newest on {Path(python).name}", python=python)
    yield Combination("below the bound", (_BELOW,), is_control=True)


def other_pythons(named: Iterable[str]) -> list[str]:
    """Those that run here and are another version than this one."""
    seen = {_version(sys.executable)}
    found = []
    for python in [*filter(None, map(shutil.which, _PYTHONS)), *named]:
        if (version := _version(python)) is not None and version not in seen:
            seen.add(version)
            found.append(python)
    return found


def _version(python: str) -> str | None:
    asked = [python, "-c", "import sys; print(*sys.version_info[:2])"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


def environment(combination: Combination) -> Path:
    """The Python of an environment with these requirements, made anew where they have changed."""
    home = _HOMES / re.sub(r"[^\w.]+", "-", combination.name)
    wanted = json.dumps([combination.python, *combination.requirements, *sorted(bounds().items())])
    python, ready = home / "bin" / "python", home / ".ready"
    if not ready.exists() or ready.read_text() != wanted:
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run([combination.python, "-m", "venv", home], check=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        fits = () if combination.is_control else combination.requirements
        bare = os.environ | {"SKIP_BUNDLE": "1"}
        subprocess.run([*install, "--editable", ROOT, *_TESTS, *fits], check=True, env=bare)
        if combination.is_control:  # pip would not have it beside the package
            subprocess.run([*install, "--no-deps", *combination.requirements], check=True)
        ready.write_text(wanted)
    return python


def tried(combination: Combination, runs: int) -> Result:
    """The short list in its environment, and where that passed so many runs over several loops."""
    start = time.monotonic()
    python = environment(combination)
    listed = "import importlib.metadata as m, sys; print(*(f'{n}={m.version(n)}' for n in sys.argv[1:]))"
    versions = _said([python, "-c", listed, *bounds()]).split()
    short = [python, "-m", "pytest", "-q", "-m", "environments", "-p", "no:cacheprovider", "tests/test_environments.py"]
    done = subprocess.run(short, cwd=ROOT, capture_output=True, text=True, check=False)
    passed = done.returncode == 0
    if passed is combination.is_control:
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
    loops = json.loads(_said([python, "-m", "proof.two_loops", str(runs)])) if passed and runs else {}
    last = done.stdout.strip().splitlines()[-1]
    about = {"python": _said([python, "-c", "import platform; print(platform.python_version())"]).strip()}
    about |= dict(one.split("=") for one in versions)
    return Result(combination, about, last, passed, loops, time.monotonic() - start)


def _said(command: list[str | Path]) -> str:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def table(results: Iterable[Result]) -> str:
    """The results as Markdown. A version is given where it is not the newest's."""
    results = list(results)
    usual = next((r.versions for r in results if r.combination.name == "newest"), {})
    lines = [
        "| combination | other than the newest | short list | a client of ours on several loops | a user's own |",
        "|---|---|---|---|---|",
    ]
    for result in results:
        other = [f"{name} {version}" for name, version in result.versions.items() if usual.get(name) != version]
        tests = re.sub(r" in [\d.]+s.*", "", result.tests)
        expected = " (the control: it has to fail)" if result.combination.is_control else ""
        cells = [result.combination.name, ", ".join(other) or "nothing", tests + expected]
        cells += [_whole(result.loops.get(client, {})) for client in ("ours", "a user's own")]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _whole(ways: dict[str, dict[str, int]]) -> str:
    if not ways:
        return "not tried"
    return ", ".join(f"{seen.get('whole', 0)} of {sum(seen.values())}" for seen in ways.values())


def page(results: list[Result]) -> str:
    newest = next(result for result in results if result.combination.name == "newest")
    versions = ", ".join(f"{name} {version}" for name, version in newest.versions.items())
    return f"""# Environments

`make matrix` makes an environment for each combination below and runs the short list of tests in it: an answer of the
demo model, its bytes, a Stop, a tool and its approval, settings and tokens, a refusal, loops, a saved chat, a card in a
kernel. `make test` does so with the lowest of all. The bound of google-genai is the lowest that passes.

- date: {time.strftime("%Y-%m-%d")}
- newest: {versions}
- took: {sum(result.took_s for result in results):.0f} s

{table(results)}

The last two columns are {_RUNS} runs each: one `asyncio.run` after another, two loops at once, and `runner="thread"`
beside a loop; without retries, which mend most of what failed. Clients that this package makes, and those made with
`gem.http_options()`, have connections for each loop. A client made without has one pool for all loops before
google-genai 3.4: what that breaks is told as "The client's connections belong to another event loop".
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m proof.matrix")
    parser.add_argument("--only", metavar="NAME", help="one combination, such as lowest")
    parser.add_argument("--python", action="append", default=[], metavar="PATH", help="another Python to try")
    asked = parser.parse_args()
    pythons = [] if asked.only else other_pythons(asked.python)
    chosen = [one for one in combinations(pythons) if asked.only in (None, one.name)]
    if not chosen:
        parser.error(f"no combination {asked.only!r}: there are {', '.join(one.name for one in combinations([]))}")
    results = []
    for combination in chosen:
        result = tried(combination, 0 if asked.only else _RUNS)
        results.append(result)
        word = "holds" if result.holds else "DOES NOT HOLD"
        print(f"{combination.name}: {result.tests} ({result.took_s:.0f} s): {word}", file=sys.stderr, flush=True)
    print(table(results))
    if asked.only is None:
        _PAGE.write_text(page(results), encoding="utf-8")
    return 0 if all(result.holds for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
