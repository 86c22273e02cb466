"""What a forked child does with all that its parent had going: it works or says what to do, and never hangs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here"),
    pytest.mark.timeout(90),
]

BEGIN = """
import asyncio, faulthandler, os, signal, socket, sys, threading, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)
import gemstream_widget as gem
LONG = "@every 0.05\\n@chunks 400 " + "word " * 800

def say(text, **options):
    return gem.Chat(model="demo", runner="thread", **options).send("@say " + text).result(20)

def child(work, leave=os._exit):
    "The child's exit code: 0, 1 where it raised, and it is killed where it hangs."
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        signal.alarm(20)
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            import traceback
            traceback.print_exc()
        sys.stdout.flush()
        leave(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def until(happened, timeout_s=10):
    end = time.monotonic() + timeout_s
    while not happened():
        assert time.monotonic() < end, happened
        time.sleep(0.002)
"""


def tried(program: str, folder: Path | None = None) -> list[str]:
    """What the program prints, line by line; it fails on anything on stderr, and after a minute."""
    command = [sys.executable, "-c", BEGIN + program, *([str(folder)] if folder else [])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_a_child_asks_as_its_parent_did() -> None:
    """After runs on a thread, on a loop, inside a running loop, and of a client whose server is the parent's."""
    program = """
async def on_a_loop():
    return (await gem.Chat(model="demo").send("@say on a loop")).text

def work():
    assert asyncio.run(on_a_loop()) == "on a loop"
    assert say("child").text == "child"
    assert gem.Chat(client=client, runner="thread").send("@say of the parent").result(20).text == "of the parent"
    assert client.models.generate_content(model="demo", contents="@say at once").text == "at once"
    assert gem.runs() == []

async def within():
    await on_a_loop()
    return child(work)

with gem.LocalGemini() as server:
    client = server.client()
    client.models.generate_content(model="demo", contents="@say hi")
    say("parent")
    print(child(work), child(work, sys.exit), asyncio.run(within()), server.open_connections)
"""
    assert tried(program) == ["0 0 0 0"]


def test_a_fork_waits_for_the_import_of_the_sdk() -> None:
    program = """
run = gem.Chat(model="demo", runner="thread").send("@say parent")
until(lambda: "google.genai" in sys.modules)
assert not hasattr(sys.modules["google.genai"], "Client")  # in the middle of it
print(child(lambda: say("child")), run.result(20).text)
"""
    assert tried(program) == ["0 parent"]


def test_a_parents_run_is_over_in_the_child_and_goes_on_in_the_parent() -> None:
    program = """
chat = gem.Chat(model="demo", runner="thread")
run = chat.send(LONG)
until(lambda: len(run.text) > 20)

def waits(wait):
    came = run.text
    assert gem.runs() == []
    try:
        wait()
    except gem.RunCancelled as error:
        assert "left to the process that this one was forked from" in str(error), error
    else:
        raise AssertionError("it did not say so")
    assert (run.status, run.receipt.by, run.text, run.pending) == ("cancelled", "fork", came, [])
    assert chat.send("@say on").result(20).text == "on"

async def awaits():
    await run

async def looks():
    assert [event async for event in run] and await run.next_pending() == []
    await run

def stops():
    assert run.stop() and run.status == "cancelled" and gem.stop_all() == []

def decides():
    try:
        run.approve("s0c0")
    except gem.DecisionRefused:
        waits(run.result)

print(child(lambda: waits(run.result)), child(lambda: waits(lambda: asyncio.run(awaits()))), child(stops, sys.exit),
      child(decides), child(lambda: waits(lambda: asyncio.run(looks()))))
print(run.status, gem.runs() == [run], run.stop(), run.wait and chat.runs == [run])
until(lambda: run.done)
print(run.receipt.by)
"""
    assert tried(program) == ["0 0 0 0 0", "streaming True True True", "code"]


def test_a_stop_in_the_parent_closes_the_connection_while_a_child_lives() -> None:
    program = """
with gem.LocalGemini() as server:
    port = int(server.url.rsplit(":", 1)[1])
    run = gem.Chat(client=server.client(), runner="thread").send(LONG)
    until(lambda: run.text)
    come, go = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(go)
        signal.alarm(20)
        os.read(come, 1)  # lives until the parent has looked
        os._exit(0)
    run.stop()
    until(lambda: run.done)
    print(server.requests[-1].wait_closed(5))
try:
    socket.create_connection(("127.0.0.1", port), 2).close()
except OSError as error:
    print(type(error).__name__)
os.close(go)
print(os.waitpid(pid, 0)[1])
"""
    assert tried(program) == ["True", "ConnectionRefusedError", "0"]


def test_locks_that_another_thread_holds_are_free_in_the_child() -> None:
    """Of the chat, its runs and their chunks, of the thread for runs, the local Gemini and its client."""
    program = """
from gemstream_widget._engine import loops, sources
from gemstream_widget.server import local
chat = gem.Chat(model="demo", runner="thread")
run = chat.send("@say hi").result(20)
client = next(iter(sources._demo_clients.values()))
inner = client._api_client._http_options.httpx_async_client
locks = [chat._lock, run._record.lock, run.chunks._lock, loops._lock, local._shared._lock, local._shared_lock]
locks.append(inner._lock)
held, over = threading.Barrier(2), threading.Event()

def hold():
    for lock in locks:
        lock.acquire()
    held.wait(10)
    over.wait(30)
    for lock in locks:
        lock.release()

holder = threading.Thread(target=hold)
holder.start()
held.wait(10)

def work():
    assert run.text == "hi" and len(run.chunks) and run.chunks[0].wire and run.snapshot()
    assert chat.send("@say on").result(20).text == "on"
    assert say("own").text == "own"
    assert gem.Chat(client=client, runner="thread").send("@say same").result(20).text == "same"

print(child(work), all(not lock.acquire(blocking=False) for lock in locks))
over.set()
holder.join()
print(chat.send("@say parent").result(20).text)
"""
    assert tried(program) == ["0 True", "parent"]


def test_a_run_that_was_just_ending_has_ended_in_the_child() -> None:
    """Whatever the thread of its loop had done of it, and would do next in the parent only."""
    program = """
gate, reached = threading.Event(), threading.Event()
asked = gem.Chat._offers

def held(*args):
    reached.set()
    assert gate.wait(20)
    return asked(*args)

gem.Chat._offers = held
chat = gem.Chat(model="demo", runner="thread")
run = chat.send("@say hi")
assert reached.wait(20)

def work():
    gate.set()
    try:
        run.result(5)
    except gem.RunCancelled:
        pass
    assert run.done and run.text == "hi"
    assert asyncio.run(run.wait()) is run
    assert chat.send("@say on").result(20).text == "on"

print(child(work))
gate.set()
print(run.result(20).status)
"""
    assert tried(program) == ["0", "completed"]


def test_a_child_records_in_a_file_of_its_own(tmp_path: Path) -> None:
    program = """
import multiprocessing
folder = sys.argv[1]
chat = gem.Chat(model="demo", runner="thread", record=folder)
chat.send("@say one").result(20)
before = chat.recording

def work():
    chat.send("@say of the child").result(20)
    assert chat.recording != before

print(child(work, sys.exit))
worker = multiprocessing.get_context("fork").Process(target=work)  # which ends without atexit
worker.start()
worker.join()
print(worker.exitcode)
chat.send("@say two").result(20)
"""
    assert tried(program, tmp_path) == ["0", "0"]
    files = sorted(path.read_text() for path in tmp_path.iterdir())
    told = [["of the child" in text, "@say one" in text, "@say two" in text] for text in files]
    assert sorted(told) == [[False, True, True], [True, True, False], [True, True, False]]
    assert all(text.endswith("\n") for text in files)


def test_a_tool_may_have_a_pool_whose_workers_ask() -> None:
    program = """
import multiprocessing

def work(n):
    print(f"worker {n}\\n", end="", flush=True)
    return int(say(str(n)).text)

def count(n: int) -> int:
    "Count in other processes."
    print("in the tool")
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return sum(pool.map_async(work, range(n)).get(20))

chat = gem.Chat(model="demo", runner="thread", tools=[count], approve="auto")
run = chat.send('@call count {"n": 3}\\n@then\\n@say done').result(30)
print(run.tool_calls[0].result, repr(run.tool_calls[0].printed))
"""
    *printed, told = tried(program)
    assert sorted(printed) == ["worker 0", "worker 1", "worker 2"]
    assert told == "{'result': 3} 'in the tool\\n'"


IN_A_KERNEL = """
import multiprocessing, warnings
warnings.simplefilter("ignore", DeprecationWarning)
import gemstream_widget as gem
run = gem.ask("@say a\\n@stall", model="demo")
async for _ in run:
    if run.text:
        break

def work(n):
    own = gem.ask(f"@say {n}", model="demo", runner="thread").result(20).text
    try:
        run.result(5)
    except gem.RunCancelled:
        return own

with multiprocessing.get_context("fork").Pool(2) as pool:
    print(pool.map_async(work, range(2)).get(30), run.status)
run.stop()
"""


def test_workers_forked_from_a_kernel_show_nothing_and_say_nothing_in_its_log(tmp_path: Path) -> None:
    """ipykernel refuses each message of theirs, and writes it into its log, with the prompt."""
    from jupyter_client.manager import start_new_kernel

    log = tmp_path / "log"
    with log.open("w") as stderr:
        manager, client = start_new_kernel(kernel_name="python3", stderr=stderr)
        try:
            printed: list[str] = []
            client.execute_interactive(IN_A_KERNEL, timeout=60, output_hook=lambda m: printed.append(words_of(m)))
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
    assert "".join(printed) == "['0', '1'] streaming\n"
    assert "from fork" not in log.read_text()


def words_of(message: Any) -> str:
    """What a kernel printed, or raised."""
    content = message["content"]
    return {"stream": content.get("text"), "error": str(content.get("traceback"))}.get(message["msg_type"]) or ""
