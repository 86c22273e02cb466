"""Keys that cannot be sent: told before anything is asked, by what is in them and where, and never shown."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import gemstream_widget as gem
from gemstream_widget._engine.key import flaw_of
from gemstream_widget._engine.retry import retry_wait_s
from tests.network import ask, play

KEY = "AIzaSyPLANTED0123456789abcdefghijklmno-"


@pytest.fixture(scope="module")
def server() -> Iterator[gem.LocalGemini]:
    with gem.LocalGemini(speed=1000) as server:
        yield server


FLAWS = {
    "first\nsecond": "a line break at character 6",
    "first\r\nsecond": "a line break at character 6",
    "first\u2028second": "a line break at character 6",
    "a\tb": "a control character (U+0009) at character 2",
    "a\x07b": "a control character (U+0007) at character 2",
    "ab\u200bcd": "an invisible character (U+200B ZERO WIDTH SPACE) at character 3",
    "\ufeffabcd": "an invisible character (U+FEFF ZERO WIDTH NO-BREAK SPACE) at character 1",
    "abc\u2060": "an invisible character (U+2060 WORD JOINER) at character 4",
    "ab\u00a0cd": "an unusual space (U+00A0 NO-BREAK SPACE) at character 3",
    "ab cd": "a space at character 3",
    "caf\u00e9": "a character that is not ASCII at character 4",
    "АIzaSy": "a character that is not ASCII at character 1",  # noqa: RUF001  # Cyrillic
    "ab\udce9": "a byte that is no text at character 3",
}


@pytest.mark.parametrize(("key", "flaw"), FLAWS.items(), ids=[*FLAWS.values()])
def test_a_key_that_cannot_be_sent_is_told_as_that(
    key: str, flaw: str, server: gem.LocalGemini, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)
    before = len(server.requests)

    async def main() -> None:
        for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY"):
            monkeypatch.setenv(name, key)
            error = (await ask()).error
            assert type(error) is gem.InvalidCredentials
            assert str(error).startswith(f"The key cannot be sent. {name} holds {flaw}, which no key does. Copy")
            assert key.strip() not in str(error)
            assert retry_wait_s(error, 1) is None
            monkeypatch.delenv(name)
        with pytest.raises(gem.InvalidOption) as told:
            gem.Chat(api_key=key)
        assert f"api_key holds {flaw}" in str(told.value)
        assert key.strip() not in str(told.value)
        client = server.client(api_key=key)
        error = (await ask(gem.Chat(model="demo", client=client))).error
        assert f"The key of the client holds {flaw}" in str(error)
        assert len(server.requests) == before

    play(main)


@pytest.mark.parametrize("key", [f"{KEY}\n", f"  {KEY}", f"{KEY}\r\n", f"\t{KEY}\u00a0"])
def test_space_around_a_key_comes_with_copying_and_is_taken_off(
    key: str, server: gem.LocalGemini, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)
    assert flaw_of(key) is None

    async def main() -> None:
        assert (await ask(gem.Chat(model="gemini-3.8-flash", api_key=key))).text == "hi"
        monkeypatch.setenv("GEMINI_API_KEY", key)
        assert (await ask()).text == "hi"

    play(main)
