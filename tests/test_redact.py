"""Keys are taken out of texts: those of the environment and of clients, in the forms that texts give them."""

from __future__ import annotations

import json
import os
from urllib.parse import quote, quote_plus

import pytest

from gemstream_widget import _redact as module
from gemstream_widget._plain import clean_text
from gemstream_widget._redact import redact, redact_all, remember_key, words_of

ODD = "my/own+key=&?'\"end"


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_known", set())


@pytest.mark.parametrize("form", [ODD, quote(ODD, safe=""), quote(ODD), quote_plus(ODD), json.dumps(ODD)])
def test_a_clients_key_is_found_in_every_form(form: str) -> None:
    assert ODD in redact(ODD)  # the control: nobody knows it yet
    remember_key(ODD)
    assert redact(f"sent {form} there").strip('"').replace('"', "") == "sent [key] there"


def test_a_key_that_begins_like_another_leaves_no_rest() -> None:
    remember_key("abcdefgh")
    remember_key("abcdefgh-and-more")
    assert redact("x abcdefgh-and-more abcdefgh") == "x [key] [key]"


@pytest.mark.parametrize("key", [None, "", "short", 7])
def test_what_is_no_key_takes_nothing_out(key: object) -> None:
    remember_key(key)
    assert redact("a short text, 7 words") == "a short text, 7 words"


def test_a_key_with_a_byte_that_is_no_utf8_is_found_and_hides_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    key = os.fsdecode(b"caf\xe9-and-the-rest")
    monkeypatch.setenv("GEMINI_API_KEY", key)
    assert redact(f"sent {key}, {clean_text(key)} and {key!r}") == "sent [key], [key] and '[key]'"
    assert words_of(ValueError("boom")) == "ValueError: boom"


def test_names_in_json_are_texts_too() -> None:
    remember_key(ODD)
    assert redact_all({ODD: [{"a": ODD}], "n": 1}) == {"[key]": [{"a": "[key]"}], "n": 1}


def test_what_only_looks_like_a_key_stays_in_what_a_tool_returns() -> None:
    found = {"url": "https://b.example/list?key=orders/2024.csv", "page": "FAQ.how-to-reset-your-password", "?key=a": 1}
    assert redact_all(found | {"?key=b": 2}, addresses=False) == found | {"?key=b": 2}
    assert "orders" not in redact("GET https://b.example/list?key=orders failed")


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxys_password_is_known_as_it_is_written_and_as_it_is_meant(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "by http://me:a%23b-c%2Fd-e@h:1 with a#b-c/d-e"
    assert redact(said, addresses=False) == said  # the control: nobody knows it yet
    monkeypatch.setenv(name, "http://me:a%23b-c%2Fd-e@h:1")
    assert redact(said, addresses=False) == "by http://me:[key]@h:1 with [key]"


def test_a_password_that_is_a_word_is_taken_out_of_addresses_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:password@h:1")
    said = "Your password for me:password@h:1"
    assert redact(said, addresses=False) == "Your password for me[key]h:1"


@pytest.mark.parametrize("proxy", ["", "h:1", "http://h:1", "http://me@h:1", "http://me:@h:1", "http://me:pw@h:1"])
def test_a_proxy_without_a_password_takes_nothing_out(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    assert redact(f"by {proxy}", addresses=False) == f"by {proxy}"
