"""The local Gemini where the process may open no further file: it rests, says so in one line, and serves again."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

resource = pytest.importorskip("resource", reason="this system has no limits of that kind")

PROGRAM = """
import json, logging, os, resource, socket, threading
import gemstream_widget as gem
from gemstream_widget.server import listener

listener.PAUSE_S = 0.02
lines, rests, rested = [], [], threading.Event()

class Rested(listener.Listener):
    def _rest(self, error):
        super()._rest(error)
        rests.append(error.errno)
        if len(rests) > 5:
            rested.set()

class Lines(logging.Handler):
    def emit(self, record):
        lines.append(record.getMessage())
        if len(lines) > 5:
            rested.set()

from gemstream_widget.server import local
local.Listener = Rested
logging.getLogger().addHandler(Lines())

def ended(run):
    try:
        return run.result(timeout_s=30).text
    except gem.RunFailed as error:
        return f"{type(error).__name__}: {error}"

def asked(**options):
    return ended(gem.Chat(model="demo", runner="thread", retries=0, **options).send("@say hi"))

with gem.LocalGemini(speed=1000) as server:
    client = server.client()
    told = [asked(client=client)]
    address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
    few = len(os.listdir("/dev/fd")) + 8
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    held = []
    try:
        while True:
            held.append(socket.create_connection(address))
    except OSError as error:
        full = error.errno
    came = rested.wait(20)
    told += [asked(client=client), asked()]
    for one in held:
        one.close()
    told += [asked(client=client), asked()]
print(json.dumps({"told": told, "lines": lines, "rests": len(rests), "came": came, "open": server.open_connections}))
"""


def test_without_descriptors_it_rests_and_serves_again() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    found = json.loads(done.stdout)
    before, full, demo, after, demo_after = found["told"]
    assert (before, after, demo_after) == ("hi", "hi", "hi")
    for error in (full, demo):
        assert error.startswith("ConnectionFailed: Too many files are open.")
    assert found["came"]
    assert len(found["lines"]) == 1, found["lines"]
    assert found["lines"][0].startswith("The local Gemini takes no connections: Too many open files.")
    assert found["open"] == 0
