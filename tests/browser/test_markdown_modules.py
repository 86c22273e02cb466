"""Colours and formulas: second modules that come when first wanted, or not at all."""

from __future__ import annotations

import pytest

from tests.browser.markdown_bench import Bench, bench, files, open_page

# The fixtures come from markdown_bench.
__all__ = ["bench", "files", "open_page"]

pytestmark = pytest.mark.timeout(120)


def test_code_is_coloured_and_its_text_unchanged(bench: Bench) -> None:
    code = "def f(x):\n    'text'\n    return x + 1  # note\n" + "value = 1\n" * 200
    result = bench.js(
        """async code => {
          const root = document.getElementById('box'), {load, asked} = gs.loader(true);
          const stream = gs.stream(root, {loadModule: load});
          const long_ = 'y = 1\\n'.repeat(8000);
          stream.write('```python\\n' + code + '```\\n\\n```nonsense\\nx\\n```\\n\\n');
          stream.write('```python\\n' + long_ + '```\\n');
          stream.end(); stream.flush();
          await gs.settled();
          const [block, other, long] = root.querySelectorAll('code');
          const kinds = new Set([...block.querySelectorAll('[class^=gs-hl]')].map(piece => piece.className));
          return [block.textContent === code, block.children.length, [...kinds],
                  other.querySelector('[class^=gs-hl]') === null, long.querySelector('[class^=gs-hl]') === null, asked];
        }""",
        code,
    )
    assert result[0] is True
    assert result[1] == 4
    assert {"gs-hl-comment", "gs-hl-keyword", "gs-hl-literal", "gs-hl-string", "gs-hl-title"} <= set(result[2])
    assert result[3:] == [True, True, ["highlight"]]


def test_formulas_are_drawn_and_copied_as_source(bench: Bench) -> None:
    result = bench.js(
        """async () => {
          const root = document.getElementById('box'), {load} = gs.loader(true);
          const stream = gs.stream(root, {loadModule: load});
          stream.write('A $x^2$ b.\\n\\n$$\\n\\\\frac{a}{b}\\n$$\\n\\n- $y$\\n- $\\\\notacommand{$\\n\\n');
          stream.write('|$z$|\\n|---|\\n|$w$|\\n');
          stream.end(); stream.flush();
          await gs.settled();
          const all = [...root.querySelectorAll('.gs-math')];
          getSelection().selectAllChildren(root.querySelector('p'));
          return [all.map(f => f.querySelector('math') !== null), all[0].title, getSelection().toString(),
                  all[1].querySelector('math').getAttribute('display')];
        }"""
    )
    assert result[0] == [True, True, True, False, True, True]
    assert result[1] == "$x^2$"
    assert "$x^2$" in result[2]
    assert result[2].count("x") == 1
    assert result[3] == "block"


def test_a_formula_cannot_set_ids_links_or_leave_its_place(bench: Bench) -> None:
    found = bench.js(
        """async formulas => {
          const root = document.getElementById('box'), {load} = gs.loader(true);
          const stream = gs.stream(root, {loadModule: load});
          for (const formula of formulas) stream.write('$$' + formula + '$$\\n\\n');
          stream.end(); stream.flush();
          await gs.settled();
          const drawn = root.querySelectorAll('math').length;
          const misplaced = /^(id|href|src|name|on.*)$/;
          const bad = [...root.querySelectorAll('math, math *')].filter(element => element.localName === 'a' ||
            [...element.attributes].some(({name, value}) => misplaced.test(name) || /url\\(|fixed/.test(value)));
          const heights = [...root.querySelectorAll('.gs-math')].map(e => e.getBoundingClientRect().height);
          return [drawn, bad.map(e => e.outerHTML.slice(0, 200)), Math.max(...heights)];
        }""",
        [
            r"\begin{equation}x\label{stolen}\end{equation}",
            r"\ref{stolen}",
            r"\eqref{stolen}",
            r"\href{https://evil.test}{x}",
            r"\url{https://evil.test}",
            r"\htmlId{stolen}{x}",
            r"\class{gs-copy}{x}",
            r"\includegraphics{https://evil.test/x.png}",
            r"\rule{9999em}{9999em}",
            r"\rule[-9999em]{1em}{9999em}",
            r"\kern{9999em}x",
            r"\cancel{x}",
            r"x\hspace{99999pt}y",
            r"\def\x{\x\x}\x",
            r"\def\a{aaaaaaaaaa}\def\b{\a\a\a\a\a\a\a\a\a\a}\b\b\b\b\b\b",
        ],
    )
    assert found[0] >= 5
    assert found[1] == []
    assert found[2] < 400


def test_without_an_answer_the_text_stays_plain_and_a_late_one_is_welcome(bench: Bench) -> None:
    result = bench.js(
        """async () => {
          const root = document.getElementById('box'), {load, asked, answer} = gs.loader(false);
          const stream = gs.stream(root, {loadModule: load});
          const silence = new Promise(resolve => load('math', {onSilence: resolve}));
          stream.write('$x$\\n\\n$y$\\n\\n'); stream.flush();
          await silence;
          stream.write('$z$\\n\\nend\\n'); stream.flush();
          await gs.settled();
          const plain = [[...new Set(asked)], root.querySelector('math') === null, root.textContent];
          await answer('math');
          await load('math');
          await gs.settled();
          return [...plain, root.querySelectorAll('math').length];
        }"""
    )
    assert result == [["math"], True, "$x$$y$$z$end", 3]


def test_a_second_card_uses_the_module_the_first_one_got(bench: Bench) -> None:
    result = bench.js(
        """async () => {
          const first = gs.loader(true), second = gs.loader(true, first.shelf), other = gs.loader(true);
          const a = await first.load('math');
          const b = await second.load('math');
          const c = await other.load('math');
          return [first.asked, second.asked, other.asked, a === b, a === c];
        }"""
    )
    assert result == [["math"], [], ["math"], True, False]


def test_what_is_no_module_of_this_build_is_told_of(bench: Bench) -> None:
    """The approval module looks for its core on the page, and this page is none of a card."""
    told = bench.js("async () => { try { await gs.loader(true).load('approval'); } catch (e) { return e.message; } }")
    assert "The module approval came, but does not load" in told
    assert "of gemstream_widget, which is not on this page" in told
    assert [error for error in bench.errors if "approval" in error] != []
    bench.errors.clear()
