"""The first word: a command, or the source of an overview."""

from __future__ import annotations

import os
from importlib import import_module

import click

from thinscope.cli.commands import COMMANDS, PEERS
from thinscope.cli.failure import ExitCode, Failure, lower

__all__ = ["group", "run"]

_DEFAULT = "overview"
_OWN_OPTIONS = frozenset({"--help", "-h", "--version"})


class _Group(click.Group):
    """Loads commands by name, and takes what is no command for the source of an overview."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args:
            raise click.UsageError("missing argument 'SOURCE'", ctx)
        if args[0] not in {*COMMANDS, *_OWN_OPTIONS}:
            _look_for_slip(*args[:2])
            args = [_DEFAULT, *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return [*COMMANDS, *PEERS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"thinscope.cli.{cmd_name}").command
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
    from difflib import get_close_matches  # noqa: PLC0415 - for slips alone

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


def run(words: list[str]) -> int:
    """Run one of our own commands, and return its exit code.

    Raises:
        Failure: It cannot be run in this way.
    """
    # Not `group.main`, which has an opinion of its own on exit codes and interrupts.
    try:
        with group.make_context("thinscope", words) as context:
            return ExitCode(group.invoke(context))
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.UsageError as error:
        raise _misuse(error) from error
    except click.ClickException as error:
        raise Failure(lower(error.format_message())) from error


def is_tolerant(word: str) -> bool:
    """Whether the command of a word takes ``--tolerant``; what is no word is an overview."""
    if word in PEERS:
        return False
    command = group.get_command(click.Context(group), word if word in COMMANDS else _DEFAULT)
    return command is not None and any(each.name == "tolerant" for each in command.params)


def _misuse(error: click.UsageError) -> Failure:
    command = error.ctx.command_path if error.ctx else "thinscope"
    hint = f"`{command} --help` tells how to ask"
    if isinstance(error, click.NoSuchOption):
        if error.possibilities:
            hint = f'did you mean "{min(error.possibilities)}"?'
        return Failure(f"no such option: {error.option_name}", hint)
    if isinstance(error, click.MissingParameter) and error.ctx:
        word = error.ctx.info_name or ""
        if os.path.lexists(word):
            hint = f"`{word}` is a command; the file of that name is written ./{word}"
    return Failure(lower(error.format_message()), hint)
