"""The page of a false-negative audit as a section of another page."""

from html.parser import HTMLParser
from pathlib import Path

from projects.false.common.errors import InputError
from projects.false.reports.page import POLICY


def audit_section(folder: Path) -> str:
    """Read ``audit.html`` of ``tools/analysis_tools/audit_false_negatives.py`` as HTML for a section.

    Its title becomes a paragraph, and its other headings move one level down.

    Args:
        folder: ``--out`` of the audit.

    Raises:
        InputError: The file cannot be read, or is not a page of this project.
    """
    path = folder / 'audit.html'
    try:
        text = path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f'--audit {folder}: {path} is not readable ({error}); give the --out of an audit') from error
    parser = _PageParser()
    parser.feed(text)
    parser.close()
    if parser.policy != POLICY or not parser.complete:
        raise InputError(f'{path}: is not a page of this project; run the audit again')
    return f'<p>{"".join(parser.title)}</p>{"".join(parser.body).lstrip()}'


class _PageParser(HTMLParser):
    """Splits a page of this project into title and body, and moves the headings of the body one level down.

    Attributes:
        title: Pieces of the content of ``<h1>``.
        body: Pieces of HTML of the rest of ``<main>``.
        policy: Content security policy of the page; None without one.
        complete: True once ``</main>`` was read.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.title: list[str] = []
        self.body: list[str] = []
        self.policy: str | None = None
        self.complete = False
        self._pieces: list[str] | None = None  # where to copy to; None outside of <main>

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Copy a start tag."""
        if tag == 'meta' and ('http-equiv', 'Content-Security-Policy') in attrs:
            self.policy = dict(attrs).get('content')
        elif tag == 'main':
            self._pieces = self.body
        elif tag == 'h1' and self._pieces is not None:
            self._pieces = self.title
        else:
            source = self.get_starttag_text() or ''
            self._copy(f'<{_one_level_down(tag)}{source[1 + len(tag) :]}')

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Copy an element that closes itself, as in SVG."""
        self._copy(self.get_starttag_text() or '')

    def handle_endtag(self, tag: str) -> None:
        """Copy an end tag."""
        if tag == 'main':
            self._pieces, self.complete = None, True
        elif tag == 'h1' and self._pieces is not None:
            self._pieces = self.body
        else:
            self._copy(f'</{_one_level_down(tag)}>')

    def handle_data(self, data: str) -> None:
        """Copy text."""
        self._copy(data)

    def handle_entityref(self, name: str) -> None:
        """Copy a character given by name."""
        self._copy(f'&{name};')

    def handle_charref(self, name: str) -> None:
        """Copy a character given by number."""
        self._copy(f'&#{name};')

    def _copy(self, text: str) -> None:
        if self._pieces is not None:
            self._pieces.append(text)


def _one_level_down(tag: str) -> str:
    return {'h2': 'h3', 'h3': 'h4'}.get(tag, tag)
