"""A folder in which a backend author works, and an environment with a host in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import scverse_backends


class Workshop:
    """Runs commands as their user does. ``site`` is where distributions are installed, as pip unpacks them."""

    def __init__(self, site, path):
        self.site = site
        self.path = path
        self.path.mkdir()

    def run(self, *command, folder=None, code=0):
        """Run a module in a fresh interpreter, and return what it prints."""
        library = Path(scverse_backends.__file__).parents[1]
        result = subprocess.run(
            [sys.executable, "-m", *command],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.path if folder is None else folder,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(self.site.path), str(library)]),
                # Tests change modules within one tick of a file system's clock, which byte code would not notice.
                "PYTHONDONTWRITEBYTECODE": "1",
            },
        )
        assert result.returncode == code, result.stdout + result.stderr
        return result.stdout + result.stderr

    def command(self, *arguments, **options):
        """Run a command of ours."""
        return self.run("scverse_backends", *arguments, **options)

    def test(self, folder, code=0):
        """Run the tests of a package."""
        return self.run("pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", folder=folder, code=code)

    def install(self, folder, *, editable=False):
        """Install a package from what its project file says."""
        project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
        for file in sorted((folder / "src").rglob("*.py")):
            target = self.site.path / file.relative_to(folder / "src")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(file.read_text())
        groups = [
            "\n".join([f"[{group}]", *(f"{name} = {reference}" for name, reference in points.items())])
            for group, points in project.get("entry-points", {}).items()
        ]
        self.site.install(project["name"], version=project["version"], entry_points="\n".join(groups) + "\n")
        if editable:
            origin = {"url": folder.as_uri(), "dir_info": {"editable": True}}
            information = f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
            (self.site.path / information / "direct_url.json").write_text(json.dumps(origin))
