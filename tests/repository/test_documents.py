"""Links, headings, files, modules and packages that the documents name exist."""

import re

import pytest

from tests.helpers.tools import REPOSITORY

ROOT = REPOSITORY
DOCUMENTS = sorted(
    path
    for pattern in ('*.md', 'docs/*.md', 'data/*.md', 'projects/false/*.md', 'configs/*.md')
    for path in ROOT.glob(pattern)
)
FILE = re.compile(
    r'(?<![\w/.{}-])(?:tools|tests|configs|benchmarks|projects|docs)/[\w./-]+\.(?:py|sh|md|json|yml|cfg)\b'
)


def prose(path):
    """The text without blocks of code."""
    return re.sub(r'^( *)```.*?^\1```', '', path.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(path):
    """Names that GitHub gives the headings of a document."""
    headings = re.findall(r'^#+ (.+)$', prose(path), re.MULTILINE)
    return {re.sub(r'[^\w -]', '', heading.lower()).replace(' ', '-') for heading in headings}


def names(documents):
    return [str(path.relative_to(ROOT)) for path in documents]


@pytest.mark.parametrize('document', DOCUMENTS, ids=names(DOCUMENTS))
def test_links_lead_to_files_and_headings(document):
    lost = []
    for target in re.findall(r'\]\(([^)\s]+)\)', prose(document)):
        if re.match(r'(https?|mailto):', target):
            continue
        file, _, heading = target.partition('#')
        there = (document.parent / file).resolve() if file else document
        if not there.exists() or (heading and heading not in anchors(there)):
            lost.append(target)
    assert lost == []


@pytest.mark.parametrize('document', DOCUMENTS, ids=names(DOCUMENTS))
def test_files_named_in_text_and_commands_exist(document):
    files = set(FILE.findall(document.read_text())) - {'configs/mine.py'}  # the reader's own
    assert [file for file in sorted(files) if not (ROOT / file).exists()] == []


def test_the_existing_packages_are_listed():
    text = (ROOT / 'CONTRIBUTING.md').read_text()
    listed = re.findall(r'^ {4}(\w+)/ ', text.split('## The packages of projects/false')[1], re.MULTILINE)
    there = [path.parent.name for path in (ROOT / 'projects' / 'false').glob('*/__init__.py')]
    assert sorted(listed) == sorted(there)


@pytest.mark.parametrize('document', DOCUMENTS, ids=names(DOCUMENTS))
def test_benchmarks_that_are_named_exist(document):
    modules = set(re.findall(r'python -m (benchmarks\.\w+)', document.read_text()))
    assert [name for name in sorted(modules) if not (ROOT / f'{name.replace(".", "/")}.py').exists()] == []


def toctree(page, seen=()):
    """The pages that the site reaches from a page."""
    found = {page, *seen}
    for block in re.findall(r'```\{toctree\}\n(.*?)```', page.read_text(), re.DOTALL):
        for entry in re.findall(r'^(?![:\n])(?!generated/)(?:.*<)?([\w/-]+)>?$', block, re.MULTILINE):
            below = page.parent / f'{entry}.md'
            assert below.exists(), f'{page.name} names {entry}'
            if below not in found:
                found |= toctree(below, found)
    return found


def test_the_site_reaches_every_page():
    """README.md of docs/ is for readers of the folder; the site shows it as pages.md."""
    pages = {page for page in (ROOT / 'docs').rglob('*.md') if '_build' not in page.parts}
    assert pages - toctree(ROOT / 'docs' / 'index.md') == {ROOT / 'docs' / 'README.md'}


def test_the_list_of_documents_names_every_page():
    """docs/README.md has each page, or the file that the page shows."""
    listed = (ROOT / 'docs' / 'README.md').read_text()
    shown = dict(re.findall(r"'(\w+)': (?:ROOT|HERE)( / .+),", (ROOT / 'docs' / 'conf.py').read_text()))
    assert {'index', 'pages', 'data'} <= shown.keys()
    own = [page.name for page in (ROOT / 'docs').glob('*.md') if page.stem not in {'README', *shown}]
    assert [name for name in own if f']({name})' not in listed] == []


def test_the_readme_is_short():
    assert len((ROOT / 'README.md').read_bytes()) <= 10_000


def test_the_version_stands_in_one_place():
    version = re.search(r"^__version__ = '([\d.]+)'$", (ROOT / 'projects/false/__init__.py').read_text(), re.M)[1]
    assert f'\nversion: {version}\n' in (ROOT / 'CITATION.cff').read_text()
    assert re.search(r'^## \[(.+?)\]', (ROOT / 'CHANGELOG.md').read_text(), re.M)[1] in (version, 'Unreleased')
    assert 'attr = "projects.false.__version__"' in (ROOT / 'pyproject.toml').read_text()
