"""Tools: any function, its declaration for Gemini, and running it with arguments that were checked first.

The JSON schema comes from the signature, its type hints and the docstring, by pydantic; the same types check and
convert what the model sends before anything runs.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from contextvars import copy_context
from copy import deepcopy
from functools import partial, update_wrapper
from inspect import BoundArguments
from typing import Any, TypeVar, overload

from .._plain import Wire, is_seconds
from .._redact import words_of
from .._request.declarations import refused_tools
from .._request.violation import Place
from .._request.wire import FUNCTION_NAME, dumped
from ..errors import ToolError, ToolTimedOut
from .docstring import described
from .hints import body_of
from .policy import Policy, flaw_in, is_policy
from .printed import captured
from .results import is_small, readable
from .signature import Signature

__all__ = ["Tool", "ToolSet", "tool"]

T = TypeVar("T")


class Tool:
    """A function the model may ask for. Still callable as the function it was.

    `declaration` is what Gemini is told, `approve` its policy and `timeout_s` how long it may run (None: the
    chat's).
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        approve: Policy | None = None,
        timeout_s: float | None = None,
    ) -> None:
        if not callable(function):
            raise ToolError(f"A tool is a function, not {type(function).__name__}: {function!r}.")
        if approve is not None and not is_policy(approve):
            raise ToolError(f'approve is "auto", "ask", "never", a plain function or a list of lines, not {approve!r}.')
        if (flaw := flaw_in(approve)) is not None:
            raise ToolError(f"approve: {flaw}")
        if timeout_s is not None and not is_seconds(timeout_s):
            raise ToolError(f"timeout_s is a number of seconds above 0, or None, not {timeout_s!r}.")
        self.function = function
        self.name = str(name or _name_of(function))
        if not FUNCTION_NAME.fullmatch(self.name):
            raise ToolError(
                f"{self.name!r} is no name for a tool: use at most 128 letters, digits and _ . : -, beginning with a "
                "letter or _, with name=... if need be."
            )
        self.approve = approve
        self.timeout_s = timeout_s
        body = body_of(function)
        if inspect.isgeneratorfunction(body) or inspect.isasyncgenfunction(body):
            raise ToolError(
                f"{self.name} is a generator: a tool has one result. Give back a list, and print as you go."
            )
        self.is_async = inspect.iscoroutinefunction(body)
        self.doc, words = described(_documented(function))
        self._signature = Signature(function, self.name, words)
        self.parameters: Wire = self._signature.schema
        update_wrapper(self, function, updated=())

    @property
    def declaration(self) -> Wire:
        """The functionDeclaration, in wire form."""
        out: Wire = {"name": self.name, "description": self.doc or self.name}
        if self.parameters.get("properties"):
            out["parametersJsonSchema"] = self.parameters
        return out

    def check(self, args: Wire) -> BoundArguments:
        """`args` as the types the function declares. Raises ToolError with words the model can act on."""
        return self._signature.check(args)

    def converted(self, args: Wire) -> Wire:
        """`args` as the function gets them, as JSON. Raises as `check` does."""
        return self._signature.converted(args)

    async def run(
        self,
        values: BoundArguments,
        timeout_s: float | None = None,
        *,
        stopped: Callable[[], bool] = lambda: False,
        printed: Callable[[str], None] | None = None,
    ) -> tuple[Wire, Wire]:
        """Call the function with checked values: an async one on this loop, another on a thread with the same context.
        What a plain one gives back to be awaited is awaited on this loop, too. The result as it is `readable`.

        Raises what it raises, and ToolTimedOut after its own `timeout_s`, or else after the one given here. Cancelling
        this cancels an async function; one in a thread cannot be ended, and is left to itself. `printed` takes what the
        function prints, on any thread, for as long as it goes.
        """
        limit_s = timeout_s if self.timeout_s is None else self.timeout_s
        limit = asyncio.timeout(limit_s)
        try:
            async with limit:
                if self.is_async:
                    if stopped():
                        raise asyncio.CancelledError
                    with captured(printed):
                        return await _told(await _awaited(self._signature.call(values)))
                result = await _on_a_thread(lambda: self._call(values), stopped, printed)
                if not inspect.isawaitable(result):
                    return result
                with captured(printed):
                    return await _told(await result)
        except TimeoutError:
            if limit.expired():  # else it is the function's own
                raise ToolTimedOut(f"The tool did not end within {limit_s:g} s.") from None
            raise

    def _call(self, values: BoundArguments) -> tuple[Wire, Wire] | Awaitable[Any]:
        """On a thread, where no size holds the loop up; and no Stop comes between a result and what it is told as."""
        result = self._signature.call(values)
        return result if inspect.isawaitable(result) else readable(result)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def __reduce__(self) -> str:
        """As a function is: by its name, where a module holds it by that."""
        module, name = sys.modules.get(self.function.__module__), getattr(self.function, "__qualname__", "")
        if getattr(module, name, None) is not self:
            raise TypeError(
                f"The tool {self.name} is no name of a module, by which it could be found again: give the other "
                "process the function, and make the tool there with gem.tool(function)."
            )
        return name

    def __copy__(self) -> Tool:
        return self

    def __deepcopy__(self, memo: object) -> Tool:
        return self

    def __repr__(self) -> str:
        return f"<Tool {self.name}>"


def _name_of(function: Any) -> str:
    """What a function is called; an object that can be called has the name of its class."""
    while hasattr(function, "func") and not hasattr(function, "__name__"):  # a partial
        function = function.func
    return str(getattr(function, "__name__", type(function).__name__))


def _documented(function: Any) -> Any:
    """Where the words for a tool stand: at what was given, or at the `__call__` of an object."""
    if isinstance(function, partial):
        return _documented(function.func)
    if inspect.isroutine(function) or inspect.isclass(function) or getattr(function, "__wrapped__", None) is not None:
        return function
    call = type(function).__call__
    return call if inspect.getdoc(call) else function


async def _awaited(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result


async def _told(result: Any) -> tuple[Wire, Wire]:
    """What the model and people are told of a result that is here, on the loop."""
    if is_small(result):
        return readable(result)
    return await _on_a_thread(lambda: readable(result), lambda: False, None)


async def _on_a_thread(
    function: Callable[[], T], stopped: Callable[[], bool], printed: Callable[[str], None] | None
) -> T:
    """Call it on a thread of its own, unless a Stop came first: one that never ends would hold a pool's for good, and
    the process's end up.
    """
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()
    context = copy_context()

    def call() -> Any:
        with captured(printed):  # here, not around the wait: what is left to itself still prints to its card
            return function()

    def tell(set_it: Callable[[Any], None], value: Any) -> None:
        if not result.done():
            set_it(value)

    def work() -> None:
        told: tuple[Callable[[Any], None], Any]
        try:
            if stopped():
                return
            told = result.set_result, context.run(call)
        except BaseException as error:
            own = isinstance(error, StopIteration | KeyboardInterrupt)  # which would mean something else over there
            told = result.set_exception, RuntimeError(words_of(error)) if own else error
        with suppress(RuntimeError):  # the loop is closed, and nobody waits any more
            loop.call_soon_threadsafe(tell, *told)

    threading.Thread(target=work, name="gemstream tool", daemon=True).start()
    return await result


@overload
def tool(function: Callable[..., Any], /) -> Tool: ...
@overload
def tool(
    *, name: str | None = None, approve: Policy | None = None, timeout_s: float | None = None
) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a function a tool, as a decorator with or without options.

    @tool(approve="ask", timeout_s=30)
    def delete_file(path: str) -> str:
        \"\"\"Delete one file.\"\"\"
    """
    if function is not None:
        return Tool(function, **options)
    return lambda function: Tool(function, **options)


class ToolSet:
    """The tools of a chat: what Gemini is told of, and the ones that we can run, by name.

    Takes functions and Tools (run by us), wire Tools and single declarations, and the SDK's own objects of both kinds
    (told to Gemini, answered by the caller); one of these by itself is a set of one. Raises ToolError for anything
    else, for two functions of one name, and for a declaration that Gemini would refuse: which tool, and where in it.
    """

    def __init__(self, tools: Any) -> None:
        self.ours: dict[str, Tool] = {}
        functions: list[Wire] = []
        others: list[Wire] = []
        for given in _several(tools):
            wire = _as_wire(given)
            if wire is None:
                made = given if isinstance(given, Tool) else Tool(given)
                self.ours.setdefault(made.name, made)
                functions.append(made.declaration)
            elif "name" in wire:
                functions.append(wire)
            elif held := wire.get("functionDeclarations") or wire.get("function_declarations"):
                functions.extend(_as_wire(f) or {} for f in held)
            else:
                others.append(wire)
        names = [f.get("name") for f in functions]
        for name in names:
            if names.count(name) > 1:
                raise ToolError(f"Two tools are named {name!r}: give each its own name.")
        self.wire: list[Wire] = ([{"functionDeclarations": functions}] if functions else []) + others
        self._declared = set(names)
        for one in refused_tools(self.wire):
            if one.code != "unknown_field":  # a later Gemini may know it
                raise ToolError(f"{_spot(one.place, functions)} cannot be declared to Gemini. {one.hint}")

    @property
    def names(self) -> set[str]:
        """Of all that are declared."""
        return {str(name) for name in self._declared}

    def hands_over(self, name: str) -> bool:
        """Whether a call of this name is the caller's to answer: declared without a function, or declared elsewhere
        (in the config) where we run no tools at all.
        """
        return name not in self.ours and (name in self._declared or not self.ours)


def _spot(place: Place, functions: list[Wire]) -> str:
    """A place in the tools in words: of which tool, and where in it."""
    tool, *inner = place.fields
    if tool != "tools[0]" or not inner or not inner[0].startswith("function_declarations["):
        return f"The tool in {place}"
    name = functions[int(inner[0].removeprefix("function_declarations[").rstrip("]"))].get("name")
    return f"The tool {name!r}, {'.'.join(inner[1:])}," if inner[1:] else f"The tool {name!r}"


def _several(tools: Any) -> Iterable[Any]:
    if callable(tools) or isinstance(tools, dict | str | bytes) or hasattr(tools, "model_dump"):
        return [tools]
    if not isinstance(tools, Iterable):
        _as_wire(tools)
    return tools  # type: ignore[no-any-return]


def _as_wire(given: Any) -> Wire | None:
    if isinstance(given, dict) and given:
        return deepcopy(given)  # what was told to Gemini stays what it was
    if hasattr(given, "model_dump") and not isinstance(given, type):  # the SDK's Tool and FunctionDeclaration
        wire: Wire = dumped(given)
        return wire
    if callable(given):
        return None
    raise ToolError(
        "A tool is a function, or a declaration such as {'name': 'get_weather', 'description': '...', 'parameters': "
        f"{{...}}}}; this is {type(given).__name__}."
    )
