"""Settings of the site that `make docs` builds: the pages of docs/, and the API reference from the docstrings."""

import os
import re
import sys
from pathlib import Path

from docutils import nodes
from latex2mathml.converter import convert

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))

from projects.false import __version__  # noqa: E402

project = 'false-rs'
author = 'The false-rs contributors'
copyright = 'the false-rs contributors'
release = version = __version__
html_title = f'FALSE for OpenMMLab {release}'

extensions = [
    'myst_parser',
    'sphinx.ext.autodoc',
    'sphinx.ext.napoleon',
    'sphinx.ext.viewcode',
    'sphinx_copybutton',
]
exclude_patterns = ['_build', 'README.md']  # docs/README.md is shown as pages.md

# Markdown as code hosts show it: headings are targets, $...$ is a formula, ```math a displayed one.
myst_heading_anchors = 4
myst_enable_extensions = ['colon_fence', 'dollarmath']
myst_fence_as_directive = ['math']

autodoc_default_options = {'members': True}
autodoc_inherit_docstrings = False  # what mmengine and PyTorch say of their methods is theirs
autodoc_member_order = 'bysource'
add_module_names = False
autodoc_typehints = 'description'
autodoc_typehints_description_target = 'documented'
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = ['Shape']
python_use_unqualified_type_names = True
suppress_warnings = ['ref.python']  # a word such as `low` in a Returns section is an attribute of two classes

html_theme = 'furo'
html_math_renderer = 'mathml'
html_static_path = ['_static']
html_css_files = ['site.css']
html_show_sphinx = False
html_copy_source = False

# Pages of the site whose text stands elsewhere in the repository.
SHOWN = {
    'index': ROOT / 'README.md',
    'pages': HERE / 'README.md',
    'data': ROOT / 'data' / 'README.md',
    'openmmlab': ROOT / 'projects' / 'false' / 'README.md',
    'contributing': ROOT / 'CONTRIBUTING.md',
    'changelog': ROOT / 'CHANGELOG.md',
}
PAGES = {file: f'{page}.md' for page, file in SHOWN.items()}
LINK = re.compile(r'(?<=\]\()([^)\s#:]+)')


def show_files_of_the_repository(app, docname, source):
    """Put the text of ``SHOWN`` above that of the page, and let links lead to pages of the site."""
    page = Path(app.env.doc2path(docname))
    if page.suffix != '.md':
        return
    home, text = page, source[0]
    if docname in SHOWN:
        home = SHOWN[docname]
        app.env.note_dependency(str(home), docname=docname)
        text = f'{home.read_text()}\n{text}'

    def on_the_site(link):
        file = (home.parent / link[0]).resolve()
        return PAGES.get(file, os.path.relpath(file, page.parent)) if file.exists() else link[0]

    source[0] = LINK.sub(on_the_site, text)


def write_api_pages(app):
    """Make one page per package in api/generated, with a section per module; packages inside it get pages below."""
    folder = HERE / 'api' / 'generated'
    folder.mkdir(parents=True, exist_ok=True)
    source = ROOT / 'projects' / 'false'
    pages = {}
    for init in sorted(source.rglob('__init__.py')):
        package = init.parent
        name = '.'.join(package.relative_to(source).parts)
        if not name:
            continue
        modules = sorted(
            path.stem
            for path in package.glob('*.py')
            if not path.stem.startswith('_') and not path.read_text().startswith('"""Moved to ')
        )
        inside = sorted(path.parent.name for path in package.glob('*/__init__.py'))
        parts = [f'{name}\n{"=" * len(name)}', f'.. automodule:: projects.false.{name}\n   :no-members:']
        if inside:
            parts.append('.. toctree::\n   :maxdepth: 1\n\n' + '\n'.join(f'   {name}.{one}' for one in inside))
        for module in modules:
            parts.append(f'{module}\n{"-" * len(module)}\n\n.. automodule:: projects.false.{name}.{module}')
        pages[folder / f'{name}.rst'] = '\n\n'.join(parts) + '\n'
    for path in set(folder.glob('*.rst')) - set(pages):
        path.unlink()
    for path, text in pages.items():
        if not path.exists() or path.read_text() != text:  # an unchanged page need not be read again
            path.write_text(text)


def take_signs_as_they_are(app, what, name, thing, options, lines):
    """Docstrings write |x| and *args outside of literals: no substitution and no emphasis."""
    for number, line in enumerate(lines):
        parts = line.split('``')
        parts[::2] = [re.sub(r'[|*]', r'\\\g<0>', part) for part in parts[::2]]
        lines[number] = '``'.join(parts)


def leave_out_field_numbers(app, what, name, thing, skip, options):
    """Fields of a named tuple are told by its Attributes; Python's own text says no more than their number."""
    return True if (getattr(thing, '__doc__', None) or '').startswith('Alias for field number') else None


def visit_formula(translator, node):
    """Write a formula as MathML: browsers show it without a script or a font from elsewhere."""
    display = 'block' if isinstance(node, nodes.math_block) else 'inline'
    translator.body.append(convert(node.astext(), display=display))
    raise nodes.SkipNode


def setup(app):
    app.connect('builder-inited', write_api_pages)
    app.connect('autodoc-process-docstring', take_signs_as_they_are, priority=400)  # before napoleon
    app.connect('autodoc-skip-member', leave_out_field_numbers)
    app.connect('source-read', show_files_of_the_repository)
    app.add_html_math_renderer('mathml', (visit_formula, None), (visit_formula, None))
