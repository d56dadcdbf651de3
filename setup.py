"""Put recipes, tools and their index into the wheel, where mim looks for them; pyproject.toml cannot say that."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

# mim takes the first folder among the installed files for the root of a distribution. This name sorts before
# ../../../bin/false-rs, the command; letters do not.
MIM = Path('+false_recipes', '.mim')


class BuildWithRecipes(build_py):
    """Build the package and copy what mim needs; an editable install finds that in the clone."""

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
