"""Git, by plumbing: the commit that code stands at, and commits on a branch of data that touch nothing else.

Reads and writes the repository of a folder through the `git` command. Working tree, index and current branch stay as they
are. Refuses to move a branch that is checked out.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from groundswell.errors import VersionError

IDENTITY = {"NAME": "groundswell", "EMAIL": "groundswell@localhost"}
"""Who commits data where git knows nobody."""


def is_checkout(folder: Path) -> bool:
    """Whether ``folder`` lies in a git checkout that git itself is ready to work in."""
    try:
        return _run(folder, "rev-parse", "--is-inside-work-tree").strip() == "true"
    except VersionError:
        return False


def standing(folder: Path) -> tuple[str, bool]:
    """(the commit that ``folder`` stands at, whether tracked files differ from it); ("unknown", False) outside a repository."""
    try:
        commit = _run(folder, "rev-parse", "--verify", "--quiet", "HEAD", may_fail=True).strip()
        return commit or "unknown", bool(commit and _run(folder, "status", "--porcelain", "--untracked-files=no", may_fail=True).strip())
    except VersionError:
        return "unknown", False


def record(folder: Path, branch: str, files: Mapping[str, bytes], message: str, *, gone: Iterable[str] = ()) -> str:
    """Commit ``files`` (path relative to ``folder`` → content) on ``branch``; what else the branch holds stays, but ``gone``.

    Returns the branch's commit; no new one is made where nothing changed. `VersionError` when the branch is checked out
    or somebody else moved it meanwhile.
    """
    reference = f"refs/heads/{branch}"
    if _run(folder, "symbolic-ref", "--quiet", "HEAD", may_fail=True).strip() == reference:
        raise VersionError(f"branch {branch} is checked out in {folder}: it is written by seal alone; check out another one")
    tip = _run(folder, "rev-parse", "--verify", "--quiet", reference, may_fail=True).strip()
    tree = _tree(folder, tip, files, gone)
    if tip and tree == _run(folder, "rev-parse", f"{tip}^{{tree}}").strip():
        return tip
    parents = ["-p", tip] if tip else []
    commit = _run(folder, "commit-tree", tree, *parents, stdin=message.encode(), env=_identity(folder)).strip()
    _run(folder, "update-ref", "-m", "groundswell seal", reference, commit, tip or "0" * len(commit))
    return commit


def _tree(folder: Path, tip: str, files: Mapping[str, bytes], gone: Iterable[str]) -> str:
    prefix = _run(folder, "rev-parse", "--show-prefix").strip()
    with tempfile.TemporaryDirectory(prefix="groundswell-index-") as box:
        env = {"GIT_INDEX_FILE": str(Path(box, "index"))}
        _run(folder, "read-tree", *([tip] if tip else ["--empty"]), env=env)
        lines = [f"0 {'0' * 40}\t{prefix}{path}\n" for path in gone]
        for path, content in sorted(files.items()):
            blob = _run(folder, "hash-object", "-w", "--stdin", stdin=content).strip()
            lines.append(f"100644 {blob}\t{prefix}{path}\n")
        _run(folder, "update-index", "--index-info", stdin="".join(lines).encode(), env=env)
        return _run(folder, "write-tree", env=env).strip()


def _identity(folder: Path) -> dict[str, str]:
    known = _run(folder, "config", "user.email", may_fail=True).strip() or os.environ.get("GIT_AUTHOR_EMAIL")
    return {} if known else {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in IDENTITY.items()}


def _run(folder: Path, *arguments: str, stdin: bytes = b"", env: dict[str, str] | None = None, may_fail: bool = False) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, env={**os.environ, **(env or {})}, input=stdin, capture_output=True, check=False)
    except OSError as error:
        raise VersionError(f"git can't be run ({error}): install it, or work without a branch of data") from None
    if done.returncode and not may_fail:
        raise VersionError(f"git {arguments[0]} in {folder}: {done.stderr.decode(errors='replace').strip()}")
    return "" if done.returncode else done.stdout.decode()
