"""The short list that every combination of dependencies has to do: see `make matrix`.

Each is a whole way through the package, on the real SDK and the local Gemini, and needs nothing of the test
dependencies but pytest.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import gemstream_widget as gem

pytestmark = [pytest.mark.environments, pytest.mark.timeout(60)]


@pytest.fixture(scope="module")
def server() -> Iterator[gem.LocalGemini]:
    with gem.LocalGemini(keep_sent=1 << 20) as server:
        yield server


def add(a: int, b: int) -> int:
    """Add two numbers."""
    print("adding")
    return a + b


def test_the_demo_model_answers_and_every_byte_is_seen() -> None:
    async def main() -> gem.Run:
        return await gem.Chat(model="demo").send("@think so\n@say Hello")

    run = asyncio.run(main())
    assert (run.text, run.thoughts, run.status, run.finish_reason) == ("Hello", "so", "completed", "STOP")
    assert run.frames  # so the tap is under this SDK's client


def test_bytes_arrive_as_they_were_sent(server: gem.LocalGemini) -> None:
    run = gem.Chat(client=server.client(), runner="thread").send("@say Grüße, 世界").result(20)
    assert run.text == "Grüße, 世界"
    assert b"".join(run.frames) == server.requests[-1].sent


def test_a_stop_closes_the_connection(server: gem.LocalGemini) -> None:
    async def main() -> None:
        run = gem.Chat(client=server.client()).send("@say a\n@stall")
        async for _ in run:
            if run.text:
                break
        assert run.stop()
        await run.wait()
        assert run.status == "cancelled"
        assert run.receipt is not None
        assert run.receipt.closed_s is not None

    asyncio.run(main())
    assert server.requests[-1].wait_closed(5)


def test_tools_run_and_may_be_approved(server: gem.LocalGemini) -> None:
    async def main() -> None:
        chat = gem.Chat(client=server.client(), tools=[gem.Tool(add, approve="ask")])
        run = chat.send('@call add {"a": 1, "b": 2}\n@then\n@say done')
        (call,) = await run.next_pending()
        run.approve(call)
        assert (await run).text == "done"
        assert (run.tool_calls[0].result, run.tool_calls[0].printed) == ({"result": 3}, "adding\n")
        assert chat.check() == []

    asyncio.run(main())


def test_settings_reach_gemini_and_tokens_are_counted(server: gem.LocalGemini) -> None:
    chat = gem.Chat(
        client=server.client(), system="Be short.", config={"temperature": 0.5}, tools=[add], runner="thread"
    )
    chat.send("@say hi").result(20)
    body = server.requests[-1].body
    assert body is not None
    assert body["generationConfig"]["temperature"] == 0.5
    assert body["systemInstruction"]["parts"] == [{"text": "Be short."}]
    assert body["tools"][0]["functionDeclarations"][0]["name"] == "add"
    assert asyncio.run(chat.count("more")) > 0


def test_what_gemini_refuses_is_told(server: gem.LocalGemini) -> None:
    async def main() -> gem.Run:
        return await gem.Chat(client=server.client(), retries=0).send("@fail 503").wait()

    error = asyncio.run(main()).error
    assert isinstance(error, gem.ApiError)
    assert (error.code, error.status) == (503, "UNAVAILABLE")


def test_one_client_serves_loop_after_loop_and_several_at_once(server: gem.LocalGemini) -> None:
    client, told = server.client(), []

    async def ask(names: list[str]) -> None:
        for name in names:
            told.append((await gem.Chat(client=client, retries=0).send(f"@say {name}")).text)
            thread = gem.Chat(client=client, retries=0, runner="thread").send(f"@say {name}")
            told.append((await thread).text)

    def go(names: list[str]) -> None:
        asyncio.run(asyncio.wait_for(ask(names), 20))

    for name in "abc":
        go([name])
    threads = [threading.Thread(target=go, args=([f"{n}{k}" for k in range(5)],)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == sorted([*"aabbcc", *(f"{n}{k}" for n in range(2) for k in range(5) for _ in range(2))])


def test_a_client_of_a_users_own_goes_on_with_the_next_loop(server: gem.LocalGemini) -> None:
    """Before google-genai 3.4 its connections are the first loop's: that is told, and tried again."""
    from google import genai
    from google.genai import types

    client = genai.Client(api_key="local", http_options=types.HttpOptions(base_url=server.url))

    async def ask() -> gem.Run:
        return await gem.Chat(client=client).send("@say hi").wait()

    for run in (asyncio.run(ask()), asyncio.run(ask())):
        assert (run.text, run.error) == ("hi", None)
        assert {retry.title for retry in run.retries} <= {"The client's connections belong to another event loop"}


def test_a_chat_is_saved_loaded_and_goes_on(server: gem.LocalGemini, tmp_path: Path) -> None:
    chat = gem.Chat(client=server.client(), runner="thread", record=tmp_path / "kept")
    chat.send("@say one").result(20)
    chat.save(tmp_path / "chat.jsonl")
    again = gem.load_chat(tmp_path / "chat.jsonl", client=server.client(), runner="thread")
    assert again.history == chat.history
    assert again.send("@say two").result(20).text == "two"
    assert chat.recording is not None


KERNEL = """
import gemstream_widget as gem
run = await gem.ask("@say in a kernel", model="demo")
print(run.text)
"""


def test_a_card_is_shown_in_a_kernel() -> None:
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3")
    try:
        seen = heard(client.get_iopub_msg, client.execute(KERNEL))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    kinds = [message["msg_type"] for message in seen]
    assert "error" not in kinds, seen
    printed = "".join(message["content"]["text"] for message in seen if message["msg_type"] == "stream")
    assert printed == "in a kernel\n"
    shown = [message["content"]["data"] for message in seen if message["msg_type"] == "display_data"]
    assert ["application/vnd.jupyter.widget-view+json" in data for data in shown] == [True]
    opened = [message["content"]["data"]["state"] for message in seen if message["msg_type"] == "comm_open"]
    assert any("_esm" in state for state in opened)
    said = [message["content"]["data"] for message in seen if message["msg_type"] == "comm_msg"]
    assert any(data.get("content", {}).get("op") == "patch" for data in said)


def heard(get: Callable[..., Any], asked: str, timeout_s: float = 40.0) -> list[Any]:
    """What a kernel says to what was executed, until it is idle again."""
    end, seen = time.monotonic() + timeout_s, []
    while time.monotonic() < end:
        try:
            message = get(timeout=1)
        except queue.Empty:
            continue
        if message["parent_header"].get("msg_id") == asked:
            seen.append(message)
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                return seen
    raise AssertionError(f"the kernel is not idle after {timeout_s:g} s: {seen}")
