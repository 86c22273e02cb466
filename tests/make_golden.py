"""Write the golden files that hold the Python reducer and the page's patches together.

    python -m tests.make_golden

Each file holds the operations of one stream, batch by batch, and the state after each of them. The streams are made
here; tests/test_reducer.py checks that the files are fresh, js/state/golden.test.ts that the page folds them to the
same.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.play import Played
from tests.wire import answer, call, chunk, text, thought, tokens

GOLDEN = Path(__file__).parent / "data" / "golden"

STREAMS: dict[str, list[Any]] = {
    "success-reasoning-then-text": [
        chunk(thought("First "), usage=tokens(12), modelVersion="gemini-test", responseId="a"),
        chunk(thought("this, then that."), usage=tokens(20)),
        chunk(text("# Head\n\nSome *te"), usage=tokens(25)),
        chunk(text("xt* with \u00e9 and \U0001f30d"), usage=tokens(31)),
        chunk(text("", "c2lnbmVk"), finish="STOP", usage=tokens(31, promptTokenCount=8, candidatesTokenCount=23)),
    ],
    "success-signature-inside-a-word": [
        chunk(text("Hel")),
        chunk(text("lo", "QQ==")),
        chunk(text(" you"), finish="STOP"),
    ],
    "success-parallel-calls": [
        chunk(text("Both: "), call("rm", {"path": "/x", "force": True}, id="k1", signature="QQ==")),
        chunk(call("ls", id="k2")),
        chunk(text(""), finish="STOP"),
    ],
    "success-arguments-in-pieces": [
        chunk({"functionCall": {"name": "cook", "willContinue": True}, "thoughtSignature": "QQ=="}),
        *(
            chunk({"functionCall": {"partialArgs": [held], "willContinue": True}})
            for held in (
                {"jsonPath": "$.title", "stringValue": "So", "willContinue": True},
                {"jsonPath": "$.title", "stringValue": "up"},
                {"jsonPath": "$.items[0].name", "stringValue": "salt"},
                {"jsonPath": "$.items[2].grams", "numberValue": 2.5},
                {"jsonPath": "$.items[1]", "nullValue": "NULL_VALUE"},
                {"jsonPath": "$.title.sub", "boolValue": False},
            )
        ),
        chunk({"functionCall": {}}, finish="STOP"),
    ],
    "success-call-answered-by-the-model": [
        chunk(call("search", {"q": "x"}), finish="STOP"),
        chunk(answer("search", {"hits": [1, 2]})),
        chunk(text("Two."), finish="STOP"),
    ],
    "success-code-file-and-unknown": [
        chunk({"executableCode": {"language": "PYTHON", "code": "print(1)"}}),
        chunk({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n"}}),
        chunk({"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}, {"hologram": {"x": [1]}}),
        chunk({"fileData": {"mimeType": "text/csv", "fileUri": "https://example.org/a.csv"}}, finish="STOP"),
    ],
    "success-sources-and-candidates": [
        {
            "candidates": [
                {"index": 1, "content": {"parts": [{"text": "B"}]}},
                {
                    "index": 0,
                    "content": {"parts": [{"text": "A"}]},
                    "groundingMetadata": {"groundingChunks": [{"web": {"uri": "https://example.org", "title": "E"}}]},
                    "citationMetadata": {"citationSources": [{"uri": "https://example.org/c", "endIndex": 3}]},
                    "urlContextMetadata": {"urlMetadata": [{"retrievedUrl": "https://example.org/u"}]},
                    "safetyRatings": [{"category": "X", "probability": "NEGLIGIBLE"}],
                },
            ],
            "novelField": {"kept": True},
        },
        chunk(finish="MAX_TOKENS"),
    ],
    "failure-prompt-blocked": [{"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": tokens(9)}],
    "failure-error-in-the-stream": [chunk(text("a"), call("f")), {"error": {"code": 503, "message": "busy"}}],
    "failure-no-finish-reason": [chunk(thought("so")), chunk(text("and th"))],
}


def golden(name: str) -> str:
    """The text of one golden file."""
    played = Played(STREAMS[name], snapshots=True)
    snapshots = {str(seq): state for seq, state in enumerate([played.opening, *played.snapshots])}
    document = {"name": name, "patches": played.batches, "snapshots": snapshots}
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for stream in STREAMS:
        (GOLDEN / f"{stream}.json").write_text(golden(stream), encoding="utf-8")
