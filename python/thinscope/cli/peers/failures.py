"""The sentences of thin-provisioning-tools that scripts look for where something goes wrong."""

from __future__ import annotations

from thinscope.errors import CorruptMetadata, NoMetadataSnapshot, NotThinMetadata

__all__ = ["BAD_CHECKSUM", "their_sentence"]

BAD_CHECKSUM = "bad checksum in superblock"

_TOO_SMALL = "Metadata device/file too small.  Is this binary metadata?"
_XML = "This looks like XML.  This tool only supports the binary metadata format."
_SENTENCES = {"empty": _TOO_SMALL, "too-small": _TOO_SMALL, "thin-dump-xml": _XML, "xml": _XML}
"""Of what is no metadata, where theirs is as good as ours."""


def their_sentence(error: Exception, source: str) -> str | None:  # noqa: PLR0911 - one for each family
    """Return what goes wrong as they say it, with what we know beyond it; or None.

    Args:
        error: What went wrong.
        source: What was to be read.
    """
    match error:
        case FileNotFoundError(filename=name) if name == source:
            return f"Couldn't find input file '{source}'"
        case PermissionError(filename=name) if name == source:
            return f"{source}: Permission denied"
        case NotThinMetadata(identity="not-a-file"):
            return f"Not a block device or regular file '{source}'"
        case NotThinMetadata(identity=identity) if identity in _SENTENCES:
            return f"{source}: {_SENTENCES[identity]}"
        case NotThinMetadata() | CorruptMetadata(structure="superblock", field="csum"):
            return f"{BAD_CHECKSUM}: {error}"
        case NoMetadataSnapshot():
            return f"no current metadata snap: {error}"
        case _:
            return None
