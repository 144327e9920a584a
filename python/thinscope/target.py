"""Where something is written to: a path or a binary file object, but never the source."""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from thinscope.errors import ThinscopeError
from thinscope.source import Identity

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

__all__ = ["NewFile", "Target", "created", "refuse_records", "write_all"]

NewFile: TypeAlias = tuple[str, tuple[int, int, int] | None]
"""A file to be made, with mode, owner and group of the file that it is to replace."""

_STDOUT = 1
_PERMISSIONS = 0o777
_ANYBODY, _OWNER = 0o666, 0o600
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
"""What file systems say that have one name for each file."""

_LIVE_FOLDERS = ("/dev/", "/proc/")
"""Names there stand for what is open or attached: nothing is put in their place."""


class Target:
    """Gives the core something to write to, and a path its new file when all is written.

    A context manager: it yields what to write to, None for stdout. When the block is left with an
    error, a path has what it had before, unless it had to be written in place.
    """

    def __init__(
        self,
        target: str | os.PathLike[str] | BinaryIO,
        *,
        source: object,
        opened: Identity | None,
        overwrite: bool = True,
        kept: Iterable[tuple[object, str]] = (),
    ) -> None:
        """Take what the caller named.

        Args:
            target: A path or a binary file object.
            source: What is read, which is not to be written.
            opened: The identity that it had when it was opened.
            overwrite: Whether a file with something in it, or a block device, may be written over.
            kept: What else is not to be written, each with what it is.

        Raises:
            TypeError: It is neither.
        """
        self._target = target
        self._path = os.fspath(target) if isinstance(target, (str, os.PathLike)) else None
        if self._path is None and not callable(getattr(target, "write", None)):
            kind = type(target).__name__
            raise TypeError(f"a target is a path or a binary file object, not {kind}")
        self._source = source
        self._never = opened.and_what_is_below() if opened else frozenset()
        self._overwrite = overwrite
        self._kept = tuple(kept)
        self._in_place: BinaryIO | None = None
        self._new: str | None = None
        self._is_there = False
        self._final = ""

    def __enter__(self) -> NewFile | BinaryIO | None:
        """Open it, or choose the name of a new file beside it.

        Raises:
            OSError: It cannot be written, or is the source; `FileExistsError` where it is there
                and may not be written over.
        """
        if self._target is self._source or Identity.of(self._target) in self._never:
            raise OSError(errno.EINVAL, "it is the source, which is never written to", self._path)
        for kept, what in self._kept:
            own = Identity.of(kept)
            if self._target is kept or (
                own and Identity.of(self._target) in own.and_what_is_below()
            ):
                raise OSError(errno.EINVAL, f"it is {what}, which is never written to", self._path)
        if self._path is None:
            return self._object()
        try:
            there = os.stat(self._path)  # noqa: PTH116 - any path
        except FileNotFoundError:
            if self._path.endswith("/"):
                raise IsADirectoryError(errno.EISDIR, "Is a directory", self._path) from None
            there = None
        if there and not self._overwrite and _holds_something(there):
            raise FileExistsError(errno.EEXIST, "File exists", self._path)
        self._final = os.path.realpath(self._path)
        folder = os.path.dirname(self._final)  # noqa: PTH120 - realpath is text
        if there and not self._can_be_replaced(there, folder):
            # What it holds goes when something is written, which may never come.
            self._in_place = open(self._path, "wb", buffering=0, opener=_opened_whole)
            return self._in_place
        self._new = os.path.join(folder, f".thinscope-{os.urandom(8).hex()}")  # noqa: PTH118
        self._is_there = there is not None
        like = (there.st_mode & _PERMISSIONS, there.st_uid, there.st_gid) if there else None
        return self._new, like

    def _object(self) -> BinaryIO | None:
        """Return the file object, or None where it is stdout: that is written to straight."""
        if self._target is getattr(sys.stdout, "buffer", None):
            with suppress(OSError, AttributeError):  # a stdout that is no file, as in a test
                if sys.stdout.fileno() == _STDOUT:
                    sys.stdout.flush()
                    return None
        return self._target  # type: ignore[return-value] # a path does not come here

    def _can_be_replaced(self, there: os.stat_result, folder: str) -> bool:
        """Whether a new file can take the place.

        That is: of an ordinary file with one name that may be written, in a folder where files
        can be made.
        """
        absolute = os.path.abspath(self._path or "")  # noqa: PTH100 - as it is named
        return (
            stat.S_ISREG(there.st_mode)
            and there.st_nlink == 1
            and not absolute.startswith(_LIVE_FOLDERS)
            and os.access(self._final, os.W_OK)
            and os.access(folder, os.W_OK | os.X_OK)
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Put the new file in its place, or take it away."""
        try:
            if self._in_place is not None:
                with self._in_place as file:
                    _cut(file, even_to_nothing=error is None)
            if self._new is not None and error is None:
                self._put_in_place(self._new)
        except OSError as failure:
            raise OSError(failure.errno, failure.strerror, self._path) from failure
        finally:
            if self._new is not None:
                with suppress(FileNotFoundError):
                    os.unlink(self._new)  # noqa: PTH108 - as above
        if isinstance(error, OSError) and not isinstance(error, ThinscopeError):
            self._name(error)

    def _put_in_place(self, new: str) -> None:
        """Give the new file its name.

        Raises:
            OSError: `FileExistsError` where somebody put something there meanwhile, and it may not
                be written over.
        """
        if not self._overwrite:
            if not self._is_there:
                try:
                    os.link(new, self._final)  # fails where anything is there
                except OSError as error:
                    if error.errno not in _NO_LINKS:
                        raise
                else:
                    return
            with suppress(FileNotFoundError):
                if _holds_something(os.stat(self._final)):  # noqa: PTH116 - as above
                    raise FileExistsError(errno.EEXIST, "File exists", self._path)
        try:
            os.replace(new, self._final)  # noqa: PTH105 - as above
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            import shutil  # noqa: PLC0415 - seldom, and it takes long to load

            shutil.copyfile(new, self._final)  # something is mounted on it

    def _name(self, error: OSError) -> None:
        """Say what the caller called it, not the new file beside it."""
        is_nameless = error.filename is None and (self._in_place or self._new)
        if is_nameless or error.filename == self._new:
            error.filename = self._path


def created(new: NewFile) -> BinaryIO:
    """Make a file of its own, which nobody else has put there, to be written and read.

    Raises:
        OSError: It cannot be made.
    """
    path, like = new
    mode = _ANYBODY if like is None else _OWNER
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    if like is not None:
        mode, owner, group = like
        with suppress(OSError):  # who may not give files away keeps them
            os.fchown(file, owner, group)
        os.fchmod(file, mode)
    return os.fdopen(file, "r+b", buffering=0)


def write_all(file: BinaryIO, data: bytes) -> None:
    """Write all bytes; a raw file may take less at a time.

    Raises:
        BlockingIOError: A raw file cannot take anything now.
    """
    while data:
        count: int | None = file.write(data)
        if count is None:
            # Raw files say so that they cannot take anything now; others say nothing.
            if isinstance(file, io.RawIOBase):
                raise BlockingIOError(errno.EAGAIN, "write() would have to wait")
            return
        if not 0 < count <= len(data):
            raise ValueError(f"write() of {len(data)} bytes took {count}")
        data = data[count:]


def refuse_records(
    file: str | os.PathLike[str] | BinaryIO,
    records: Iterable[str | os.PathLike[str]],
    folder: str | os.PathLike[str] | None = None,
) -> None:
    """Refuse to write over what names are taken from: a file, or one in a manager's folder.

    Args:
        file: What is to be written.
        records: Files and folders that names are taken from, ``PATH#POOL`` as well.
        folder: One more, which may be a folder.

    Raises:
        OSError: It is one of them, or in one.
    """
    own = Identity.of(file)
    if own is None:
        return
    from pathlib import Path  # noqa: PLC0415 - a dump to stdout asks nothing of it

    path = os.fspath(file) if isinstance(file, (str, os.PathLike)) else None
    folders = Path(os.path.realpath(path)).parents if path is not None else ()
    texts = [os.fspath(each) for each in records]
    taken = {Identity.of(text) for text in (*texts, *(text.rpartition("#")[0] for text in texts))}
    if own in taken:
        raise OSError(errno.EINVAL, "names are taken from it", path)
    if folder is not None:
        taken.add(Identity.of(folder))
    if not taken.isdisjoint(map(Identity.of, folders)):
        raise OSError(errno.EINVAL, "names are taken from the folder that it is in", path)


def _opened_whole(path: str, flags: int) -> int:
    return os.open(path, flags & ~os.O_TRUNC)


def _cut(file: BinaryIO, *, even_to_nothing: bool) -> None:
    """Take away what a file held behind what was written; all of it if nothing was to be."""
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode) and (file.tell() or even_to_nothing):
        file.truncate()


def _holds_something(there: os.stat_result) -> bool:
    return stat.S_ISBLK(there.st_mode) or (stat.S_ISREG(there.st_mode) and there.st_size > 0)
