"""One HTML file that needs nothing beside it, light and dark, on screen and paper."""

import html
import os
from collections.abc import Sequence
from pathlib import Path

from projects.false.common.errors import InputError

STYLE = """
:root { color-scheme: light dark; --ground: #fff; --ink: #1c1f23; --muted: #60676f; --rule: #d9dde2; --note: #f4f6f8;
  --heat: #1f6fb4; --c0: #1f6fb4; --c1: #c2570c; --c2: #6b7178; --c3: #2a8a4a; --c4: #8a4fb0; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #15181b; --ink: #e4e7ea; --muted: #9aa2ab; --rule: #363c43; --note: #1e2226;
    --heat: #3d8ed6; --c0: #62b0f5; --c1: #f29a52; --c2: #a7adb5; --c3: #63c583; --c4: #c596e6; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .8rem; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .6rem; padding-top: .6rem; border-top: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 0 0 .2rem; }
p { margin: .5rem 0; max-width: 46rem; }
figure.intervals { max-width: 44rem; margin-top: 1rem; }
.alone { max-width: 30rem; margin-top: 1.5rem; }
figure { margin: 0; }
.muted, small, caption, figcaption { color: var(--muted); }
.small, figcaption { font-size: .87rem; }
.note { background: var(--note); border-left: 3px solid var(--c1); padding: .6rem .9rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .93rem; }
caption { text-align: left; font-size: .87rem; padding-bottom: .3rem; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--rule); }
th { text-align: left; font-weight: 500; }
th:first-child { padding-left: 0; }
thead th { font-size: .87rem; border-bottom-color: var(--muted); vertical-align: bottom; }
td, thead th + th { text-align: right; }
td b { font-weight: 700; }
.means td, .classes tbody th, .compared td { white-space: nowrap; }
.means td, .means thead th + th { padding-left: 1.2rem; }
.means small { display: inline-block; min-width: 2.8rem; font-size: .8rem; }
.confusion { font-size: .8rem; }
.confusion caption { font-weight: 600; color: var(--ink); font-size: .93rem; }
.confusion th, .confusion td { padding: .2rem .3rem; border: 0; }
.confusion thead th + th, .confusion td { text-align: right; min-width: 1.95rem; }
.confusion td { background: color-mix(in srgb, var(--heat) var(--share, 0%), transparent); print-color-adjust: exact;
  -webkit-print-color-adjust: exact; }
.confusion td.hit { font-weight: 700; }
.facts th { font-weight: 500; vertical-align: top; white-space: nowrap; }
.facts td { text-align: left; white-space: pre-wrap; overflow-wrap: anywhere; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 19rem), 1fr)); gap: 1rem 1.5rem; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--muted); font-size: 11px; font-variant-numeric: tabular-nums; }
svg text.name { fill: var(--ink); font-size: 12px; }
svg text.value { font-size: 10px; }
.end { text-anchor: end; } .middle { text-anchor: middle; }
.grid { stroke: var(--rule); fill: none; } .axis { stroke: var(--muted); fill: none; }
.line { stroke: var(--c); stroke-width: 1.8; fill: none; stroke-linejoin: round; }
.bar, .dots { fill: var(--c); }
.s0 { --c: var(--c0); } .s1 { --c: var(--c1); } .s2 { --c: var(--c2); } .s3 { --c: var(--c3); } .s4 { --c: var(--c4); }
.line.s1 { stroke-dasharray: 7 3; } .line.s2 { stroke-dasharray: 2 3; }
.line.s3 { stroke-dasharray: 9 3 2 3; } .line.s4 { stroke-dasharray: 4 2; }
.legend { list-style: none; margin: .5rem 0; padding: 0; display: flex; flex-wrap: wrap; gap: .2rem 1.1rem;
  font-size: .87rem; }
.legend svg.key { display: inline-block; width: 28px; height: 10px; vertical-align: baseline; }
.swatch { display: inline-block; width: .85em; height: .85em; vertical-align: -.08em; border: 1px solid var(--muted);
  print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.ignored { background: repeating-linear-gradient(135deg, #969696 0 3px, #6e6e6e 3px 6px); }
.strip { display: grid; grid-template-columns: 6.5rem repeat(auto-fit, minmax(5rem, 1fr)); gap: .5rem; margin: .7rem 0;
  break-inside: avoid; }
.strip.long { grid-template-columns: 6.5rem 1fr; }
.cells { display: grid; grid-template-columns: repeat(auto-fit, minmax(max(5rem, 11%), 1fr)); gap: .5rem; }
.strip img { display: block; width: 100%; height: auto; }
.strip figcaption, .strip .patch { font-size: .8rem; line-height: 1.3; overflow-wrap: anywhere; }
.strip .patch { margin: 0; } .right { display: inline-block; }
@media (max-width: 40rem) {
  body { font-size: 15px; }
  th, td, .means td, .means thead th + th { padding: .3rem .4rem; }
  th:first-child { padding-left: 0; } .right { display: block; }
  .means small { display: block; }
  .strip { grid-template-columns: repeat(3, 1fr); margin: 1.2rem 0; }
  .strip.long { grid-template-columns: 1fr; } .cells { grid-template-columns: repeat(3, 1fr); } }
@media print {
  :root { color-scheme: light; --ground: #fff; --ink: #000; --muted: #444; --rule: #bbb; --note: #fff; --heat: #1f6fb4;
    --c0: #1f6fb4; --c1: #c2570c; --c2: #6b7178; --c3: #2a8a4a; --c4: #8a4fb0; }
  body { font-size: 10pt; } main { max-width: none; padding: 0; }
  h2, h3, h2 + p { break-after: avoid; } table, figure, p { break-inside: avoid; }
  .scroll { overflow: visible; } th, td { padding: .2rem .4rem; } }
"""

# The browser itself holds the page to what it promises: nothing from outside, no scripts.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page(title: str, lead: str, sections: Sequence[tuple[str, str]]) -> str:
    """Put a page together.

    Args:
        title: Plain text.
        lead: HTML below the title.
        sections: Heading (plain text) and HTML of every section.
    """
    body = ''.join(f'<section><h2>{html.escape(heading)}</h2>\n{content}</section>\n' for heading, content in sections)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{html.escape(title)}</title>\n<style>{STYLE}</style></head>\n'
        f'<body><main><h1>{html.escape(title)}</h1>\n{lead}\n{body}</main></body></html>\n'
    )


def write_page(path: str | Path, text: str) -> None:
    """Write a page; readers see the old file or the new one, never half of it.

    Raises:
        InputError: The file cannot be written.
    """
    path = Path(path)
    partial = path.with_name(f'.{path.name}.partial-{os.getpid()}')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding='utf-8')
        partial.replace(path)
    except OSError as error:
        raise InputError(f'{path}: cannot be written ({error.strerror}); choose another place') from error
    finally:
        if partial.is_file():
            partial.unlink()
