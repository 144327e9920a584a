"""The first word: a command, or the source of an overview."""

from __future__ import annotations

import os
from difflib import get_close_matches
from importlib import import_module

import click

from thinscope.cli.failure import Failure

__all__ = ["COMMANDS", "group"]

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
"""Each command with its line of help; its module is loaded when it is asked for."""

PEERS = {
    "thin_dump": "The pool as XML, which thin_restore reads, or as text.",
    "thin_ls": "The devices in columns.",
    "thin_check": "Whether the metadata is whole, as one number.",
    "thin_delta": "What two devices have in common, as XML.",
    "thin_rmap": "Which devices map blocks of the data device.",
    "thin_metadata_size": "How large a metadata device should be.",
}
"""The commands of thin-provisioning-tools, likewise."""

_DEFAULT = "overview"
_OWN_OPTIONS = frozenset({"--help", "-h", "--version"})


class _Group(click.Group):
    """Loads commands by name, and takes what is no command for the source of an overview."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args:
            raise click.UsageError("missing argument 'SOURCE'", ctx)
        if args[0] not in {*COMMANDS, *PEERS, *_OWN_OPTIONS}:
            _look_for_slip(*args[:2])
            args = [_DEFAULT, *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return [*COMMANDS, *PEERS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name in PEERS:
            module = f"thinscope.cli.peers.{cmd_name}"
        elif cmd_name in COMMANDS:
            module = f"thinscope.cli.{cmd_name}"
        else:
            return None
        command = import_module(module).command
        if not isinstance(command, click.Command):
            raise TypeError(f"{cmd_name} is no command")
        return command

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(ctx.command_path, "[OPTIONS] SOURCE")
        formatter.write_usage(ctx.command_path, "COMMAND [OPTIONS] SOURCE", " " * len("Usage: "))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))
        with formatter.section("Commands of thin-provisioning-tools, used as there"):
            formatter.write_dl(list(PEERS.items()))


def _look_for_slip(word: str, following: str = "-") -> None:
    """Raise if a word is neither file nor option, but nearly a command or used like one."""
    if word.startswith("-") or os.path.lexists(word):
        return
    if similar := get_close_matches(word, [*COMMANDS, *PEERS], n=1):
        raise Failure(f"{word}: no such file or directory", f'did you mean "{similar[0]}"?')
    if not following.startswith("-"):
        raise Failure(f"{word}: no such command or file", "`thinscope --help` lists the commands")


group = _Group(
    "thinscope",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Tell what a dm-thin pool holds and where it lies: read-only, offline.

    SOURCE is the metadata of a pool: a metadata device (LVM: /dev/mapper/VG-POOL_tmeta), or a
    copy of one, also packed with gzip, zstd or thin_metadata_pack; or what "thinscope capture"
    wrote; or the folder of a manager that keeps it in a file (/var/lib/docker); or an LVM physical
    volume or a disk image with one (of several pools, disk.img:vg/pool). Without COMMAND, SOURCE
    is given an overview. A file that has the name of a command is written ./NAME.

    \b
    Exit status:
      0  answered
      1  answered, and something needs attention
      2  no answer (64 of the commands of thin-provisioning-tools)
    """,
    epilog="""\b
    Examples:
      thinscope /var/lib/docker
      thinscope /dev/mapper/vg-pool_tmeta --names /etc/lvm/backup/vg
      thinscope reclaim /var/lib/docker 'web-*'
      thinscope plan /var/lib/docker --free 10GiB
      thinscope doctor /dev/mapper/vg-pool_tmeta --names /etc/lvm
      thinscope devices tmeta.bin
      thinscope mappings tmeta.bin --device 5 --range 0..1000
      thinscope owners tmeta.bin 7000..7100
      thinscope delta tmeta.bin 5 6
      thinscope export tmeta.bin web-1 --data tdata.img -o web-1.img
      thinscope capture /dev/mapper/vg-pool_tmeta -o pool.tar
      thinscope salvage tmeta.bin
      thinscope block tmeta.bin 0
      thinscope pools disk.img
      thinscope COMMAND --help
    """,
)
group = click.version_option(package_name="thinscope", message="%(prog)s %(version)s")(group)
