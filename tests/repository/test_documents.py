"""What the documents point at is there: links, headings, files, modules, packages."""

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


def test_the_readme_lists_the_packages_that_there_are():
    readme = (ROOT / 'README.md').read_text()
    listed = re.findall(r'^ {6}(\w+)/ ', readme.split('## Where things are')[1], re.MULTILINE)
    there = [path.parent.name for path in (ROOT / 'projects' / 'false').glob('*/__init__.py')]
    assert sorted(listed) == sorted(there)


@pytest.mark.parametrize('document', DOCUMENTS, ids=names(DOCUMENTS))
def test_benchmarks_that_are_named_exist(document):
    modules = set(re.findall(r'python -m (benchmarks\.\w+)', document.read_text()))
    assert [name for name in sorted(modules) if not (ROOT / f'{name.replace(".", "/")}.py').exists()] == []
