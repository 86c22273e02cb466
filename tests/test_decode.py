"""What a chunk means. Each test is one rule; where a rule was learned from a recording, it says which kind."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemstream_widget._stream.events import PartEnded, PartStarted, TextAdded
from gemstream_widget._stream.parts import CallPart, FilePart, OtherPart
from gemstream_widget.errors import ApiError
from tests.play import Played
from tests.wire import answer, call, chunk, text, thought, tokens


def parts_of(*chunks: Any) -> list[tuple[str, Any]]:
    """(kind, text or None) of each part."""
    return [(p.kind, getattr(p, "text", None)) for p in Played(chunks).state.parts]


def test_neighbouring_text_joins_over_chunks_and_inside_one() -> None:
    assert parts_of(chunk(text("a"), text("b")), chunk(text("c"), finish="STOP")) == [("text", "abc")]


def test_thoughts_and_text_take_turns_and_keep_white_space() -> None:
    played = parts_of(chunk(thought("hm ")), chunk(thought("\n ")), chunk(text(" so")), chunk(thought("wait")))
    assert played == [("thought", "hm \n "), ("text", " so"), ("thought", "wait")]


def test_a_signature_closes_its_part_and_joins_with_no_neighbour() -> None:
    played = Played([chunk(text("Hel")), chunk(text("lo", "U0lH")), chunk(text(" you"), finish="STOP")])
    assert [(p.text, p.signature) for p in played.state.parts] == [("Hel", None), ("lo", "U0lH"), (" you", None)]


def test_a_trailing_empty_part_keeps_its_signature_and_an_unsigned_one_is_skipped() -> None:
    played = Played([chunk(text("a")), chunk(text("")), chunk(text("", "U0lH"), finish="STOP")])
    assert [(p.text, p.signature) for p in played.state.parts] == [("a", None), ("", "U0lH")]
    assert played.state.parts[1].to_wire() == {"text": "", "thoughtSignature": "U0lH"}


def test_a_part_with_only_a_signature_goes_back_without_text() -> None:
    played = Played([chunk({"thoughtSignature": "U0lH"}, finish="STOP")])
    assert played.state.parts[0].to_wire() == {"thoughtSignature": "U0lH"}


def test_two_signatures_stay_on_their_own_parts() -> None:
    played = Played([chunk(call("f", {}, signature="QQ==")), chunk(call("g", {})), chunk(text("", "Qg=="))])
    assert [p.signature for p in played.state.parts] == ["QQ==", None, "Qg=="]


def test_a_call_without_args_has_empty_args_and_goes_back_as_it_came() -> None:
    played = Played([chunk(call("f"), finish="STOP")])
    (asked,) = played.state.tool_calls
    assert (asked.id, asked.call_id, asked.name, asked.args, asked.state) == ("s0c0", None, "f", {}, "requested")
    assert played.state.parts[0].to_wire() == {"functionCall": {"name": "f"}}
    assert played.step.outcome == "calls"


def test_parallel_calls_keep_order_and_the_providers_ids() -> None:
    played = Played([chunk(call("rm", {"p": 1}, id="x1"), call("ls", {}, id="x2")), chunk(call("rm", {"p": 2}))])
    assert [(c.id, c.call_id, c.name) for c in played.state.tool_calls] == [
        ("s0c0", "x1", "rm"),
        ("s0c1", "x2", "ls"),
        ("s0c2", None, "rm"),
    ]


def test_a_call_without_a_name_fails_and_the_stream_goes_on() -> None:
    played = Played([chunk({"functionCall": {"args": {"a": 1}}}), chunk(text("on"), finish="STOP")])
    (asked,) = played.state.tool_calls
    assert (asked.state, asked.args) == ("failed", {"a": 1})
    assert "no name" in str(asked.error)
    assert played.state.text(thought=False) == "on"
    assert played.step.outcome == "completed"
    assert played.state.parts[0].to_wire() is None


def pieces(*held: dict[str, Any], more: bool | None = True, name: str | None = None) -> dict[str, Any]:
    body: dict[str, Any] = {"partialArgs": list(held)} if held else {}
    if name:
        body["name"] = name
    if more:
        body["willContinue"] = True
    return {"functionCall": body}


def piece(path: str, *, more: bool = False, **value: Any) -> dict[str, Any]:
    return {"jsonPath": path} | value | ({"willContinue": True} if more else {})


def test_arguments_in_pieces_assemble_at_every_kind_of_path() -> None:
    played = Played(
        [
            chunk(pieces(name="cook") | {"thoughtSignature": "U0lH"}),
            chunk(pieces(piece("$.recipe.title", stringValue="Sou", more=True))),
            chunk(pieces()),  # a keep-alive
            chunk(pieces(piece("$.recipe.title", stringValue="p"), piece("$.recipe.items[0].n", numberValue=2))),
            chunk(pieces(piece("$.recipe.items[1]['kind of']", boolValue=True), piece("$.x", nullValue="NULL_VALUE"))),
            chunk({"functionCall": {}}),
            chunk(call("next", {"a": 1}), finish="STOP"),
        ]
    )
    first, second = played.state.tool_calls
    assert first.args == {"recipe": {"title": "Soup", "items": [{"n": 2}, {"kind of": True}]}, "x": None}
    assert [first.state, second.state] == ["requested", "requested"]
    part = played.state.parts[0]
    assert part.signature == "U0lH"
    assert part.to_wire() == {"functionCall": {"name": "cook", "args": first.args}, "thoughtSignature": "U0lH"}
    assert part.chunks == [[0, 1], [3, 4]]


@pytest.mark.parametrize(
    "ending",
    [
        [chunk({"functionCall": {}})],
        [chunk(pieces(piece("$.a", stringValue="llo"), more=False))],
        [chunk(text("done"))],
        [chunk(call("other", {}))],
        [],
    ],
    ids=["terminator", "last piece", "another part", "a new name", "end of stream"],
)
def test_a_call_in_pieces_ends_in_every_way_it_can(ending: list[Any]) -> None:
    played = Played([chunk(pieces(piece("$.a", stringValue="he", more=True), name="f")), *ending])
    assert played.state.tool_calls[0].state == "requested"


def test_a_call_in_one_piece_needs_no_continuation() -> None:
    played = Played([chunk(pieces(piece("$.a", numberValue=1), more=False, name="f"), finish="STOP")])
    assert [(c.state, c.args) for c in played.state.tool_calls] == [("requested", {"a": 1})]


def test_a_call_cut_in_the_middle_of_its_arguments_is_never_sent_back() -> None:
    cut = [chunk(pieces(piece("$.a", stringValue="he", more=True), name="f")), {"error": {"code": 503, "message": "x"}}]
    part = Played(cut).state.parts[0]
    assert isinstance(part, CallPart)
    assert part.call.state == "streaming_args"
    assert part.to_wire() is None


@pytest.mark.parametrize("path", ["$.a[999999]", "$..", "$.a[", "nonsense", "$[0].a", None, 7, "$.a" * 200])
def test_an_odd_path_never_raises_and_never_fills_the_memory(path: Any) -> None:
    chunks = [chunk(pieces({"jsonPath": path, "stringValue": "x"}, {"jsonPath": "$.a.b", "numberValue": 1}, name="f"))]
    assert len(json.dumps(Played(chunks).state.tool_calls[0].args)) < 100_000


def test_a_call_that_the_stream_answers_itself_is_not_left_open() -> None:
    played = Played(
        [chunk(call("w", {}), finish="STOP"), chunk(answer("w", {"t": 1})), chunk(text("It is 1."), finish="STOP")]
    )
    assert [(c.state, c.result) for c in played.state.tool_calls] == [("succeeded", {"t": 1})]
    assert played.step.outcome == "completed"


def test_the_last_of_several_finish_reasons_counts_and_text_after_the_first_is_kept() -> None:
    played = Played([chunk(text("a"), finish="STOP"), chunk(text("b"), finish="MAX_TOKENS")])
    assert (played.state.text(thought=False), played.step.finish_reason) == ("ab", "MAX_TOKENS")
    assert played.step.outcome == "truncated"


def test_candidates_go_by_index_and_the_others_are_kept_raw() -> None:
    other = {"index": 1, "content": {"parts": [{"text": "B"}]}}
    played = Played([{"candidates": [other, {"index": 0, "content": {"parts": [{"text": "A"}]}}]}])
    assert played.state.text(thought=False) == "A"
    assert played.step.candidates == [other]


def test_empty_ids_never_replace_reported_ones() -> None:
    chunks = [chunk(text("a"), modelVersion="g-1", responseId="r"), chunk(text("b"), modelVersion="", responseId="")]
    step = Played(chunks).step
    assert (step.model_version, step.response_id) == ("g-1", "r")


def test_usage_keeps_the_last_value_of_each_counter_and_tells_none_from_zero() -> None:
    played = Played(
        [
            chunk(text("a"), usage={"promptTokenCount": 9, "candidatesTokenCount": 5, "totalTokenCount": 14}),
            chunk(text("b"), usage={"candidatesTokenCount": 0, "totalTokenCount": 9, "trafficType": "x"}),
            chunk(usage={"promptTokenCount": None, "totalTokenCount": None}),  # takes nothing back
        ]
    )
    usage = played.state.usage
    assert (usage.prompt_token_count, usage.candidates_token_count, usage.total_token_count) == (9, 0, 9)
    assert usage.thoughts_token_count is None
    assert usage.raw == {"promptTokenCount": 9, "candidatesTokenCount": 0, "totalTokenCount": 9, "trafficType": "x"}


def test_code_its_result_files_and_unknown_parts_are_parts_in_order() -> None:
    played = Played(
        [
            chunk({"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "U0lH"}),
            chunk({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}),
            chunk({"inlineData": {"mimeType": "image/png", "data": "AAAA"}, "thought": True}),
            chunk({"fileData": {"mimeType": "a/b", "fileUri": "gs://x"}}),
            chunk({"hologram": {"x": 1}}, {}, finish="STOP"),
        ]
    )
    assert [p.kind for p in played.state.parts] == ["code", "code_result", "file", "file", "other", "other"]
    image, remote, unknown, empty = played.state.parts[2:]
    assert isinstance(image, FilePart)
    assert image.fields()["size_bytes"] == 3
    assert image.thought
    assert remote.fields()["uri"] == "gs://x"
    assert isinstance(unknown, OtherPart)
    assert unknown.raw == {"hologram": {"x": 1}}
    assert unknown.to_wire() == {"hologram": {"x": 1}}  # whoever sent it takes it back
    assert empty.to_wire() is None
    assert played.state.parts[0].to_wire() == {
        "executableCode": {"language": "PYTHON", "code": "1"},
        "thoughtSignature": "U0lH",
    }


def test_fields_of_a_part_that_have_no_name_here_are_kept_and_sent_back() -> None:
    played = Played([chunk({"text": "a", "partMetadata": {"k": 1}}), chunk(text("b"))])
    assert [p.extra for p in played.state.parts] == [{"partMetadata": {"k": 1}}, {}]
    assert played.state.parts[0].to_wire() == {"text": "a", "partMetadata": {"k": 1}}


def test_metadata_is_collected_once_and_the_rest_is_kept_by_name() -> None:
    cited = {"citationMetadata": {"citationSources": [{"uri": "http://a"}]}}
    grounded = {"groundingMetadata": {"webSearchQueries": ["q"]}}
    one = {"candidates": [{"index": 0, "content": {"parts": [{"text": "a"}]}, **cited, **grounded, "avgLogprobs": -1}]}
    step = Played([one, one, {"novel": 3}]).step
    assert step.citations == [{"uri": "http://a"}]
    assert step.grounding == [{"webSearchQueries": ["q"]}]
    assert step.other == {"avgLogprobs": -1, "novel": 3}


@pytest.mark.parametrize(
    ("chunks", "outcome"),
    [
        ([], "empty"),
        ([{"usageMetadata": tokens(3)}], "empty"),
        ([chunk(text("a"))], "incomplete"),
        ([chunk(text("a"), finish="STOP")], "completed"),
        ([chunk(text("a"), finish="A_NEW_REASON")], "completed"),
        ([chunk(call("f"), finish="MAX_TOKENS")], "calls"),
        ([chunk(text("a"), finish="SAFETY")], "blocked"),
        ([{"candidates": [{"index": 0, "content": {}, "finishReason": "MALFORMED_FUNCTION_CALL"}]}], "malformed"),
        ([{"promptFeedback": {"blockReason": "SAFETY"}}], "blocked"),
    ],
)
def test_outcomes(chunks: list[Any], outcome: str) -> None:
    assert Played(chunks).step.outcome == outcome


@pytest.mark.parametrize("name", ["error", "$error"])
def test_an_error_object_in_the_stream_is_raised_with_its_code(name: str) -> None:
    played = Played([chunk(text("a")), {name: {"code": 503, "status": "UNAVAILABLE", "message": "busy"}}])
    assert isinstance(played.error, ApiError)
    assert (played.error.code, played.error.status) == (503, "UNAVAILABLE")
    assert played.state.text(thought=False) == "a"


def test_ten_thousand_changes_of_kind_have_distinct_rising_otids() -> None:
    parts = [text("a") if n % 2 else thought("b") for n in range(10_000)]
    played = Played([chunk(*parts), chunk(call("f"), call("f"))])
    otids = [p.otid for p in played.state.parts]
    for part in played.state.parts[-2:]:
        assert isinstance(part, CallPart)
        otids.append(part.call.otid)
    assert len(set(otids)) == len(otids) == 10_004
    assert otids[:10_000] == sorted(otids[:10_000])


def test_chunk_boundaries_change_nothing_but_the_chunk_numbers() -> None:
    def seen(chunks: list[Any]) -> list[Any]:
        played = Played(chunks)
        return [(p.kind, p.otid, p.fields()) for p in played.state.parts]

    parts = [text("before"), call("rm", {}), text("after"), thought("x"), thought("y")]
    assert seen([chunk(*parts)]) == seen([chunk(part) for part in parts])


def test_at_most_one_part_is_open_and_every_part_ends_once() -> None:
    events = Played([chunk(text("a"), call("f"), thought("b")), chunk(thought("c")), chunk(text("d"))]).events
    open_parts: list[int] = []
    for event in events:
        if isinstance(event, PartStarted):
            assert not open_parts
            open_parts.append(event.index)
        elif isinstance(event, TextAdded):
            assert open_parts == [event.part]
        elif isinstance(event, PartEnded):
            open_parts.remove(event.part)
    assert not open_parts


def nested(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = {"a": [value]}
    return value


@pytest.mark.parametrize("odd", [10**5000, nested(3000)], ids=["a number of 5000 digits", "3000 levels"])
def test_what_json_cannot_hold_is_noted_wherever_it_comes(odd: Any) -> None:
    fields = {"finishReason": odd, "finishMessage": odd, "groundingMetadata": {"a": odd}, "new": odd}
    cited = {"citationMetadata": {"citationSources": [{"a": odd}]}, "urlContextMetadata": {"urlMetadata": [{"a": odd}]}}
    usage = {"totalTokenCount": odd, "promptTokenCount": 3}
    candidate = {"index": 0, "content": {"parts": [{"text": "a"}, {"odd": odd}]}, **fields, **cited}
    again = {"candidates": [candidate], "usageMetadata": usage, "promptFeedback": {"a": odd}, "modelVersion": "m"}
    played = Played([again, again], snapshots=True)
    json.dumps(played.state.snapshot(), allow_nan=False)
    assert played.state.text(thought=False) == "aa"
    assert (played.state.usage.total_token_count, played.state.usage.prompt_token_count) == (None, 3)
    assert len(played.step.grounding) == len(played.step.citations) == len(played.step.url_context) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(
    "candidates content parts text thought thoughtSignature functionCall name args id partialArgs jsonPath stringValue "
    "willContinue inlineData fileData executableCode codeExecutionResult functionResponse response finishReason index "
    "usageMetadata totalTokenCount modelVersion promptFeedback blockReason groundingMetadata citationMetadata "
    "citationSources citations urlContextMetadata urlMetadata".split()
)
odd_json = st.recursive(
    json_values,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=25,
)
odd_parts = st.dictionaries(names, odd_json, max_size=3)
odd_chunks = st.one_of(
    odd_json,
    st.lists(odd_parts, max_size=3).map(lambda parts: {"candidates": [{"content": {"parts": parts}}]}),
    st.dictionaries(names, odd_json, max_size=4).map(lambda c: {"candidates": [c]}),
)


@given(st.lists(odd_chunks, max_size=6))
@settings(max_examples=400, deadline=None)
def test_nothing_a_server_could_send_raises_and_patches_still_fold_to_the_snapshot(chunks: list[Any]) -> None:
    from gemstream_widget._stream.patch import apply_ops

    played = Played(chunks, snapshots=True)
    document = played.opening
    for batch, snapshot in zip(played.batches, played.snapshots, strict=True):
        apply_ops(document, json.loads(json.dumps(batch)))
        assert document == snapshot
    for part in played.state.parts:
        json.dumps(part.to_wire())
