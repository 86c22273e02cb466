"""%%gem and %gem in a shell: what they send, bind, tell and refuse."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

import gemstream_widget as gem
from gemstream_widget._engine.options import OPTIONS
from gemstream_widget._notebook import cell_options, completion, extension
from gemstream_widget._notebook.magic import COMMANDS, Magic
from tests.gates import GatedSource, until
from tests.wire import chunk, text


class Shell(InteractiveShell):
    """A shell that takes itself for a kernel's."""

    kernel = object()


class Notebook:
    """Runs cells in a shell of its own, and holds what they printed."""

    def __init__(self) -> None:
        self.shell = Shell()
        self.out = self.err = ""
        gem.load_ipython_extension(self.shell)

    @property
    def names(self) -> dict[str, Any]:
        return self.shell.user_ns

    @property
    def magic(self) -> Magic:
        return extension._loaded[self.shell]

    def __call__(self, source: str) -> Any:
        """Run a cell; its exception, or None."""
        out, err = StringIO(), StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            done = self.shell.run_cell(source)
        self.out, self.err = out.getvalue(), err.getvalue()
        return done.error_in_exec or done.error_before_exec

    def refuses(self, source: str) -> str:
        """What a cell that is refused says: one line, as a usage error."""
        before = len(gem.runs())
        error = self(source)
        assert isinstance(error, UsageError), error
        said = self.err or self.out
        assert said.startswith("UsageError: ")
        assert said.count("\n") == 1
        assert "Traceback" not in said
        assert len(gem.runs()) == before
        return said


@pytest.fixture
def notebook() -> Iterator[Notebook]:
    made = Notebook()
    yield made
    gem.unload_ipython_extension(made.shell)


@pytest.fixture
def source(notebook: Notebook) -> GatedSource:
    """A conversation whose answers the test holds in its hand: `--chat held`."""
    gated = GatedSource()
    notebook.names["held"] = gem.Chat(source=gated)
    return gated


@pytest.fixture
def server() -> Iterator[gem.LocalGemini]:
    with gem.LocalGemini(speed=float("inf")) as one:
        yield one


def texts(run: gem.Run) -> list[str]:
    """What the prompt of a run says."""
    return [part.get("text", "") for content in run.contents()[:1] for part in content["parts"]]


# -- there, and gone again --------------------------------------------------------------------------------------------


def test_loading_adds_the_magics_and_unloading_takes_everything_back() -> None:
    shell = Shell()
    manager = shell.magics_manager.magics
    before = {kind: dict(magics) for kind, magics in manager.items()}, set(shell.user_ns)
    matchers = list(shell.Completer.custom_matchers)
    gem.load_ipython_extension(shell)
    gem.load_ipython_extension(shell)
    assert "gem" in manager["line"]
    assert "gem" in manager["cell"]
    assert len(shell.Completer.custom_matchers) == len(matchers) + 1
    shell.user_ns["_gem"] = "a run"
    gem.unload_ipython_extension(shell)
    gem.unload_ipython_extension(shell)
    assert ({kind: dict(magics) for kind, magics in manager.items()}, set(shell.user_ns)) == before
    assert shell.Completer.custom_matchers == matchers


def test_a_magic_of_the_users_with_this_name_comes_back() -> None:
    shell = Shell()
    shell.register_magic_function(mine := lambda line: line, "line", "gem")
    shell.user_ns["_gem"] = "mine"
    gem.load_ipython_extension(shell)
    assert shell.magics_manager.magics["line"]["gem"] is not mine
    shell.user_ns["_gem"] = "a run"
    gem.unload_ipython_extension(shell)
    assert shell.magics_manager.magics["line"]["gem"] is mine
    assert shell.user_ns["_gem"] == "mine"


def test_a_shell_without_a_kernel_has_the_magics_too() -> None:
    shell, out = InteractiveShell(), StringIO()
    gem.load_ipython_extension(shell)
    try:
        with redirect_stdout(out):
            done = shell.run_cell("%gem")
    finally:
        gem.unload_ipython_extension(shell)
    assert done.error_in_exec is None
    assert "Nothing was asked yet" in out.getvalue()


# -- asking -----------------------------------------------------------------------------------------------------------


def test_a_conversation_goes_on_from_cell_to_cell(notebook: Notebook, server: gem.LocalGemini) -> None:
    async def main() -> None:
        notebook.names.update(client=server.client(), word="one")
        assert notebook("%%gem --model demo --client client --as first\n@say {word}") is None
        run = notebook.names["first"]
        assert notebook.names["_gem"] is run
        assert not run.done  # the cell returned at once
        await run
        assert notebook("%%gem\n@say two") is None
        second = await notebook.names["_gem"]
        assert (run.text, second.text) == ("one", "two")
        assert len(server.requests[-1].body["contents"]) == 3
        assert notebook("%%gem --new\n@say three") is None
        await notebook.names["_gem"]
        assert len(server.requests[-1].body["contents"]) == 1

    asyncio.run(main())


def test_what_lines_set_stays_until_it_is_changed(notebook: Notebook, server: gem.LocalGemini) -> None:
    async def main() -> None:
        notebook.names.update(client=server.client(), warm={"temperature": 0.5})
        line = "--model demo --client client --system 'Be brief.' --config warm --max-steps 3 --approve never"
        notebook(f"%%gem {line}\n@say a")
        notebook("%gem model 'gemini-x'")
        notebook("%%gem --new --approval-timeout-s none\n@say b")
        chat = notebook.magic.chat
        assert chat is not None
        options = chat.options
        assert (options.model, options.system, options.config) == ("gemini-x", "Be brief.", {"temperature": 0.5})
        assert (options.max_steps, options.approve, options.approval_timeout_s) == (3, "never", None)
        assert options.client is notebook.names["client"]
        gem.stop_all()
        await asyncio.gather(*(run.wait() for run in notebook.magic.runs))

    asyncio.run(main())


def test_a_policy_is_a_name_too_of_a_function_or_a_list(notebook: Notebook, server: gem.LocalGemini) -> None:
    async def main() -> None:
        notebook.names.update(client=server.client(), lines=[("delete_*", "never")], wrong=[("delete_*", "nevr")])
        for name, told in (("lines", None), ("wrong", "Did you mean 'never'?")):
            notebook(f"%%gem --new --model demo --client client --approve {name}\n@say a")
            assert (notebook.err == "") if told is None else (told in notebook.err)
        assert notebook.magic.chat is not None
        assert notebook.magic.chat.options.approve == (("delete_*", "never"),)
        gem.stop_all()
        await asyncio.gather(*(run.wait() for run in notebook.magic.runs))

    asyncio.run(main())


def test_tools_are_named_and_a_function_written_anew_is_the_one_that_runs(
    notebook: Notebook, server: gem.LocalGemini
) -> None:
    async def main() -> None:
        notebook.names["client"] = server.client()
        notebook("def add(a: int, b: int) -> int:\n    'Add.'\n    return a + b")
        asked = '@call add {"a": 1, "b": 2}'
        notebook(f"%%gem --model demo --client client --tools add\n{asked.replace('{', '{{').replace('}', '}}')}")
        run = await notebook.names["_gem"]
        assert run.tool_calls[0].result == {"result": 3}
        notebook("def add(a: int, b: int) -> int:\n    'Add.'\n    return 100")
        notebook(f"%%gem --raw\n{asked}")
        run = await notebook.names["_gem"]
        assert run.tool_calls[0].result == {"result": 100}
        assert notebook("%gem tools") is None
        assert notebook.out == "add\n"
        assert notebook("%gem tools none") is None
        assert notebook.out == "No tools.\n"

    asyncio.run(main())


def test_a_chat_of_the_notebook_goes_on_and_keeps_what_is_changed(notebook: Notebook, source: GatedSource) -> None:
    async def main() -> None:
        notebook("%%gem --chat held --system Short --as run\nHello")
        chat, run = notebook.names["held"], notebook.names["run"]
        assert chat.runs == [run]
        assert chat.system == "Short"
        assert notebook.magic.chat is None
        source.give(chunk(text("Hi"), finish="STOP"))
        source.end()
        assert (await run).text == "Hi"

    asyncio.run(main())


def test_a_cell_waits_behind_the_run_that_goes_on(notebook: Notebook, source: GatedSource) -> None:
    async def main() -> None:
        notebook("%%gem --chat held --as first\nOne")
        notebook("%%gem --chat held --as second\nTwo")
        notebook("%%gem --chat held --as third\nThree")
        first, second, third = (notebook.names[name] for name in ("first", "second", "third"))
        assert [run.status for run in (second, third)] == ["queued", "queued"]
        assert notebook(f"%gem stop {second.id}") is None
        assert notebook.out == f"Taken back: {second.id}.\n"
        for run in (first, third):
            await until(lambda run=run: run.status == "streaming", "its turn")
            source.give(chunk(text(f"to {texts(run)[0]}"), finish="STOP"))
            source.end()
            await run
        assert second.status == "cancelled"
        notebook("%gem runs")
        assert "cancelled (taken back), 0.0 s" in notebook.out
        assert [texts(run) for run in (first, second, third)] == [["One"], [], ["Three"]]
        assert len(source.requests) == 2

    asyncio.run(main())


def test_stop_ends_everything_and_nothing_queued_begins(notebook: Notebook, source: GatedSource) -> None:
    async def main() -> None:
        for name in "abc":
            notebook(f"%%gem --chat held --as {name}\nHello")
        await until(lambda: source.requests, "the request")
        assert notebook("%gem stop") is None
        runs = [notebook.names[name] for name in "abc"]
        assert notebook.out.splitlines() == [
            f"Taken back: {runs[2].id}.", f"Taken back: {runs[1].id}.", f"Stopped: {runs[0].id}.",
        ]  # fmt: skip
        await asyncio.gather(*(run.wait() for run in runs))
        assert [run.status for run in runs] == ["cancelled"] * 3
        assert len(source.requests) == 1
        assert notebook("%gem stop") is None
        assert notebook.out == "Nothing goes on.\n"

    asyncio.run(main())


def test_raw_braces_are_text(notebook: Notebook, source: GatedSource) -> None:
    async def main() -> None:
        notebook("%%gem --chat held --raw\n{nothing} {{x}} \\frac{a}{b}")
        assert texts(notebook.names["_gem"]) == ["{nothing} {{x}} \\frac{a}{b}"]
        gem.stop_all()
        await notebook.names["_gem"].wait()

    asyncio.run(main())


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "telling"),
    [
        ("%%gem --modle demo\nhi", "no option '--modle'. Did you mean '--model'?"),
        ("%%gem --mod demo\nhi", "no option '--mod'. Did you mean '--model'?"),
        ("%%gem --zzz\nhi", "Options: --as, --new, --chat, --keep, --raw, --model,"),
        ("%%gem --api-key k\nhi", "no option '--api-key'"),
        ("%%gem --model\nhi", "expected one argument"),
        ("%%gem hello\nhi", "does not know 'hello'"),
        ("%%gem --system 'open\nhi", "quotes that close"),
        ("%%gem\n   \n", "The cell is empty"),
        ("%%gem\n{missing}", "{missing} asks for what is not there"),
        ("%%gem\n{modul}", "name 'modul' is not defined. Did you mean 'module'? Write {{"),
        ("%%gem\n{module}", "a module is no prompt"),
        ("%%gem --as 3x\nhi", "no name for a variable"),
        ("%%gem --as class\nhi", "no name for a variable"),
        ("%%gem --as get_ipython\nhi", "no name for a variable"),
        ("%%gem --tools delete_fil\nhi", "no tool 'delete_fil' in this notebook. Did you mean 'delete_file'?"),
        ("%%gem --tools module.gone\nhi", "module has no 'gone'"),
        ("%%gem --tools word\nhi", "'word' is no tool but a str"),
        ("%%gem --approve sometimes\nhi", "no policy 'sometimes'"),
        ("%%gem --max-steps many\nhi", "max_steps is a whole number from 1 on, not 'many'"),
        ("%%gem --runner fast\nhi", 'runner is "loop", "thread" or None'),
        ("%%gem --chat nobody\nhi", "no chat 'nobody'"),
        ("%%gem --chat word\nhi", "that is a str, not a Chat"),
        ("%%gem --chat held --new\nhi", "--new starts a conversation of its own"),
        ("%%gem --config nothing\nhi", "no value 'nothing'"),
        ("%%gem --client word\nhi", "client is a google.genai.Client or None"),
        ("%gem stpo", "Did you mean 'stop'?"),
        ("%gem tell me", "a prompt goes into a cell that begins with %%gem"),
        ("%gem save", "name a file"),
        ("%gem model demo  # the local one", "one name, and nothing behind it"),
        ("%gem save somewhere.json", "there is no conversation yet"),
        ("%gem new --as x", "takes the options of a chat"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_sent(
    notebook: Notebook, source: GatedSource, cell: str, telling: str
) -> None:
    async def main() -> None:
        notebook.names.update(module=asyncio, word="a word", delete_file=lambda path: None)
        assert telling in notebook.refuses(cell)
        assert "_gem" not in notebook.names
        assert notebook.magic.runs == []
        assert source.requests == []

    asyncio.run(main())


def test_a_name_that_was_asked_for_is_listed_and_the_last_run_is_not(notebook: Notebook, source: GatedSource) -> None:
    async def main() -> None:
        notebook("%%gem --chat held --as answer\nhi")
        assert notebook.names["answer"] is notebook.names["_gem"]
        listed = notebook.shell.run_line_magic("who_ls", "")
        assert "answer" in listed
        assert "_gem" not in listed
        gem.stop_all()
        await notebook.names["answer"].wait()

    asyncio.run(main())


def test_a_cell_that_is_refused_changes_nothing(notebook: Notebook, source: GatedSource) -> None:
    async def main() -> None:
        held = notebook.names["held"]
        notebook.names["answer"] = {"functionResponse": {"name": "nobody", "response": {}}}
        options = held.options
        assert "No open function call" in notebook.refuses("%%gem --chat held --max-steps 9\n{answer}")
        assert held.options is options
        notebook("%gem new --model gemini-x")
        chat = notebook.magic.chat
        assert chat is not None
        notebook("%%gem --chat held\nover")
        gem.stop_all()
        over = await notebook.names["_gem"].wait()
        for line in ("--new --model gemini-y", "--model gemini-y"):
            assert "No open function call" in notebook.refuses(f"%%gem {line}\n{{answer}}")
            assert notebook.magic.chat is chat
            assert notebook.magic.runs == [over]
            assert chat.model == "gemini-x"
        notebook("%gem new")
        assert notebook.magic.chat is not chat  # the control
        assert notebook.magic.chat.model == "gemini-x"

    asyncio.run(main())


def test_where_no_loop_runs_a_cell_is_refused_in_one_line(notebook: Notebook) -> None:
    assert "No event loop" in notebook.refuses("%%gem --model demo\nhi")


def test_a_key_never_stands_in_what_is_told(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "AIzaSyPLANTED0000000000000000000000000000"
    monkeypatch.setenv("GEMINI_API_KEY", key)

    async def main() -> None:
        notebook.names["key"] = key
        said = notebook.refuses("%%gem\n{undefined_thing(key) or '" + key + "'}")
        assert key not in said

    asyncio.run(main())


# -- %gem -------------------------------------------------------------------------------------------------------------


def test_status_and_runs_tell_what_goes_on(notebook: Notebook, source: GatedSource) -> None:
    async def main() -> None:
        assert notebook("%gem") is None
        assert notebook.out.startswith("Nothing was asked yet")
        other = gem.Chat(source=GatedSource()).send("elsewhere")
        notebook("%%gem --chat held --as run\nHello")
        notebook("%gem runs")
        assert [line.split()[0] for line in notebook.out.splitlines()] == [notebook.names["run"].id, other.id]
        gem.stop_all()
        await asyncio.gather(notebook.names["run"].wait(), other.wait())
        notebook("%gem runs")
        assert "cancelled, " in notebook.out
        assert other.id not in notebook.out

    asyncio.run(main())


def test_save_writes_the_conversation(
    notebook: Notebook, server: gem.LocalGemini, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        notebook.names["client"] = server.client()
        notebook("%%gem --model demo --client client\n@say kept")
        await notebook.names["_gem"]
        assert notebook(f"%gem save {tmp_path / 'a chat.json'}") is None
        assert gem.load_chat(tmp_path / "a chat.json").runs[0].text == "kept"
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("USERPROFILE", str(tmp_path))
        assert notebook("%gem save '~/at home.json'") is None
        assert gem.load_chat(tmp_path / "at home.json").runs[0].text == "kept"
        assert "No such file" in notebook.refuses("%gem save ~nobody-here/chat.json")
        said = notebook.refuses(f"%gem save {tmp_path / 'gone' / 'chat.json'}")
        assert "No such file" in said
        assert said.rstrip().endswith("chat.json'")

    asyncio.run(main())


def test_help_tells_of_every_command_and_option(notebook: Notebook) -> None:
    notebook("%gem help")
    for command in COMMANDS:
        assert f"%gem {command}" in notebook.out
    written = set(OPTIONS) - {"api_key", "history", "source", "clock"}
    for name in [*written, "as", "new", "chat", "raw"]:
        assert f"--{name.replace('_', '-')}" in notebook.out
    assert "%%gem [--as NAME]" in notebook.out


def test_doctor_gives_the_report(notebook: Notebook) -> None:
    report = notebook.magic.line("doctor")
    assert report is not None
    assert {found.topic for found in report} >= {"versions", "credentials"}


# -- completion -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "number", "expected"),
    [
        ("%%gem --mo", 0, ["--model"]),
        ("%%gem --model gemini-3.8", 0, [gem.DEFAULT_MODEL]),
        ("%%gem --model=de", 0, ["demo"]),
        ("%%gem --tools del", 0, ["delete_file"]),
        ("%%gem --tools other,del", 0, ["delete_file"]),
        ("%%gem --approve a", 0, ["ask", "auto"]),
        ("%%gem --chat h", 0, ["held"]),
        ("%%gem --model demo --mo", 0, []),
        ("%%gem --as x", 0, []),
        ("%gem s", 0, ["status", "stop", "save"]),
        ("%gem s", 4, ["status", "stop", "save"]),
        ("%gem model gemini-4-h", 0, ["gemini-4-hydrogen"]),
        ("%gem tools delete_file del", 0, ["delete_file"]),
        ("%gem new --ap", 0, ["--approve", "--approval-timeout-s"]),
        ("%%gem --mo", 1, []),
        ("gem --mo", 0, []),
        ("%%gemini --mo", 0, []),
    ],
)
def test_tab_offers_what_fits(
    notebook: Notebook, source: GatedSource, line: str, number: int, expected: list[str]
) -> None:
    def delete_file(path: str) -> None: ...

    delete_file.__module__ = "__main__"
    notebook.names.update(delete_file=delete_file, _hidden=delete_file, word="x")
    found = completion.offered(line, number, notebook.magic)
    assert sorted(one for one in found[1] if one.startswith(found[0])) == sorted(expected)


def test_tab_goes_through_ipythons_completer(notebook: Notebook) -> None:
    from IPython.core.completer import provisionalcompleter

    def completed(text: str) -> list[str]:
        with provisionalcompleter():
            return [one.text for one in notebook.shell.Completer.completions(text, len(text))]

    assert completed("%%gem --mod") == ["--model"]
    assert completed("%%gem --model gemini-3.8") == [gem.DEFAULT_MODEL]
    gem.unload_ipython_extension(notebook.shell)
    assert "--model" not in completed("%%gem --mod")


def test_the_models_offered_begin_with_the_default() -> None:
    assert cell_options.KNOWN_MODELS[0] == gem.DEFAULT_MODEL
    assert len(set(cell_options.KNOWN_MODELS)) == len(cell_options.KNOWN_MODELS)


def test_a_new_conversation_lets_go_of_the_runs_of_the_one_before(notebook: Notebook, server: gem.LocalGemini) -> None:
    async def main() -> None:
        notebook.names["client"] = server.client()
        notebook("%%gem --model demo --client client --system Short\n@say a")
        await notebook.names["_gem"]
        notebook("%gem new --system none")
        notebook("%gem runs")
        assert notebook.out == "No runs.\n"
        assert notebook.magic.chat is not None
        assert notebook.magic.chat.system is None

    asyncio.run(main())
