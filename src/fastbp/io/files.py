"""`write_file`: how fastbp writes files, all of one or nothing, wherever the path leads."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from .._printable import printable

Content = str | bytes | bytearray | Callable[[BinaryIO], object]

MAX_LINKS = 40  # symbolic links that lead from one to the next, as many as Linux follows
BINARY = getattr(os, "O_BINARY", 0)  # Windows would otherwise write line feeds as two bytes
WRITE = os.O_WRONLY | BINARY | getattr(os, "O_NOCTTY", 0)
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY
# What refuses to replace a file; EINVAL where its owner is unknown in a container.
NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EINVAL)
REASONS = {
    errno.ELOOP: "its symbolic links lead round in a circle",
    errno.EISDIR: "it is a folder; add the name of a file",
    errno.ENXIO: "it is a socket, or a device that is not there",
}


def write_file(path: Any, content: Content) -> Path:
    """Write a file and return its path.

    A file that is there is replaced at once, by one that is complete: a reader sees the old
    content or the new, and an error or Ctrl-C leaves the old one. It keeps its mode and owner; hard
    links to it keep the old content. Symbolic links are followed, and stay links. What is not a
    regular file (a device, a named pipe, ``/dev/stdout``) is written to and stays what it is.

    Where a file may be written but not replaced, because nothing may be added to its folder or it
    belongs to another user, it is written over in place; a disk that is full still leaves the old
    content, but a crash meanwhile does not.

    Parameters
    ----------
    path : str, bytes or path-like
    content : str, bytes, bytearray or callable
        Text is written as UTF-8. A callable is given a binary file to write to.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    OSError
        If it cannot be written there, such as FileNotFoundError where there is no such folder.
    ValueError
        If no file can have this path.
    """
    name = checked_path(path)
    data = _as_bytes(content)
    with _named_errors(name):
        _write(name, data)
    return Path(name)


def checked_path(path: Any) -> str:
    """Return a path as text; refuse one where no file can be written.

    Raises
    ------
    OSError, ValueError
        As `write_file` does.
    """
    name = os.fsdecode(path)
    if not name:
        raise FileNotFoundError(errno.ENOENT, "cannot write a file: its path is empty")
    try:
        is_impossible = b"\0" in os.fsencode(name)
    except UnicodeEncodeError:
        is_impossible = True
    if is_impossible:
        raise ValueError(f"cannot write {printable(name)}: no file can have this name")
    with _named_errors(name):
        _check_place(name)
    return name


def check_writable(path: Any) -> None:
    """Refuse a path where writing would fail, as far as can be seen without writing.

    Raises
    ------
    OSError, ValueError
        As `write_file` does.
    """
    name = checked_path(path)
    there = name if os.path.exists(name) else os.path.dirname(_behind_links(name)) or os.curdir
    with _named_errors(name):
        if not os.access(there, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def open_at_once(name: str, flags: int) -> int:
    """Open a file; a named pipe too, rather than wait for somebody at its other end."""
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))


def is_regular_file(path: Any) -> bool:
    """Return whether a path leads to a file that is replaced, or can be opened, by this path."""
    return os.path.isfile(path) and _own_descriptor(os.fsdecode(path)) is None


def is_same_file(path: Any, other: Any) -> bool:
    """Return whether two paths lead to one file, which need not exist."""
    if os.path.exists(path) and os.path.exists(other):
        return os.path.samefile(path, other)
    return os.path.realpath(os.fsdecode(path)) == os.path.realpath(os.fsdecode(other))


def _check_place(name: str) -> None:
    if os.path.isdir(name) or name.endswith((os.sep, os.altsep or os.sep)):
        raise IsADirectoryError(errno.EISDIR, "")
    try:
        mode = os.stat(name).st_mode
    except (FileNotFoundError, NotADirectoryError):
        folder = os.path.dirname(_behind_links(name))
        if not os.path.isdir(folder or os.curdir):
            what = f"there is no folder {printable(folder)}. Make it first, or choose another path"
            raise FileNotFoundError(errno.ENOENT, what) from None
    else:
        if stat.S_ISSOCK(mode):
            raise OSError(errno.ENXIO, "")


@contextlib.contextmanager
def _named_errors(name: str) -> Iterator[None]:
    """Let errors of the operating system say which file could not be written."""
    try:
        yield
    except OSError as error:
        reason = REASONS.get(error.errno or 0, error.strerror or str(error))
        raise OSError(error.errno, f"cannot write {printable(name)}: {reason}") from error


def _as_bytes(content: Content) -> memoryview:
    """Return what is to be written, complete before any file is touched."""
    if isinstance(content, str):  # half a surrogate pair, of a name that is no text, is escaped
        content = content.encode("utf-8", "backslashreplace")
    if isinstance(content, (bytes, bytearray)):
        return memoryview(content)
    file = io.BytesIO()
    content(file)
    return file.getbuffer()


def _write(name: str, data: memoryview) -> None:
    """Write to what is not a regular file; else replace it, or write over it if need be."""
    number = _own_descriptor(name)
    try:
        file = os.open(name, WRITE) if number is None else os.dup(number)
    except FileNotFoundError:
        return _replace(_behind_links(name), data, None)
    with _closing(file):
        status = os.fstat(file)
        if number is not None or not stat.S_ISREG(status.st_mode):
            return _write_all(file, data)
    target = _behind_links(name)
    try:
        return _replace(target, data, status)  # the file is closed: else Windows would refuse
    except OSError as error:
        if error.errno not in NOT_ALLOWED:
            raise
    return _write_over(target, data)


def _replace(target: str, data: memoryview, status: os.stat_result | None) -> None:
    """Write a file beside the target, and rename it to it."""
    part = os.path.join(os.path.dirname(target), f".fastbp-{secrets.token_hex(8)}.part")
    try:
        # A new file has the mode that the umask or the folder's default gives it; one that takes
        # the place of another is private until it has the mode of that one.
        with _closing(os.open(part, CREATE, 0o666 if status is None else 0o600)) as file:
            _write_all(file, data)
            os.fsync(file)  # a disk that is full may say so only now
        if status is not None:
            _take_over(part, target, status)
        os.replace(part, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise


def _take_over(part: str, target: str, status: os.stat_result) -> None:
    """Give a file the owner, mode and access rights of another."""
    made = os.stat(part)
    if (made.st_uid, made.st_gid) != (status.st_uid, status.st_gid):
        os.chown(part, status.st_uid, status.st_gid)
    shutil.copystat(target, part)
    os.utime(part)


def _write_over(target: str, data: memoryview) -> None:
    """Write over a regular file in place.

    First what goes beyond its old end, which is all that needs room on the disk.
    """
    with _closing(os.open(target, WRITE)) as file:
        end = os.fstat(file).st_size
        try:
            os.lseek(file, end, os.SEEK_SET)
            _write_all(file, data[end:])
            os.fsync(file)
        except BaseException:
            os.ftruncate(file, end)
            raise
        os.lseek(file, 0, os.SEEK_SET)
        _write_all(file, data[:end])
        os.ftruncate(file, len(data))
        os.fsync(file)


def _write_all(file: int, data: memoryview) -> None:
    while data:
        data = data[os.write(file, data) :]


@contextlib.contextmanager
def _closing(file: int) -> Iterator[int]:
    try:
        yield file
    finally:
        os.close(file)


def _hops(path: str) -> Iterator[str]:
    """Yield a path, and the paths that its symbolic links lead to; the last may not exist."""
    for _ in range(MAX_LINKS):
        yield path
        if not os.path.islink(path):
            return
        path = os.path.join(os.path.dirname(path), os.readlink(path))
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _behind_links(path: str) -> str:
    """Return the path that symbolic links lead to in the end, which need not exist."""
    *_, last = _hops(path)
    return last


def _own_descriptor(path: str) -> int | None:
    """Return the number of this process's open file that a path such as /dev/stdout stands for.

    Opened by that path, a regular file would be written over from its start, or replaced while
    others write on to the old one.
    """
    if os.name != "posix":
        return None
    for hop in _hops(path):
        of_self = re.fullmatch(
            rf"/dev/fd/(\d+)|/proc/(?:self|thread-self|{os.getpid()})(?:/task/\d+)?/fd/(\d+)",
            os.path.abspath(hop),
        )
        if of_self:
            return int(of_self[1] or of_self[2])
    return None
