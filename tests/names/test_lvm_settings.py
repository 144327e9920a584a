"""LVM's settings: of a profile, of lvm.conf, of LVM's own folder around a backup."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.conftest import FIXTURES
from tests.names.managers import failure
from thinscope import names
from thinscope.names import lvm_settings
from thinscope.names.lvm_settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

TEXT = FIXTURES / "lvm-512k-6.1/answers/pool/lvm.vg"
"""Its pool has the profile `roomy`."""

ROOMY = TEXT.with_name("roomy.profile")

CONF = """\
# This is an example configuration file
config { checks = 1 }
devices { filter = [ "a|.*|" ]   dir = "/dev" }
activation {
	# thin_pool_autoextend_threshold = 55
	monitoring = 1
	thin_pool_autoextend_percent = 30
}
"""


def folder(path: Path, conf: str | None = CONF, profile: str | None = None) -> Path:
    """A folder as /etc/lvm is."""
    (path / "profile").mkdir(parents=True)
    if conf is not None:
        (path / "lvm.conf").write_text(conf)
    if profile is not None:
        (path / "profile/roomy.profile").write_text(profile)
    return path


def test_the_captured_profile() -> None:
    expected = Settings(70, 20, str(ROOMY))
    assert lvm_settings.read(ROOMY) == expected
    assert lvm_settings.read(ROOMY.parent, "roomy") == expected


def test_lvm_conf(tmp_path: Path) -> None:
    etc = folder(tmp_path / "lvm")
    expected = Settings(100, 30, str(etc / "lvm.conf"))  # what is not set: LVM's own default
    assert lvm_settings.read(etc) == lvm_settings.read(etc / "lvm.conf") == expected
    (etc / "lvm.conf").write_text("activation/thin_pool_autoextend_threshold = 60\n")
    assert lvm_settings.read(etc) == Settings(60, 20, str(etc / "lvm.conf"))


def test_a_profile_stands_above_lvm_conf(tmp_path: Path) -> None:
    profile = "activation { thin_pool_autoextend_threshold = 70 }"
    etc = folder(tmp_path / "lvm", profile=profile)
    expected = Settings(70, 30, str(etc / "profile/roomy.profile"))
    assert lvm_settings.read(etc, "roomy") == expected
    assert lvm_settings.read(etc) == Settings(100, 30, str(etc / "lvm.conf"))


@pytest.mark.parametrize("where", ["backup/vg", "archive/vg_00001.vg"])
def test_names_bring_them_along(tmp_path: Path, where: str) -> None:
    etc = folder(tmp_path / "lvm", profile=ROOMY.read_text())
    path = etc / where
    path.parent.mkdir()
    shutil.copy(TEXT, path)
    for source in (etc, path.parent, path):
        [found] = names.read(source)
        upkeep = found.upkeep
        assert (upkeep.threshold, upkeep.percent) == (70, 20)
        assert upkeep.settings == str(etc / "profile/roomy.profile")
        assert (upkeep.profile, upkeep.extent_bytes, upkeep.free_extents) == ("roomy", 4 << 20, 21)
        assert found.unread == ()


def test_a_text_alone_brings_none() -> None:
    [found] = names.read(TEXT)
    assert (found.upkeep.profile, found.upkeep.threshold) == ("roomy", None)


def test_a_profile_that_is_missing_is_told_and_no_record_is(tmp_path: Path) -> None:
    etc = folder(tmp_path / "lvm")
    shutil.copy(TEXT, etc / "vg")
    [found] = names.read(etc)
    assert found.upkeep.threshold is None
    assert (
        found.upkeep.settings_unread
        == f"{etc}: no roomy.profile in it, which is the pool's profile"
    )
    assert found.unread == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("activation {", "expected a name or '}', found the end"),
        ('activation { thin_pool_autoextend_threshold = "70" }', "'70' is no percentage"),
        ("activation { thin_pool_autoextend_threshold = 101 }", "101 is no percentage"),
        ("activation { thin_pool_autoextend_threshold = -1 }", "-1 is no percentage"),
        ("activation { thin_pool_autoextend_percent = 7.5 }", "7.5 is no percentage"),
        ("activation { thin_pool_autoextend_percent = 1048577 }", "1048577 is no percentage"),
        ("activation { thin_pool_autoextend_percent = [ 1 ] }", "[1] is no percentage"),
    ],
)
def test_what_cannot_be(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "lvm.conf"
    path.write_text(text)
    error = failure(lvm_settings.read, path)
    assert error is not None
    assert error.message == why
    assert str(error).startswith(f"{path}: ")


def test_where_there_is_none(tmp_path: Path) -> None:
    assert "no such file" in str(failure(lvm_settings.read, tmp_path / "nowhere"))
    expected = "neither lvm.conf nor the pool's profile in it"
    assert str(failure(lvm_settings.read, tmp_path)) == f"{tmp_path}: {expected}"
    for profile in ("../evil", "a\0b", "x" * 300, "."):
        assert failure(lvm_settings.read, folder(tmp_path / "e", None), profile) is not None
        shutil.rmtree(tmp_path / "e")


def test_a_profile_with_a_path_for_a_name_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "evil.profile").write_text(ROOMY.read_text())
    etc = folder(tmp_path / "lvm")
    found = lvm_settings.read(etc, "../../evil")
    assert found.threshold == 100


def test_extents_that_volumes_on_disks_leave(tmp_path: Path) -> None:
    """Stripes lie on several disks; what is missing, or not to be used, is not free."""
    text = TEXT.read_text()
    disk = text[text.index("\t\tpv0 {") : text.index("\n\t}\n\n\tlogical_volumes")]
    more = disk.replace("pv0 {", "pv1 {")
    kept = disk.replace("pv0 {", "pv2 {").replace('"ALLOCATABLE"', "")
    gone = disk.replace("pv0 {", "pv3 {").replace("flags = []", 'flags = ["MISSING"]')
    text = text.replace(disk, f"{disk}\n\n{more}\n\n{kept}\n\n{gone}")
    text = text.replace('"pv0", 1\n', '"pv0", 1,\n"pv1", 0\n')  # 40 extents of data on two disks
    path = tmp_path / "vg"
    path.write_text(text)
    [found] = names.read(path)
    assert found.upkeep.free_extents == (63 - 1 - 1 - 20) + (63 - 20)
    path.write_text(text.replace("pe_count = 63", 'pe_count = "x"'))
    [found] = names.read(path)
    assert found.upkeep.free_extents is None
