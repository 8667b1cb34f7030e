"""Files and folders that are complete or not there: written beside and renamed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from safetensors import SafetensorError

from saiki.errors import DataError

try:
    import fcntl
except ImportError:  # not on Windows: two processes are not kept apart there
    fcntl = None

#: file whose lock says that a process is writing to the folder
LOCK = ".lock"


def sha256(path: Path) -> str:
    """The SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def reason(error: Exception) -> str:
    """Why a write failed, in a few words; safetensors wraps the system's message."""
    return getattr(error, "strerror", None) or str(error)


def named(path: str | Path) -> Path:
    """The path, by the folder's own name where it is written as `.` or `..`; DataError for the root, which has none."""
    found = Path(path)
    if found.name in ("", ".."):
        found = Path(os.path.abspath(found))
    if not found.name:
        raise DataError(f"{path} is the root of the disk; expected a folder in it, such as {found / 'model'}")
    return found


def sync(path: Path) -> None:
    """Wait until a file, or a folder with all that stands in it, is on the disk."""
    folder = path.is_dir()
    for inner in path.iterdir() if folder else ():
        sync(inner)
    if folder and os.name != "posix":  # folders cannot be opened there
        return
    file = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _beside(path: Path, word: str) -> Path:
    path = named(path)
    return path.with_name(f".{path.name}.{word}")


def _remove(path: Path) -> None:
    """Remove a folder, or a link to one and not what it leads to."""
    if path.is_symlink():
        path.unlink()
    shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def replacing_folder(target: Path) -> Iterator[Path]:
    """A new folder to fill, which takes the place of `target` at the end, or leaves no trace if that fails.

    The old folder is moved aside first; `recover_folder` brings it back after a crash between the two moves.
    """
    target = named(target)
    part, old = _beside(target, f"part-{os.getpid()}"), _beside(target, "old")
    try:
        part.mkdir(parents=True)
        yield part
        sync(part)
        if target.exists():
            _remove(old)
            target.rename(old)
        part.rename(target)
        _remove(old)
    except (OSError, SafetensorError) as error:
        raise DataError(f"cannot write {target}: {reason(error)}; make room or choose another place") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextlib.contextmanager
def replacing_file(target: Path, *also: type[Exception]) -> Iterator[Path]:
    """A place beside `target` to write to; what is written there takes its place at the end, or leaves no trace if that fails.

    DataError for whatever the system says, and for errors of the kinds `also`.
    """
    part = _beside(Path(target), f"{os.getpid()}.part")
    try:
        yield part
        sync(part)
        part.replace(target)
    except (OSError, *also) as error:
        raise DataError(
            f"{target}: could not be written ({reason(error)}), and nothing was left behind; make room or choose another place"
        ) from error
    finally:
        with contextlib.suppress(OSError):  # of a folder that cannot be written to
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def exclusive(folder: Path | None) -> Iterator[None]:
    """Hold a folder against other processes; DataError if one holds it already. The system lets go when a process dies."""
    if folder is None or fcntl is None:
        yield
        return
    held = False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOCK).open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DataError(
                    f"another process is writing to {folder}; wait for it, or choose another --out"
                ) from None
            held = True
            yield
    except OSError as error:
        raise DataError(f"cannot write to {folder}: {reason(error)}; make room or choose another place") from error
    finally:
        # without a complete checkpoint there is nothing to resume: leave no trace
        if held and all(path.name.endswith(".part") for path in folder.rglob("step-*")):
            shutil.rmtree(folder, ignore_errors=True)


def clear(folder: Path) -> None:
    """Empty a folder, but for the lock that holds it."""
    for path in folder.iterdir():
        if path.name != LOCK:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def recover_folder(target: Path) -> None:
    """Undo a replacement that was cut short between moving the old folder aside and the new one in."""
    target = named(target)
    old = _beside(target, "old")
    if old.exists() and not target.exists():
        old.rename(target)
