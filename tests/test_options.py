"""Options: one list, checked where an option is given, told with the nearest right name."""

from __future__ import annotations

import asyncio
import inspect
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import gemstream_widget as gem
from gemstream_widget._engine.options import OPTIONS, ChatOptions, Options
from gemstream_widget._engine.source import ListSource
from tests import make_options
from tests.wire import chunk, text

HELLO = [chunk(text("hello"), finish="STOP")]

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"modle": "demo"}, "no option 'modle'. Did you mean 'model'?"),
    ({"zzz": 1}, "no option 'zzz'. Options: model, system"),
    ({"model": ""}, "model is the name of a model"),
    ({"model": None}, "model is the name of a model"),
    ({"system": 7}, "system is a text or None; config="),
    ({"approve": "always"}, 'approve is "auto", "ask", "never", a plain function'),
    ({"approval_timeout_s": 0}, "approval_timeout_s is a number of seconds above 0"),
    ({"approval_timeout_s": True}, "approval_timeout_s is a number of seconds above 0"),
    ({"tool_timeout_s": float("nan")}, "tool_timeout_s is a number of seconds above 0"),
    ({"idle_timeout_s": "5"}, "idle_timeout_s is a number of seconds above 0"),
    ({"grace_s": -1}, "grace_s is a number of seconds above 0"),
    ({"max_steps": 1.5}, "max_steps is a whole number from 1 on"),
    ({"max_steps": 0}, "max_steps is a whole number from 1 on"),
    ({"idle_timeout_s": 10**400}, "idle_timeout_s is a number of seconds above 0"),
    ({"history": 5}, "history is a list of Contents, not a int"),
    ({"history": ["hi", "hello"]}, "history is a list of Contents"),
    ({"source": ListSource}, "source is an object with a `stream` method"),
    ({"retries": -1}, "retries is a whole number from 0 on"),
    ({"runner": "process"}, 'runner is "loop", "thread" or None'),
    ({"source": 3}, "source is an object with a `stream` method"),
    ({"client": "key"}, "client is a google.genai.Client"),
    ({"history": "hello"}, "history is a list of Contents"),
    ({"config": 3}, "config is a GenerateContentConfig or a dict"),
    ({"config": {"temprature": 0}}, "Did you mean 'temperature'?"),
    ({"config": {"temperature": "warm"}}, "config: Input should be a valid number"),
]


@pytest.mark.parametrize(("given", "told"), WRONG, ids=[str(given) for given, _ in WRONG])
def test_what_does_not_fit_is_told_where_it_is_given(given: dict[str, Any], told: str) -> None:
    with pytest.raises(gem.InvalidOption) as caught:
        gem.Chat(**given)
    assert told in str(caught.value)
    with pytest.raises(gem.InvalidOption):
        gem.ask("hi", **given)


@pytest.mark.parametrize("key", ["", " \n", 7])
def test_what_is_no_key_at_all_is_told(key: Any) -> None:
    with pytest.raises(gem.InvalidOption, match="api_key is a Gemini API key"):
        gem.Chat(api_key=key)


def test_a_key_is_used_and_never_shown() -> None:
    chat = gem.Chat(api_key="a-key-of-mine-0123456789")
    assert "a-key-of-mine" not in repr(chat) + repr(chat.options)
    client = chat._source._connect()  # type: ignore[attr-defined]
    assert client._api_client.api_key == "a-key-of-mine-0123456789"
    with pytest.raises(gem.InvalidOption, match="api_key or client"):
        gem.Chat(api_key="a-key-of-mine-0123456789", client=client)


def test_one_tool_needs_no_list() -> None:
    def look(path: str) -> str:
        return path

    declared = {"name": "look", "description": "Look."}
    for given in (look, gem.tool(look), [look], declared, [declared]):
        (held,) = gem.Chat(tools=given).tools.wire
        assert [f["name"] for f in held["functionDeclarations"]] == ["look"]
    for wrong in (7, "look", [7]):
        with pytest.raises(gem.ToolError, match="A tool is a function"):
            gem.Chat(tools=wrong)


def test_a_history_is_sent_before_the_prompt_and_is_the_chats_own() -> None:
    async def main() -> None:
        source = ListSource(HELLO)
        given = [{"role": "user", "parts": [{"text": "before"}]}, {"role": "model", "parts": [{"text": "so"}]}]
        chat = gem.Chat(source=source, history=given)
        given.append({"role": "user", "parts": [{"text": "after"}]})
        await chat.send("hi")
        said = [part["text"] for content in source.requests[0].contents for part in content["parts"]]
        assert said == ["before", "so", "hi"]

    asyncio.run(main())


def test_a_change_of_other_options_keeps_the_client() -> None:
    """One that is dropped while others stream may close a connection of theirs, and the next answer waits for a new."""
    chat = gem.Chat(api_key="a-key-of-mine-0123456789")
    source = chat._source
    chat.change(system="Be brief.", model="gemini-x")
    assert chat._source is source
    chat.change(api_key="another-key-0123456789")  # the control
    assert chat._source is not source


def test_options_are_changed_for_the_sends_that_follow() -> None:
    async def main() -> None:
        source = ListSource(HELLO, HELLO)
        chat = gem.Chat(source=source, system="be kind")
        await chat.send("hi")
        chat.change(system=None, max_steps=3)
        with pytest.raises(gem.InvalidOption, match="Did you mean 'system'"):
            chat.change(sistem="x", max_steps=4)
        with pytest.raises(gem.InvalidOption, match="given once"):
            chat.change(history=[])
        assert (chat.system, chat.options.max_steps) == (None, 3)
        await chat.send("again")
        assert [request.system for request in source.requests] == ["be kind", None]
        with pytest.raises(AttributeError):
            chat.model = "demo"  # type: ignore[misc]

    asyncio.run(main())


def test_a_chat_moves_to_the_local_gemini() -> None:
    async def main() -> None:
        chat = gem.Chat()
        chat.change(model="demo")
        assert (await chat.send("@say hello")).text == "hello"

    asyncio.run(main())


def test_the_list_is_one() -> None:
    """The table, the names for editors, the checked value, the signatures and the page tell of the same options."""
    assert list(ChatOptions.__annotations__) == list(OPTIONS) == list(Options.__dataclass_fields__)
    of_file = {"clock", "history"}
    for function, own, without in (
        (gem.Chat, [], {"clock"}),
        (gem.ask, ["prompt", "keep"], {"clock"}),
        (gem.load_chat, ["path"], of_file),
    ):
        parameters = inspect.signature(function).parameters
        named = [name for name in OPTIONS if name not in without]
        assert list(parameters) == own + named
        assert all(parameters[name].default == OPTIONS[name].default for name in named)
        doc = inspect.getdoc(function.__init__ if function is gem.Chat else function) or ""
        assert all(f"\n    {name}: {OPTIONS[name].doc}" in doc for name in named)
    assert Path(make_options.PAGE).read_text(encoding="utf-8") == make_options.page(), "python -m tests.make_options"


def test_the_default_model_is_one_that_lives() -> None:
    assert gem.DEFAULT_MODEL == gem.Chat().model == "gemini-3.8-flash"


def test_a_scope_that_does_not_exist_is_told() -> None:
    async def main() -> None:
        call = {"functionCall": {"name": "work", "args": {}}}
        source = ListSource([chunk(call, finish="STOP")], HELLO)
        run = gem.Chat(source=source, tools=gem.Tool(lambda: "ok", name="work"), approve="ask").send("go")
        (asked,) = await run.next_pending()
        with pytest.raises(gem.InvalidOption, match='scope is "once", "run" or "chat"'):
            run.approve(asked, scope="forever")  # type: ignore[arg-type]
        assert asked.state == "awaiting_approval"
        run.approve(asked)
        await run

    asyncio.run(main())


def test_a_coroutine_is_told_to_be_awaited_first() -> None:
    async def stream() -> None: ...

    with pytest.raises(TypeError, match=r"coroutine stream\(\) itself: await it first"):
        gem.watch(stream())  # type: ignore[arg-type]


def test_what_is_printed_of_a_run_is_short() -> None:
    async def main() -> None:
        call = {"functionCall": {"name": "work", "args": {"path": "x" * 500}}}
        usage = {"usageMetadata": {"promptTokenCount": 3, "totalTokenCount": 7}}
        source = ListSource([chunk(text("hello " * 100)), chunk(call, finish="STOP") | usage], HELLO)

        def work(path: str) -> str:
            """Do it."""
            return path

        run = await gem.Chat(source=source, tools=work).send("go")
        shown = [repr(value) for value in (*run.parts, *run.tool_calls, run.usage, *run.steps, run)]
        assert max(map(len, shown)) <= 150, shown
        assert shown[0].startswith("<TextPart 0 'hello hello")
        assert shown[3].startswith("<ToolCall s0c0 work(path='xxx")
        assert repr(run.usage) == "<Usage prompt_token_count=3 total_token_count=7>"

    asyncio.run(main())


def test_an_option_set_as_an_attribute_is_told_how_to_be_set() -> None:
    chat = gem.Chat(model="demo")
    for name in OPTIONS:
        with pytest.raises(AttributeError, match=rf"chat\.change\({name}=\.\.\.\)"):
            setattr(chat, name, "ask")


def test_what_was_given_is_copied_and_what_may_hold_a_key_is_not_told() -> None:
    async def main() -> None:
        config, declared = {"temperature": 0.5}, {"name": "look", "description": "Look."}
        past = [{"role": "user", "parts": [{"functionCall": {"name": "f", "args": {"n": 1}}}]}]
        chat = gem.Chat(source=ListSource(HELLO), config=config, tools=declared, history=past)
        config["temperature"], declared["name"] = 2.0, "changed"
        past[0]["parts"][0]["functionCall"]["args"]["n"] = 2
        assert chat.options.config == {"temperature": 0.5}
        assert chat.tools.wire[0]["functionDeclarations"][0]["name"] == "look"
        assert chat.history[0]["parts"][0]["functionCall"]["args"] == {"n": 1}

    asyncio.run(main())
    key = "a-key-of-somebody-0123456789"
    for given in ({"client": key}, {"source": key}, {"config": key}, {"tools": key}):
        with pytest.raises(gem.GemstreamError) as caught:
            gem.Chat(**given)
        assert key not in str(caught.value)
    options = gem.Chat(config={"http_options": {"headers": {"x-goog-api-key": key}}}).options
    assert key not in repr(options)
    with pytest.raises(TypeError, match="neither pickled nor copied"):
        pickle.dumps(options)


def test_retries_follow_the_source_that_is_set() -> None:
    chat = gem.Chat()
    assert chat.options.most_retries == 2
    chat.change(source=ListSource())
    assert chat.options.most_retries == 0


def test_a_saved_chat_is_loaded_with_tools_from_a_generator_and_without_a_history(tmp_path: Path) -> None:
    def look(path: str) -> str:
        return path

    gem.Chat(model="demo").save(tmp_path / "chat.json")
    assert list(gem.load_chat(tmp_path / "chat.json", tools=(f for f in [look])).tools.ours) == ["look"]
    with pytest.raises(gem.InvalidOption, match="history is in the file"):
        gem.load_chat(tmp_path / "chat.json", history=[])
    with pytest.raises(gem.InvalidOption, match="Did you mean 'model'"):
        gem.load_chat(tmp_path / "chat.json", modle="demo")


def test_a_checker_knows_the_public_names(tmp_path: Path) -> None:
    program = tmp_path / "user.py"
    program.write_text(
        "import gemstream_widget as gem\n"
        "async def main() -> None:\n"
        "    run = gem.ask('hi', model='demo', approve='ask')\n"
        "    async for event in run:\n"
        "        if isinstance(event, gem.events.TextAdded):\n"
        "            reveal_type(event.text)\n"
        "    for offer in run.offers:\n"
        "        run.again(offer)\n"
        "    gem.Chatt\n"
        "    gem.ask('hi', modle='demo')\n"
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    told = [line.partition(": ")[2] for line in done.stdout.splitlines() if "user.py" in line]
    assert told[0] == 'note: Revealed type is "str"' or told[0] == 'note: Revealed type is "builtins.str"', done.stdout
    assert '"Chatt"' in told[1]
    assert '"modle"' in told[2]
    assert [line for line in told[3:] if "error" in line] == []
