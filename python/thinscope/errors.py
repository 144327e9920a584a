"""The exceptions of thinscope: families, with the facts of the failure as attributes.

All can be pickled. Messages are one line in lower case; ``hint`` says what to do next, where
there is something to do.
"""

from __future__ import annotations

__all__ = [
    "AmbiguousName",
    "CorruptMetadata",
    "NamesError",
    "NoMetadataSnapshot",
    "NotThinMetadata",
    "SeveralPools",
    "SourceChanged",
    "SourceError",
    "SourceInUse",
    "ThinscopeError",
    "UnknownDevice",
    "UnknownRoot",
    "UnsupportedMetadata",
]


class ThinscopeError(Exception):
    """Every failure that thinscope itself tells.

    Attributes:
        message: What went wrong, in one line.
        source: The source as the caller named it, or what it is (``<bytes>``).
        hint: What to do next, or None.
    """

    _fields: tuple[str, ...] = ("message", "source", "hint")

    def __init__(self, message: str, *, source: str | None = None, hint: str | None = None) -> None:
        """Make the error from its message and the facts of its family."""
        super().__init__(message)
        self.message = message
        self.source = source
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by the fields, which are keyword-only."""
        fields = {name: getattr(self, name) for name in self._fields}
        return _rebuild, (type(self), fields)

    def __str__(self) -> str:
        """Return the message, after the source where there is one."""
        return f"{self.source}: {self.message}" if self.source else self.message


def _rebuild(kind: type[ThinscopeError], fields: dict[str, object]) -> ThinscopeError:
    message = fields.pop("message")
    return kind(message, **fields)  # type: ignore[arg-type]


class SourceError(ThinscopeError, OSError):
    """The source could not be read.

    Attributes:
        block: The metadata block (4 KiB) at which the failed read begins, or None.
        offset: The same in bytes, or None.
        errno: The system's error number, or None.
    """

    _fields = (*ThinscopeError._fields, "block", "offset", "errno")

    def __init__(
        self,
        message: str,
        *,
        source: str | None = None,
        hint: str | None = None,
        block: int | None = None,
        offset: int | None = None,
        errno: int | None = None,
    ) -> None:
        """Make the error from its message and where the read failed."""
        super().__init__(message, source=source, hint=hint)
        self.block = block
        self.offset = offset
        self.errno = errno


class SourceInUse(SourceError):
    """Another program, most likely the device mapper, holds the source."""


class SourceChanged(SourceError):
    """The pool committed while it was read, so what was read is not one state. Open it again."""


class NoMetadataSnapshot(ThinscopeError):
    """The metadata snapshot was asked for, and the pool holds none."""


class NotThinMetadata(ThinscopeError, ValueError):
    """The source holds something else.

    Attributes:
        identity: What it is instead, such as ``lvm-physical-volume``; ``unknown`` where nothing
            is recognised.
    """

    _fields = (*ThinscopeError._fields, "identity")

    def __init__(
        self,
        message: str,
        *,
        source: str | None = None,
        hint: str | None = None,
        identity: str = "unknown",
    ) -> None:
        """Make the error from its message and what the source is."""
        super().__init__(message, source=source, hint=hint)
        self.identity = identity


class UnsupportedMetadata(ThinscopeError):
    """Thin metadata of a version, or with features, that this reader does not know.

    Attributes:
        field: The superblock's field.
        expected: What is supported.
        found: What is there.
    """

    _fields = (*ThinscopeError._fields, "field", "expected", "found")

    def __init__(
        self,
        message: str,
        *,
        source: str | None = None,
        hint: str | None = None,
        field: str = "",
        expected: str = "",
        found: str = "",
    ) -> None:
        """Make the error from its message and the field."""
        super().__init__(message, source=source, hint=hint)
        self.field = field
        self.expected = expected
        self.found = found


class CorruptMetadata(ThinscopeError):
    """Thin metadata that breaks a rule of its format.

    Attributes:
        block: The metadata block that breaks it.
        offset: Where the field lies in the source, in bytes.
        structure: What the block is, such as ``mapping tree node``.
        field: The field, under its kernel name where it has one.
        expected: What the rule asks for.
        found: What is there.
    """

    _fields = (
        *ThinscopeError._fields,
        "block",
        "offset",
        "structure",
        "field",
        "expected",
        "found",
    )

    def __init__(
        self,
        message: str,
        *,
        source: str | None = None,
        hint: str | None = None,
        block: int = 0,
        offset: int = 0,
        structure: str = "",
        field: str = "",
        expected: str = "",
        found: str = "",
    ) -> None:
        """Make the error from its message and the place of the damage."""
        super().__init__(message, source=source, hint=hint)
        self.block = block
        self.offset = offset
        self.structure = structure
        self.field = field
        self.expected = expected
        self.found = found


class UnknownDevice(ThinscopeError, LookupError):
    """No device of the pool answers to what was asked.

    Attributes:
        who: What was asked.
    """

    _fields = (*ThinscopeError._fields, "who")

    def __init__(
        self,
        message: str,
        *,
        source: str | None = None,
        hint: str | None = None,
        who: int | str = "",
    ) -> None:
        """Make the error from its message and what was asked."""
        super().__init__(message, source=source, hint=hint)
        self.who = who


class UnknownRoot(ThinscopeError, LookupError):
    """A block was named as the root of a state or of a device's tree, and is none.

    Attributes:
        root: The metadata block.
    """

    _fields = (*ThinscopeError._fields, "root")

    def __init__(
        self,
        message: str,
        *,
        source: str | None = None,
        hint: str | None = None,
        root: int = 0,
    ) -> None:
        """Make the error from its message and the block."""
        super().__init__(message, source=source, hint=hint)
        self.root = root


class AmbiguousName(ThinscopeError, LookupError):
    """Several objects of the pool answer to what was asked.

    Attributes:
        who: What was asked.
        candidates: What answers to it.
    """

    _fields = (*ThinscopeError._fields, "who", "candidates")

    def __init__(
        self,
        message: str,
        *,
        source: str | None = None,
        hint: str | None = None,
        who: int | str = "",
        candidates: tuple[str, ...] = (),
    ) -> None:
        """Make the error from its message, what was asked, and what answers to it."""
        super().__init__(message, source=source, hint=hint)
        self.who = who
        self.candidates = candidates


class SeveralPools(AmbiguousName):
    """The source holds several pools, and none was named."""


class NamesError(ThinscopeError):
    """A manager's records cannot be read, or say what cannot be.

    Attributes:
        where: What in the source it is about, such as a page, a line or a key; empty for all of it.
    """

    _fields = (*ThinscopeError._fields, "where")

    def __init__(
        self,
        message: str,
        *,
        source: str | None = None,
        hint: str | None = None,
        where: str = "",
    ) -> None:
        """Make the error from its message and its place."""
        super().__init__(message, source=source, hint=hint)
        self.where = where

    def __str__(self) -> str:
        """Return the message, after the source and the place."""
        return ": ".join(filter(None, [self.source, self.where, self.message]))
