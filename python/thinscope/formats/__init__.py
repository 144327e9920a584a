"""Formats of other programs' records: bytes in, structures out. Nothing is opened here."""
