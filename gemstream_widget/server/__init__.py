"""A Gemini on this machine: a real HTTP server for the real SDK, with no key and no internet.

It answers as a demo model, plays scripts written in the prompt, replays recordings, and breaks on demand.
docs/local-gemini.md tells how; `python -m gemstream_widget.server` runs it by itself.

Inside, from the outside in: `local` (thread and lifetime), `app` (HTTP), `service` (who answers), `demo`, `script` and
`recordings` (what is said), `hops` (where it goes on), `exchange` (how that travels), `reply` and `actions` (what they
are made of), and on the ground `question` (the request, as a model reads it), `models`, `example`, `signatures`,
`faults`, `errors`, `framing` and `account` (what was seen).
"""

from .account import RequestRecord
from .faults import Fault
from .local import LocalGemini, shared

__all__ = ["Fault", "LocalGemini", "RequestRecord", "shared"]
