"""What pyproject.toml cannot say: a wheel also carries recipes, tools and their index, where mim looks for them."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

# mim takes the first folder of the installed files for the root of a distribution; this name sorts before
# false_rs-*.dist-info, which `projects` does not.
MIM = Path('false_recipes', '.mim')


class BuildWithRecipes(build_py):
    """Copy what mim needs; an editable install has it in the clone."""

    def run(self) -> None:
        """Build as usual, then copy."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / MIM
        shutil.rmtree(target, ignore_errors=True)  # of an earlier build
        for folder in ('configs', 'tools'):
            shutil.copytree(folder, target / folder, ignore=shutil.ignore_patterns('__pycache__'))
        shutil.copy('model-index.yml', target)


setup(cmdclass={'build_py': BuildWithRecipes})
