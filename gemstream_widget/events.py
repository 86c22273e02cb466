"""What `async for event in run` yields, and what the events tell of: for `isinstance` and for annotations.

async for event in run:
    if isinstance(event, gem.events.TextAdded):
        print(event.text, end="")
"""

from ._stream.events import (
    ArgsChanged,
    CallStateChanged,
    Event,
    HopStarted,
    PartEnded,
    PartSigned,
    PartStarted,
    Printed,
    PromptChanged,
    RetryScheduled,
    RulesChanged,
    RunEnded,
    RunStarted,
    RunStateChanged,
    StepDetail,
    StepEnded,
    StepStarted,
    TextAdded,
    UsageReported,
)
from ._stream.parts import (
    CallPart,
    CodePart,
    CodeResultPart,
    Decision,
    FilePart,
    OtherPart,
    Part,
    TextPart,
    ToolCall,
)
from ._stream.values import Receipt, Retry, Step, Timing, Usage

__all__ = [
    "ArgsChanged",
    "CallPart",
    "CallStateChanged",
    "CodePart",
    "CodeResultPart",
    "Decision",
    "Event",
    "FilePart",
    "HopStarted",
    "OtherPart",
    "Part",
    "PartEnded",
    "PartSigned",
    "PartStarted",
    "Printed",
    "PromptChanged",
    "Receipt",
    "Retry",
    "RetryScheduled",
    "RulesChanged",
    "RunEnded",
    "RunStarted",
    "RunStateChanged",
    "Step",
    "StepDetail",
    "StepEnded",
    "StepStarted",
    "TextAdded",
    "TextPart",
    "Timing",
    "ToolCall",
    "Usage",
    "UsageReported",
]


def __dir__() -> list[str]:
    return __all__
