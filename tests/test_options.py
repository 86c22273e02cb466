"""Options: one list, checked where an option is given, told with the nearest right name."""

from __future__ import annotations

import asyncio
import inspect
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
    ({"system": 7}, "system is a text or None, not 7"),
    ({"approve": "always"}, 'approve is "auto", "ask", "never" or a function'),
    ({"approval_timeout_s": 0}, "approval_timeout_s is a number of seconds above 0"),
    ({"approval_timeout_s": True}, "approval_timeout_s is a number of seconds above 0"),
    ({"tool_timeout_s": float("nan")}, "tool_timeout_s is a number of seconds above 0"),
    ({"idle_timeout_s": "5"}, "idle_timeout_s is a number of seconds above 0"),
    ({"grace_s": -1}, "grace_s is a number of seconds above 0"),
    ({"max_steps": 1.5}, "max_steps is a whole number from 0 on"),
    ({"retries": -1}, "retries is a whole number from 0 on"),
    ({"runner": "process"}, 'runner is "loop" or "thread"'),
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


@pytest.mark.parametrize("key", ["two\nlines", "zero\u200bwidth", "a space", "", 7])
def test_a_key_that_no_header_can_carry_is_told_and_never_shown(key: Any) -> None:
    with pytest.raises(gem.InvalidOption, match="api_key is a Gemini API key") as caught:
        gem.Chat(api_key=key)
    if key:
        assert str(key) not in str(caught.value)


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
    named = [name for name in OPTIONS if name != "clock"]
    for function, own in ((gem.Chat, []), (gem.ask, ["prompt"]), (gem.load_chat, ["path"])):
        parameters = inspect.signature(function).parameters
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
