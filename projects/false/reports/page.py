"""A report page: one HTML file that needs no other file, for light and dark screens and for paper."""

import html
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

from projects.false.common.files import writable, write_text

# Makes the browser enforce that the page loads nothing from outside and runs no scripts.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page(title: str, lead: str, sections: Sequence[tuple[str, str]]) -> str:
    """Compose a page.

    Args:
        title: Plain text.
        lead: HTML below the title.
        sections: Heading, as plain text, and HTML per section.

    Returns:
        An HTML document.
    """
    body = ''.join(f'<section><h2>{html.escape(heading)}</h2>\n{content}</section>\n' for heading, content in sections)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{html.escape(title)}</title>\n<style>\n{style_sheet()}</style></head>\n'
        f'<body><main><h1>{html.escape(title)}</h1>\n{lead}\n{body}</main></body></html>\n'
    )


@cache
def style_sheet() -> str:
    """Return the style sheet of every page."""
    return files(__package__).joinpath('style.css').read_text(encoding='utf-8')


def write_page(path: str | Path, text: str) -> None:
    """Write a page, or keep the old one if that fails.

    Raises:
        InputError: The file cannot be written.
    """
    with writable(path, 'choose another place'):
        write_text(path, text)
