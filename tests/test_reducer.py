from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gemstream_widget._stream.parts import TextBuffer
from gemstream_widget._stream.patch import apply_ops
from tests import wire
from tests.conftest import corpus_streams
from tests.make_golden import GOLDEN, STREAMS, golden
from tests.play import Played


@pytest.mark.parametrize("name", STREAMS)
def test_golden_files_are_fresh(name: str) -> None:
    assert (GOLDEN / f"{name}.json").read_text(encoding="utf-8") == golden(name), "run python -m tests.make_golden"


def test_there_is_no_golden_file_without_a_stream() -> None:
    assert {p.stem for p in GOLDEN.glob("*.json")} == set(STREAMS)


@pytest.mark.parametrize("name", STREAMS)
def test_folding_the_patches_gives_the_snapshot_at_every_batch(name: str) -> None:
    held = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    document = held["snapshots"]["0"]
    for seq, batch in enumerate(held["patches"], start=1):
        apply_ops(document, batch)
        assert document == held["snapshots"][str(seq)]


@pytest.mark.parametrize("levels", [90, 99, 100, 101, 102, 2000])
def test_what_is_nested_too_deeply_is_cut_at_the_same_place_in_patch_and_snapshot(levels: int) -> None:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    played = Played([wire.chunk(part) for part in ({"odd": value}, {"text": value})], snapshots=True)
    document = played.opening
    for batch, snapshot in zip(played.batches, played.snapshots, strict=True):
        apply_ops(document, json.loads(json.dumps(batch)))
        assert document == snapshot


@pytest.mark.parametrize("path", corpus_streams(), ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_every_recorded_stream_folds_to_its_snapshot_and_loses_nothing(corpus: Path, path: Path) -> None:
    chunks = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    played = Played(chunks, snapshots=True)
    document = played.opening
    for batch, snapshot in zip(played.batches, played.snapshots, strict=True):
        apply_ops(document, json.loads(json.dumps(batch)))
        assert document == snapshot

    # What the stream holds, read without any of the product's code.
    said, thought, signatures, calls, last_usage = "", "", [], [], {}
    for chunk in chunks:
        if not isinstance(chunk, dict):
            continue
        if "$error" in chunk or ("error" in chunk and "candidates" not in chunk):
            break
        last_usage.update(chunk.get("usageMetadata") or {})
        for position, candidate in enumerate(chunk.get("candidates") or []):
            if candidate.get("index", position) != 0:
                continue
            for part in (candidate.get("content") or {}).get("parts") or []:
                if part.get("thought"):
                    thought += part.get("text", "")
                else:
                    said += part.get("text", "")
                if part.get("thoughtSignature"):
                    signatures.append(part["thoughtSignature"])
                asked = part.get("functionCall")
                if asked and asked.get("name"):
                    calls.append((asked["name"], asked.get("id"), asked.get("args")))
    state = played.state
    assert state.text(thought=False) == said
    assert state.text(thought=True) == thought
    assert [p.signature for p in state.parts if p.signature] == signatures
    assert [(c.name, c.call_id) for c in state.tool_calls if c.name] == [(name, id) for name, id, _ in calls]
    for asked, (_, _, args) in zip([c for c in state.tool_calls if c.name], calls, strict=True):
        assert args is None or asked.args == args
    for wire_name in ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount"):
        name = "".join("_" + c.lower() if c.isupper() else c for c in wire_name)
        assert getattr(state.usage, name) == last_usage.get(wire_name)


def test_a_snapshot_shares_nothing_with_the_state() -> None:
    state = Played(STREAMS["success-arguments-in-pieces"]).state
    before = json.dumps(state.snapshot())
    snapshot = state.snapshot()
    snapshot["parts"][0]["call"]["args"]["items"].clear()
    snapshot["steps"][0]["other"]["x"] = 1
    assert json.dumps(state.snapshot()) == before


def test_a_text_buffer_joins_its_fragments_and_keeps_little_besides() -> None:
    buffer = TextBuffer()
    assert not buffer
    for n in range(1000):
        buffer.append(f"{n},")
    assert str(buffer) == "".join(f"{n}," for n in range(1000))
    assert len(buffer._blocks) == 3  # fragments are joined, so memory follows the text
