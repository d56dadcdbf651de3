"""Parse a page."""

from html.parser import HTMLParser

VOID = {'meta', 'img', 'br', 'wbr', 'path', 'circle', 'rect'}


class Elements(HTMLParser):
    """Collects elements, and fails where tags do not nest."""

    def __init__(self):
        super().__init__()
        self.open, self.found = [], []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def elements(text: str) -> list[tuple[str, dict]]:
    """All elements of a page with their attributes."""
    parser = Elements()
    parser.feed(text)
    parser.close()
    assert parser.open == []
    return parser.found
