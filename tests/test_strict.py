"""Python that takes warnings for errors: a first run works there too, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

_STRICT = """
import asyncio, sys, warnings
if not {aiohttp}:
    sys.modules["aiohttp"] = None
if {late}:
    warnings.simplefilter("error")
import gemstream_widget as gem

async def ask(client=None):
    return (await gem.Chat(model="demo", client=client, retries=0).send("@say hi")).text

async def main():
    told = [await ask()]
    with gem.LocalGemini(speed=1000) as server:
        from google import genai
        own = genai.Client(api_key="local", http_options={{"base_url": server.url}})
        seen = genai.Client(api_key="local", http_options=gem.http_options(base_url=server.url))
        for client in (server.client(), seen, own):
            told += [await ask(client), await gem.Chat(model="demo", client=client).count("hi")]
        await own.aio.aclose()
        own.close()
    print(told)
    try:
        warnings.warn("of the user's own")
    except UserWarning:
        print("still an error")

asyncio.run(main())
"""


@pytest.mark.parametrize(("aiohttp", "late"), [(True, False), (False, True)], ids=["-W, aiohttp", "simplefilter"])
def test_warnings_that_are_errors_break_no_first_run(aiohttp: bool, late: bool) -> None:
    command = [sys.executable, *(() if late else ("-W", "error")), "-c", _STRICT.format(aiohttp=aiohttp, late=late)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    told, control = done.stdout.splitlines() or ["", done.stderr]
    assert told == str(["hi"] + ["hi", 1] * 3), done.stderr
    assert control == "still an error"
    assert done.stderr == ""
