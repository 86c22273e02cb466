"""A Gemini on this machine: a real HTTP server for the real SDK, with no key and no internet.

It answers as a demo model, plays scripts written in the prompt, replays recordings, and breaks on demand.
docs/local-gemini.md tells how; `python -m gemstream_widget.server` runs it by itself.

Inside, from the outside in: `local` (thread and lifetime), `app` (HTTP), `service` (who answers), `exchange` (how an
answer travels), `demo`, `script` and `recordings` (what it says), `account` (what was seen).
"""

from .account import RequestRecord
from .faults import Fault
from .local import LocalGemini, shared

__all__ = ["Fault", "LocalGemini", "RequestRecord", "shared"]
