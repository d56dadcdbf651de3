"""One HTML file that needs nothing beside it."""

import html
import os
from collections.abc import Sequence
from pathlib import Path

from projects.false.errors import InputError

from .style import STYLE

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
