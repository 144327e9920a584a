"""The words that name a command, each with its line of help."""

from __future__ import annotations

__all__ = ["COMMANDS", "PEERS"]

COMMANDS = {
    "overview": "How full the pool is, who holds the space, what needs attention.",
    "doctor": "What needs attention, what it means, and the next safe step.",
    "devices": "All devices of the pool, also as a tree.",
    "sharing": "Who shares which blocks: exclusive, fair share, groups, pairs.",
    "reclaim": "What deleting some objects would give back.",
    "plan": "What to delete so that enough comes free.",
    "orphans": "Devices that no record knows, records whose device is gone.",
    "mappings": "Where the blocks of devices lie, run by run.",
    "owners": "Who holds blocks of the data device.",
    "delta": "What two devices have in common, and what not.",
    "fragmentation": "How scattered devices, free blocks and metadata are.",
    "export": "The content of a device, as a raw image with holes.",
    "check": "What is wrong with the metadata, and which devices it hits.",
    "undelete": "Devices that were deleted, and what became of their blocks.",
    "pools": "The thin pools on LVM physical volumes and in disk images.",
    "capture": "A small copy of the metadata, with names, to send or to keep.",
    "salvage": "What can be saved of a damaged pool, and what was deleted.",
    "block": "One block of the metadata, field by field.",
}
"""Our own: the module of the same name is loaded when one is asked for."""

PEERS = {
    "thin_dump": "The pool as XML, which thin_restore reads, or as text.",
    "thin_ls": "The devices in columns.",
    "thin_check": "Whether the metadata is whole, as one number.",
    "thin_delta": "What two devices have in common, as XML.",
    "thin_rmap": "Which devices map blocks of the data device.",
    "thin_metadata_size": "How large a metadata device should be.",
}
"""The commands of thin-provisioning-tools, likewise."""
