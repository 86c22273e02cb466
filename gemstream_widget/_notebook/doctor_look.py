"""How a report reads: as text for a terminal, and as HTML for a page, in its own colours and the notebook's.

The HTML has no script. Everything in it is escaped; each level is a word and a sign as well as a colour.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from textwrap import wrap

from .doctor_words import Finding, Level

__all__ = ["html", "summary", "text"]

_TITLE = "gemstream_widget doctor"
_WIDTH = 100
_LEVELS: dict[Level, str] = {"ok": "OK", "note": "Note", "problem": "Problem", "unknown": "Unknown"}
_COUNTED: dict[Level, tuple[str, str]] = {
    "problem": ("1 problem", "{} problems"),
    "note": ("1 note", "{} notes"),
    "unknown": ("1 unknown", "{} unknown"),
}
_SIGNS: dict[Level, str] = {
    "ok": "M3.5 8.5l3 3 6-7",
    "note": "M8 7.2v4.3M8 4.5v.2",
    "problem": "M8 4.2v4.6M8 11.4v.2",
    "unknown": "M5.9 6.2a2.1 2.1 0 1 1 3 1.9c-.6.3-.9.7-.9 1.4M8 11.6v.2",
}
"""Lines in a square of 16."""
_RINGS = {"note": '<circle cx="8" cy="8" r="6.4"/>', "unknown": '<circle cx="8" cy="8" r="6.4"/>'}
_RINGS["problem"] = '<path d="M5.4 1.6h5.2l3.8 3.8v5.2l-3.8 3.8H5.4l-3.8-3.8V5.4z"/>'

_STYLE = """
.gsd{--fg:var(--jp-ui-font-color1,var(--vscode-editor-foreground,CanvasText));
 --bg:var(--jp-layout-color0,var(--vscode-editor-background,Canvas));
 --muted:color-mix(in srgb,var(--fg) 68%,var(--bg));--line:color-mix(in srgb,var(--fg) 14%,var(--bg));
 --ok:#1a7038;--note:#1a62cc;--problem:#b3261e;--unknown:#8f5200;
 box-sizing:border-box;max-width:920px;margin:4px 0;border:1px solid var(--line);border-radius:6px;overflow:hidden;
 container-type:inline-size;background:var(--bg);color:var(--fg);line-height:20px;
 font:var(--jp-ui-font-size1,13px)/20px var(--jp-ui-font-family,system-ui),sans-serif}
[data-jp-theme-light=false] .gsd,.vscode-dark .gsd,.dark .gsd{
 --ok:#6fd08c;--note:#6aa6ff;--problem:#ff8a80;--unknown:#f0b45a}
.gsd p.gsd-head{margin:0;padding:8px 12px;border-bottom:1px solid var(--line)}
.gsd .gsd-head b{font-weight:600;margin-inline-end:4px}
.gsd .gsd-head span{color:var(--muted)}
.gsd ul.gsd-list{list-style:none;margin:0;padding:4px 0}
.gsd ul.gsd-list>li{display:grid;grid-template-columns:88px 104px minmax(0,1fr);gap:0 8px;margin:0;padding:4px 12px}
.gsd .gsd-level{display:flex;gap:6px;align-items:center;align-self:start;height:20px;white-space:nowrap}
.gsd .gsd-level svg{flex:none;width:14px;height:14px;fill:none;stroke:currentColor;stroke-width:1.6;
 stroke-linecap:round;stroke-linejoin:round}
.gsd-ok .gsd-level{color:var(--ok)}.gsd-note .gsd-level{color:var(--note)}
.gsd-problem .gsd-level{color:var(--problem);font-weight:600}.gsd-unknown .gsd-level{color:var(--unknown)}
.gsd .gsd-topic{color:var(--muted)}
.gsd .gsd-words p{margin:0;overflow-wrap:anywhere}
.gsd .gsd-ok .gsd-words{color:var(--muted)}
.gsd .gsd-words p.gsd-advice{margin-top:2px;padding-inline-start:8px;border-inline-start:2px solid var(--line)}
.gsd .gsd-words p>code{padding:0 3px;border-radius:3px;color:inherit;white-space:break-spaces;
 background:color-mix(in srgb,var(--fg) 7%,var(--bg));font:12px/18px var(--jp-code-font-family,ui-monospace),monospace;
 -webkit-box-decoration-break:clone;box-decoration-break:clone}
@container (max-width:560px){
 .gsd ul.gsd-list>li{grid-template-columns:auto minmax(0,1fr);padding-block:6px}.gsd .gsd-words{grid-column:1/-1}
}
""".replace("\n", "")


def summary(findings: Sequence[Finding]) -> str:
    """What was found, counted: "1 problem, 2 notes"."""
    counts = Counter(found.level for found in findings)
    said = [forms[counts[level] > 1].format(counts[level]) for level, forms in _COUNTED.items() if counts[level]]
    return ", ".join(said) or "all is well"


def text(findings: Sequence[Finding]) -> str:
    """The report for a terminal, wrapped at 100 columns."""
    topic = max((len(found.topic) for found in findings), default=0)
    start = 2 + max(map(len, _LEVELS.values())) + 2 + topic + 2
    lines = [f"{_TITLE}: {summary(findings)}"]
    for found in findings:
        head = f"  {_LEVELS[found.level]:<9}{found.topic:<{topic}}  "
        lines += _block(found.words, head, " " * start)
        if found.advice:
            lines += _block(found.advice, " " * start + "-> ", " " * (start + 3))
    return "\n".join(lines)


def _block(words: str, first: str, others: str) -> list[str]:
    return wrap(
        words,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=others,
        break_on_hyphens=False,
    )


def html(findings: Sequence[Finding]) -> str:
    """The report for a page."""
    head = f'<p class="gsd-head"><b>{_TITLE}</b> <span>{escape(summary(findings))}</span></p>'
    return (
        f"<style>{_STYLE}</style>"
        f'<section class="gsd" aria-label="{_TITLE}">{head}<ul class="gsd-list">{"".join(_items(findings))}</ul>'
        "</section>"
    )


def _items(findings: Iterable[Finding]) -> Iterable[str]:
    for found in findings:
        sign = f'<svg viewBox="0 0 16 16" aria-hidden="true">{_RINGS.get(found.level, "")}'
        sign += f'<path d="{_SIGNS[found.level]}"/></svg>'
        advice = f'<p class="gsd-advice">{_prose(found.advice)}</p>' if found.advice else ""
        yield (
            f'<li class="gsd-{found.level}"><span class="gsd-level">{sign}{_LEVELS[found.level]}</span> '
            f'<span class="gsd-topic">{escape(found.topic)}</span> '
            f'<div class="gsd-words"><p>{_prose(found.words)}</p>{advice}</div></li>'
        )


def _prose(words: str) -> str:
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(words))
