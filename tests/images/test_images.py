"""Pools on physical volumes: metadata, data and names come out of what LVM wrote."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import struct
import subprocess
import sys
import tracemalloc
import zlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zstandard

import thinscope
from tests.conftest import CAPTURES, FIXTURES
from tests.images import made
from tests.images.conftest import DATA_BYTES, flat
from tests.images.made import IDS, MIB, SECTOR, Group, Volume, linear
from thinscope import errors
from thinscope._core import Extents
from thinscope.cli import main
from thinscope.formats import lvm_label, partitions

if TYPE_CHECKING:
    from collections.abc import Callable

    from thinscope.source import Source

LVM = FIXTURES / "lvm-b"


def all_of(source: Source | None) -> bytes:
    """Return all bytes of extents."""
    assert isinstance(source, Extents)
    return source.read(0, source.length)


def parts(pool: thinscope.Pool) -> tuple[bytes, bytes]:
    """Return metadata and data of an open pool."""
    return all_of(pool._opened), all_of(pool.data)  # type: ignore[arg-type]


def unpack(packed: Path, path: Path) -> Path:
    """Unpack to a file with holes."""
    zeros = bytes(MIB)
    with packed.open("rb") as file, path.open("wb") as out:
        reader = zstandard.ZstdDecompressor().stream_reader(file)
        while piece := reader.read(MIB):
            if piece == zeros[: len(piece)]:
                out.seek(len(piece), os.SEEK_CUR)
            else:
                out.write(piece)
        out.truncate()
    return path


@pytest.fixture(scope="module")
def pv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The captured physical volume, 4 GiB of mostly nothing."""
    return unpack(LVM / "pv.zst", tmp_path_factory.mktemp("images") / "pv.img")


class TestCaptured:
    """What a real LVM wrote."""

    def test_metadata_and_data_are_those_that_were_captured(self, pv: Path) -> None:
        entry = CAPTURES["lvm-b"]
        with thinscope.open(pv) as pool, (LVM / "data.zst").open("rb") as packed:
            assert isinstance(pool.data, Extents)
            found = all_of(pool._opened)  # type: ignore[arg-type]
            assert hashlib.sha256(found).hexdigest() == entry["metadata_sha256"]
            assert pool.data.length == pool.data_space.total_bytes
            expected = zstandard.ZstdDecompressor().stream_reader(packed)
            for at in range(0, pool.data.length, 16 * MIB):
                piece = pool.data.read(at, 16 * MIB)
                assert piece == expected.read(len(piece))
            assert not expected.read(1)

    def test_objects_are_those_of_metadata_and_text(self, pv: Path) -> None:
        text = LVM / "answers/vgdocker.vg"
        with (
            thinscope.open(LVM / "metadata.bin.zst", names=[text]) as apart,
            thinscope.open(pv) as pool,
            thinscope.open(f"{pv}:vgdocker/thinpool") as named,
            thinscope.open(f"{pv}:thinpool") as short,
        ):
            expected = {device: apart.objects.of(device) for device in apart.devices}
            for each in (pool, named, short):
                assert {id_: each.objects.of(id_) for id_ in each.devices} == expected
                assert each.source == f"{pv}:vgdocker/thinpool"
            assert [names.pool for names in pool.names] == ["vgdocker/thinpool"]

    def test_overview(
        self, pv: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(LVM)
        words = ["metadata.bin.zst", "--names", "answers/vgdocker.vg"]
        assert main([*words, "--format", "json"]) == 0
        expected = json.loads(capsys.readouterr().out)
        for source in (pv, "pv.zst"):
            assert main([str(source), "--format", "json"]) == 0
            found = json.loads(capsys.readouterr().out)
            for key in expected.keys() - {"source", "names"}:
                assert found[key] == expected[key]
            assert found["names"][0]["pool"] == "vgdocker/thinpool"

    def test_older_texts(self, pv: Path) -> None:
        """`cache` was removed: the text before that still has it."""
        with thinscope.open(pv) as pool:
            assert "vgdocker/cache" not in {each.name for each in pool.objects.all}
        for seqno in (13, 22):
            with thinscope.open(f"{pv}:vgdocker/thinpool@{seqno}") as pool:
                text = pool.names[0]
                assert f"seqno {seqno}" in text.version
                assert 3 in {record.device for record in text.records} or seqno == 22

    def test_volumes_outside_the_pools(self, tmp_path: Path) -> None:
        folder = FIXTURES / "lvm-external-6.1"
        path = unpack(folder / "pv.bin.zst", tmp_path / "pv.img")
        with pytest.raises(errors.SeveralPools) as several:
            thinscope.open(path)
        assert several.value.candidates == ("vg/pool", "vg/second")
        assert several.value.hint == f"name one: `{path}:vg/pool`"
        for name in several.value.candidates:
            short = name.partition("/")[2]
            with thinscope.open(f"{path}:{name}") as pool:
                entry = CAPTURES[f"lvm-external-6.1/{short}"]
                found = all_of(pool._opened)  # type: ignore[arg-type]
                assert hashlib.sha256(found).hexdigest() == entry["metadata_sha256"]
        with thinscope.open(f"{path}:pool") as pool:
            assert "vg/golden" in pool.volumes
            assert "pool" not in pool.volumes
            with pytest.raises(KeyError):
                pool.volumes["vg/nothing"]
            read = {record.external_origin for record in pool.names[0].records} - {None}
            assert read == {"vg/golden", "vg/plain-was"}
            assert {f"vg/{name}" for name in pool.volumes} >= read
            assert pool.volumes["vg/golden"] is pool.volumes["golden"]
            # A volume that reads it everywhere: the kernel's sum is that of both.
            sums = dict(
                reversed(line.split())
                for line in (folder / "answers/pool/sha256.txt").read_text().splitlines()
            )
            golden = all_of(pool.volumes["golden"])
            assert hashlib.sha256(golden).hexdigest() == sums["vg-unwritten"]
            assert len(pool.volumes) == len(list(pool.volumes))


class TestSources:
    """Files, bytes, file objects, packed ones, partitions."""

    def test_each_kind(self, image: bytes, metadata: bytes, data: bytes, tmp_path: Path) -> None:
        path = tmp_path / "pv.img"
        path.write_bytes(image)
        packed = tmp_path / "pv.img.gz"
        packed.write_bytes(gzip.compress(image, 1))
        for source in (path, str(path), image, io.BytesIO(image), packed):
            with thinscope.open(source) as pool:
                assert parts(pool) == (metadata, data)
                assert [each.name for each in pool.objects.all] == ["vg/far"]
        with path.open("rb") as file, thinscope.open(file) as pool:
            assert parts(pool) == (metadata, data)
            assert pool.recount().mapped_blocks == {1: 9}

    @pytest.mark.parametrize(
        "disk",
        [
            made.with_mbr,
            made.with_logical,
            made.with_gpt,
            lambda image: made.with_gpt(image, 4096),
            lambda image: made.with_gpt(image).replace(b"EFI PART", b"EFI NONE", 1),
        ],
        ids=["mbr", "logical", "gpt", "gpt-4096", "backup"],
    )
    def test_partitions(
        self, image: bytes, metadata: bytes, data: bytes, disk: Callable[[bytes], bytes]
    ) -> None:
        for source in (disk(image), io.BytesIO(disk(image))):
            with thinscope.open(source) as pool:
                assert parts(pool) == (metadata, data)

    def test_a_gpt_whose_first_copy_is_damaged(self, image: bytes, metadata: bytes) -> None:
        for at in (SECTOR + 40, SECTOR + 16, 2 * SECTOR + 3):
            disk = bytearray(made.with_gpt(image))
            disk[at] ^= 1
            with thinscope.open(bytes(disk)) as pool:
                assert parts(pool)[0] == metadata

    def test_the_source_is_not_written_to(self, image: bytes, tmp_path: Path) -> None:
        path = tmp_path / "pv.img"
        path.write_bytes(image)
        with thinscope.open(path) as pool, pytest.raises(OSError, match="it is the source"):
            pool.dump(path)
        with pytest.raises(OSError, match="it is the source"):
            thinscope.capture(path, path, overwrite=True)
        second = tmp_path / "second.img"
        second.write_bytes(made.physical([], 1))
        with (
            thinscope.open(path, more_pvs=[second]) as pool,
            pytest.raises(OSError, match="it is the source"),
        ):
            pool.dump(second)
        assert path.read_bytes() == image

    def test_a_capture_of_it(self, image: bytes, metadata: bytes, tmp_path: Path) -> None:
        (tmp_path / "pv.img").write_bytes(image)
        captured = thinscope.capture(tmp_path / "pv.img", tmp_path / "pool.tar")
        assert captured.sha256 == hashlib.sha256(metadata).hexdigest()
        with thinscope.open(tmp_path / "pool.tar") as pool:
            assert [each.name for each in pool.objects.all] == ["vg/far"]
            assert pool.data is None

    def test_a_file_with_a_colon_in_its_name(self, image: bytes, tmp_path: Path) -> None:
        path = tmp_path / "pv.img:vg"
        path.write_bytes(image)
        for source in (path, f"{path}:vg/pool"):
            with thinscope.open(source) as pool:
                assert len(pool.devices) == 1
        with pytest.raises(FileNotFoundError) as missing:
            thinscope.open(tmp_path / "none.img:vg/pool")
        assert missing.value.filename == str(tmp_path / "none.img:vg/pool")

    def test_nothing_is_kept_after_close(self, image: bytes, tmp_path: Path) -> None:
        path = tmp_path / "pv.img"
        path.write_bytes(image)
        pool = thinscope.open(path)

        def held() -> set[str]:
            return {os.path.realpath(each) for each in Path("/proc/self/fd").iterdir()}

        assert str(path) in held()
        pool.close()
        assert pool.data is None
        assert not pool.volumes
        assert str(path) not in held()

    def test_sources_are_opened_for_reading_only(self, image: bytes, tmp_path: Path) -> None:
        path = tmp_path / "pv.img"
        path.write_bytes(image)
        path.chmod(0o400)
        script = (
            "import os, sys, thinscope\n"
            "seen = []\n"
            "sys.addaudithook(lambda event, arguments: seen.append(arguments[2])\n"
            "    if event == 'open' and str(arguments[0]).endswith('pv.img') else None)\n"
            f"with thinscope.open({str(path)!r}) as pool: pool.recount()\n"
            "assert all(flags & os.O_ACCMODE == os.O_RDONLY for flags in seen)\n"
        )
        subprocess.run([sys.executable, "-c", script], check=True)


class TestSegments:
    """Where volumes lie, against places counted byte by byte."""

    def test_pieces_and_stripes_on_two_volumes(self, metadata: bytes, data: bytes) -> None:
        stripe = 16 * 1024
        group = Group(
            [
                Volume("pool", [made.thin_pool("m", "d")]),
                Volume("m", [linear("pv1", 3, 20, start=44), linear("pv0", 100, 44)]),
                Volume("d", [made.striped([("pv1", 50), ("pv0", 10)], 32, stripe)]),
            ],
            pvs=2,
        )
        images = [made.physical([group.text()], 0), made.physical([group.text()], 1)]
        made.put(images[0], 100, metadata[: 44 * made.EXTENT])
        made.put(images[1], 3, metadata[44 * made.EXTENT :])
        for number in range(DATA_BYTES // stripe):
            image, extent = ((images[1], 50), (images[0], 10))[number % 2]
            at = made.START + extent * made.EXTENT + number // 2 * stripe
            image[at : at + stripe] = data[number * stripe : (number + 1) * stripe]
        one, two = map(bytes, images)
        for source, more in ((one, two), (two, one)):
            with thinscope.open(source, more_pvs=[more]) as pool:
                assert parts(pool) == (metadata, data)
        with pytest.raises(errors.SourceError) as missing:
            thinscope.open(one)
        assert missing.value.message == (
            f"volume m/segment1 lies on physical volume pv1 ({IDS[1]}, last seen as /dev/sdb), "
            "which is missing"
        )
        assert missing.value.hint == "give the other physical volumes as well: --pv PATH"

    def raided(self, kind: str = "raid1") -> Group:
        names = ["m_rmeta_0", "m_rimage_0", "m_rmeta_1", "m_rimage_1"]
        pairs = (names[0], names[1]), (names[2], names[3])
        segment = made.raid1(64, *pairs) if kind == "raid1" else made.mirror(64, names[1], names[3])
        places = (("pv0", 0, 1), ("pv0", 1, 64), ("pv1", 0, 1), ("pv1", 9, 64))
        return Group(
            [
                Volume("pool", [made.thin_pool("m", "d")]),
                Volume("m", [segment]),
                *(
                    Volume(name, [linear(*place)])
                    for name, place in zip(names, places, strict=True)
                ),
                Volume("d", [linear("pv0", 80, 32)]),
            ],
            pvs=2,
        )

    @pytest.mark.parametrize("kind", ["raid1", "mirror"])
    def test_mirrors(self, metadata: bytes, data: bytes, kind: str) -> None:
        text = self.raided(kind).text()
        one, two = made.physical([text], 0), made.physical([text], 1)
        made.put(one, 1, metadata)
        made.put(two, 9, metadata)
        made.put(one, 80, data)
        with thinscope.open(bytes(one), more_pvs=[bytes(two)]) as pool:
            assert parts(pool) == (metadata, data)
        with thinscope.open(bytes(two)) as pool:
            assert pool.data is None
            assert pool.why_no_data is not None
            assert f"pv0 ({IDS[0]}, last seen as /dev/sda), which is missing" in pool.why_no_data
            assert all_of(pool._opened) == metadata  # type: ignore[arg-type]
            with pytest.raises(errors.SourceError):
                pool.volumes["d"]

    def test_the_image_that_is_up_to_date(self, metadata: bytes) -> None:
        def superblock(
            image: int, events: int, failed: int = 0, recovered: int = (1 << 64) - 1
        ) -> bytes:
            return struct.pack("<4sIIIQQQQ", b"DmRd", 1, 2, image, events, failed, recovered, 0)

        text = self.raided().text()
        two = made.physical([text], 1)
        made.put(two, 9, metadata)
        for first, second in (
            (superblock(0, 4), superblock(1, 9)),
            (superblock(0, 9, 0b01), superblock(1, 9, 0b01)),
            (superblock(0, 9, recovered=64), superblock(1, 9)),
            (b"", superblock(1, 9)),
        ):
            one = made.physical([text], 0)
            made.put(one, 1, bytes(len(metadata)))
            made.put(one, 0, first)
            made.put(two, 0, second)
            with thinscope.open(bytes(one), more_pvs=[bytes(two)]) as pool:
                assert all_of(pool._opened) == metadata  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("segments", "words"),
        [
            ([linear("m", 0, 64)], "it is a part of itself: m -> m"),
            ([linear("a", 0, 64)], "it is a part of itself: m -> a -> b -> m"),
            ([linear("deep0", 0, 64)], "more than 8 volumes inside one another"),
            ([linear("nothing", 0, 64)], "there is no such volume"),
            ([linear("small", 0, 64)], "it ends at byte 4194304 of small, which has 65536"),
            ([linear("pv0", 1000, 64)], "it lies beyond the 1024 extents of 'pv0'"),
            ([linear("pv0", 1 << 60, 64)], "it lies beyond"),
            ([linear("pv0", 0, 1 << 63)], "which no volume has"),
            ([linear("pv0", 0, 8), linear("pv0", 0, 8, start=4)], "begins at extent 4, where 8"),
            ([linear("pv0", 0, 8, start=1)], "begins at extent 1, where 0 was expected"),
            ([linear("pv0", 0, 0)], "it does not tell where it lies"),
            ([], "it has no segments"),
            ([made.striped([("pv0", 0), ("pv0", 9)], 64, 0)], "no whole number of 2 stripes of 0"),
            ([made.striped([("pv0", 0), ("pv0", 9)], 1, 65536)], "no whole number of 2 stripes"),
            (['start_extent = 0\nextent_count = 1\ntype = "striped"'], "stripes is no list"),
            (
                ['start_extent = 0\nextent_count = 1\ntype = "striped"\nstripes = ["pv0", "x"]'],
                "stripes has 'pv0', 'x'",
            ),
            (
                [linear("pv0", 0, 64).replace("stripe_count = 1", "stripe_count = 70")],
                "it has 1 stripes, and says 70",
            ),
            ([made.raid1(64)], "raids is no list of pairs"),
            ([made.raid1(64).replace("[]", '["x", 7]')], "raids is no list of pairs"),
        ],
    )
    def test_what_cannot_be(self, segments: list[str], words: str) -> None:
        deep = [Volume(f"deep{n}", [linear(f"deep{n + 1}", 0, 64)]) for n in range(20)]
        group = Group(
            [
                Volume("pool", [made.thin_pool("m", "d")]),
                Volume("m", segments),
                Volume("a", [linear("b", 0, 64)]),
                Volume("b", [linear("m", 0, 64)]),
                Volume("small", [linear("pv0", 0, 1)]),
                *deep,
            ]
        )
        with pytest.raises(errors.NamesError) as raised:
            thinscope.open(bytes(made.physical([group.text()])))
        assert words in raised.value.message

    def test_mirrors_of_what_is_missing(self) -> None:
        """Each volume is tried once, however many mirrors refer to it."""
        pairs = [[(f"l{n + 1}", f"l{n + 1}")] * 50 for n in range(6)]
        levels = [Volume(f"l{n}", [made.raid1(64, *pairs[n])]) for n in range(6)]
        group = Group(
            [
                Volume("pool", [made.thin_pool("l0", "d")]),
                *levels,
                Volume("l6", [linear("pv1", 0, 64)]),
            ],
            pvs=2,
        )
        with pytest.raises(errors.SourceError, match="volume l6/segment1 lies on physical volume"):
            thinscope.open(bytes(made.physical([group.text()])))

    def test_nothing_is_read_beyond_a_partition(self, image: bytes) -> None:
        disk = bytearray(made.with_gpt(image[: made.START + 60 * made.EXTENT]))
        disk += image[made.START + 60 * made.EXTENT :]
        with (
            thinscope.open(bytes(disk)) as pool,
            pytest.raises(errors.SourceError, match="of an image that ends at byte"),
        ):
            all_of(pool._opened)  # type: ignore[arg-type]

    def test_a_kind_that_is_not_read_through(self) -> None:
        segment = 'start_extent = 0\nextent_count = 64\ntype = "raid5_ls"'
        group = Group([Volume("pool", [made.thin_pool("m", "d")]), Volume("m", [segment])])
        with pytest.raises(errors.UnsupportedMetadata) as raised:
            thinscope.open(bytes(made.physical([group.text()])))
        assert raised.value.message == (
            "volume m/segment1 is of type 'raid5_ls', which is not read through"
        )

    def test_an_image_that_is_cut_off(self, image: bytes, metadata: bytes) -> None:
        cut = image[: made.START + 40 * made.EXTENT + 8 * 4096]
        with pytest.raises(errors.SourceError) as raised:
            thinscope.open(cut).recount()
        assert f"of an image that ends at byte {len(cut)}" in raised.value.message
        assert metadata[:100] in cut


class TestTexts:
    """The texts in the ring, and which of them counts."""

    def group(self, seqno: int, pools: list[str]) -> bytes:
        own = flat()
        volumes = [each for each in own.volumes if each.name not in ("pool", "far")]
        made_pools = [
            Volume(name, [made.thin_pool("pool_tmeta", "pool_tdata")], id=f"id-{name}")
            for name in pools
        ]
        return replace(own, volumes=[*made_pools, *volumes], seqno=seqno).text()

    def image(self, texts: list[bytes], metadata: bytes, data: bytes, first: int = SECTOR) -> bytes:
        image = made.physical([], area=bytes(made.ring(texts, first=first)))
        made.put(image, 0, data)
        made.put(image, 40, metadata)
        return bytes(image)

    @pytest.mark.parametrize("first", [SECTOR, made.AREA_BYTES - 2 * SECTOR])
    def test_a_pool_that_is_gone(
        self, metadata: bytes, data: bytes, tmp_path: Path, first: int
    ) -> None:
        texts = [self.group(3, ["old"]), self.group(4, ["old", "new"]), self.group(5, [])]
        path = tmp_path / "pv.img"
        path.write_bytes(self.image(texts, metadata, data, first))
        with pytest.raises(errors.NotThinMetadata) as raised:
            thinscope.open(path)
        assert raised.value.message.endswith("and volume group vg has no thin pool")
        assert raised.value.hint == "older texts tell of thin pools: `thinscope pools` lists them"
        with pytest.raises(errors.NamesError) as unknown:
            thinscope.open(f"{path}:vg/old")
        assert unknown.value.hint == f"an older text has it: `{path}:vg/old@4`"
        with pytest.raises(errors.NamesError, match="no thin pool `new` in a text with seqno 3"):
            thinscope.open(f"{path}:new@3")
        with pytest.raises(errors.SeveralPools):
            thinscope.open(f"{path}:@4")
        for name in ("vg/old@4", "old@3", "vg/new@4", "@3"):
            with thinscope.open(f"{path}:{name}") as pool:
                assert parts(pool) == (metadata, data)

    def test_the_newest_text_counts(self, metadata: bytes, data: bytes) -> None:
        """Of two volumes whose texts differ: one was away while LVM wrote."""
        old, new = self.group(8, ["old"]), self.group(9, ["new"])
        one = made.physical([old], 0)
        made.put(one, 0, data)
        made.put(one, 40, metadata)
        two = made.physical([new], 1)
        for source, more in ((one, two), (two, one)):
            with thinscope.open(bytes(source), more_pvs=[bytes(more)]) as pool:
                assert pool.names[0].pool == "vg/new"

    def test_texts_that_are_not_whole_are_no_texts(self, metadata: bytes, data: bytes) -> None:
        texts = [self.group(3, ["old"]), self.group(5, [])]
        image = bytearray(self.image(texts, metadata, data))
        at = image.index(b"contents =")
        image[at : at + 8] = bytes(8)
        with pytest.raises(errors.NotThinMetadata) as raised:
            thinscope.open(bytes(image))
        assert raised.value.hint is None

    def test_a_damaged_text(self, metadata: bytes, data: bytes, tmp_path: Path) -> None:
        texts = [self.group(3, ["old"]), self.group(5, ["new"])]
        path = tmp_path / "pv.img"
        image = bytearray(self.image(texts, metadata, data))
        image[image.index(b"seqno = 5") + 8] = ord("6")
        path.write_bytes(image)
        with pytest.raises(errors.NotThinMetadata) as raised:
            thinscope.open(path)
        assert "metadata area 1: the checksum of its text is 0x" in raised.value.message
        with thinscope.open(f"{path}:old@3") as pool:
            assert parts(pool) == (metadata, data)

    def test_a_text_that_breaks_the_grammar(self, metadata: bytes, data: bytes) -> None:
        broken = self.group(5, ["new"]).replace(b"logical_volumes {", b"logical_volumes {{")
        with pytest.raises(errors.NamesError) as raised:
            thinscope.open(self.image([self.group(3, ["old"]), broken], metadata, data))
        assert raised.value.message.startswith("expected ")
        assert raised.value.hint is not None

    def test_a_second_area(self, image: bytes, metadata: bytes) -> None:
        """Of two metadata areas the first is damaged, ignored or empty."""
        second = len(image) - 4 * made.EXTENT
        size = 2 * made.EXTENT
        area = bytearray(size)
        text = flat().text() + b"\0"
        area[:SECTOR] = made.header(second, size, text)
        area[SECTOR : SECTOR + len(text)] = text
        whole = bytearray(image)
        areas = [(made.AREA, made.AREA_BYTES), (second, size)]
        whole[SECTOR : 2 * SECTOR] = made.label(IDS[0], len(image), areas)
        whole[second : second + size] = area
        old = self.group(99, ["ignored"])
        ignored = bytearray(made.ring([old]))
        ignored[:SECTOR] = made.header(made.AREA, made.AREA_BYTES, old + b"\0", flags=1)
        for first in (bytes(SECTOR), made.header(made.AREA, made.AREA_BYTES), ignored):
            whole[made.AREA : made.AREA + len(first)] = first
            with thinscope.open(bytes(whole)) as pool:
                assert parts(pool)[0] == metadata
                assert pool.names[0].pool == "vg/pool"

    def test_a_second_label(self, image: bytes, metadata: bytes) -> None:
        whole = bytearray(image)
        whole[3 * SECTOR : 4 * SECTOR] = made.label(
            IDS[0], len(image), [(made.AREA, made.AREA_BYTES)], sector=3
        )
        whole[SECTOR + 40] ^= 1
        with thinscope.open(bytes(whole)) as pool:
            assert parts(pool)[0] == metadata


class TestDamage:
    """What is damaged is told by what was found."""

    @pytest.mark.parametrize(
        ("at", "patch", "words"),
        [
            (SECTOR + 16, b"\xff", "label in sector 1: its checksum is 0x"),
            (SECTOR + 8, b"\x02", "label in sector 1: it says that it lies in sector 2"),
            (SECTOR + 24, b"LVM1", "label in sector 1: of type b'LVM1 001'"),
            (made.AREA, b"\xff", "metadata area 1: the checksum of its header is 0x"),
            (made.AREA + 4, b"X", "metadata area 1: it begins with b'XLVM2 x[5A%r0N*>'"),
            (made.AREA + SECTOR, b"x", "metadata area 1: the checksum of its text is 0x"),
        ],
    )
    def test_a_byte(self, image: bytes, at: int, patch: bytes, words: str) -> None:
        broken = image[:at] + patch + image[at + len(patch) :]
        with pytest.raises(errors.NotThinMetadata) as raised:
            thinscope.open(broken)
        assert words in raised.value.message
        assert raised.value.identity == "lvm-physical-volume"

    @pytest.mark.parametrize(
        ("areas", "words"),
        [
            ([(made.AREA, 1 << 62)], "which do not fit in"),
            ([((1 << 64) - 512, 1 << 20)], "which do not fit in"),
            ([(made.AREA, 512), (made.AREA, 100)], "bytes from 4096 on, and has 512"),
            ([], "it belongs to no volume group, or has no metadata area of its own"),
        ],
    )
    def test_areas_that_cannot_be(
        self, image: bytes, areas: list[tuple[int, int]], words: str
    ) -> None:
        broken = bytearray(image)
        broken[SECTOR : 2 * SECTOR] = made.label(IDS[0], len(image), areas)
        with pytest.raises(errors.NotThinMetadata) as raised:
            thinscope.open(bytes(broken))
        assert words in raised.value.message

    def test_a_label_whose_lists_have_no_end(self, image: bytes) -> None:
        sector = bytearray(made.label(IDS[0], len(image), []))
        sector[72:] = b"\x01" * (SECTOR - 72)
        sector[16:20] = struct.pack("<I", made.crc(bytes(sector[20:])))
        broken = bytearray(image)
        broken[SECTOR : 2 * SECTOR] = sector
        with pytest.raises(errors.NotThinMetadata, match="its lists of areas have no end"):
            thinscope.open(bytes(broken))

    @pytest.mark.parametrize(
        ("at", "size", "words"),
        [
            (100, 600, "its text would have 600 bytes from 100 on"),
            (made.AREA_BYTES, 600, f"its text would have 600 bytes from {made.AREA_BYTES} on"),
            (SECTOR, 1 << 40, f"its text would have {1 << 40} bytes from 512 on"),
            (SECTOR, 40, "the checksum of its text is"),
        ],
    )
    def test_a_text_that_cannot_be(self, image: bytes, at: int, size: int, words: str) -> None:
        entry = struct.pack("<QQII", at, size, 7, 0)
        body = b" LVM2 x[5A%r0N*>" + struct.pack("<IQQ", 1, made.AREA, made.AREA_BYTES) + entry
        body = body.ljust(SECTOR - 4, b"\0")
        broken = bytearray(image)
        broken[made.AREA : made.AREA + SECTOR] = struct.pack("<I", made.crc(body)) + body
        with pytest.raises(errors.NotThinMetadata) as raised:
            thinscope.open(bytes(broken))
        assert words in raised.value.message

    def test_a_text_that_is_too_large(self) -> None:
        """It is refused by its size: neither summed nor parsed."""
        size = 18 * MIB
        entry = struct.pack("<QQII", SECTOR, 17 * MIB, 7, 0)
        body = b" LVM2 x[5A%r0N*>" + struct.pack("<IQQ", 1, made.AREA, size) + entry
        body = body.ljust(SECTOR - 4, b"\0")
        image = bytearray(made.AREA + size)
        image[SECTOR : 2 * SECTOR] = made.label(IDS[0], len(image), [(made.AREA, size)])
        image[made.AREA : made.AREA + SECTOR] = struct.pack("<I", made.crc(body)) + body
        with pytest.raises(errors.NotThinMetadata, match="and no more than 16777216 are read"):
            thinscope.open(bytes(image))

    def test_the_same_twice(self, image: bytes) -> None:
        with pytest.raises(errors.NamesError, match="the same physical volume"):
            thinscope.open(image, more_pvs=[image])

    def test_something_else_among_several(self, image: bytes, metadata: bytes) -> None:
        for other, words in (
            (metadata, "no LVM physical volume: this is thin metadata"),
            (b"XFSB".ljust(8192, b"\0"), "no LVM physical volume: this is an XFS file system"),
        ):
            for source, more in ((image, other), (other, image)):
                with pytest.raises(errors.NotThinMetadata) as raised:
                    thinscope.open(source, more_pvs=[more])
                assert raised.value.message == words

    def test_two_file_objects(self, image: bytes) -> None:
        other = made.physical([flat().text()], 1)
        group = flat()
        group.volumes[2] = Volume("pool_tdata", [linear("pv0", 0, 8), linear("pv1", 0, 8, start=8)])
        group.pvs = 2
        one = made.physical([group.text()])
        made.put(one, 40, image[made.START + 40 * made.EXTENT :][: 64 * made.EXTENT])
        with thinscope.open(io.BytesIO(one), more_pvs=[bytes(other)]) as pool:
            assert pool.data is not None
        with pytest.raises(TypeError, match="of several sources one can be a file object"):
            thinscope.open(io.BytesIO(one), more_pvs=[io.BytesIO(other)])

    @pytest.mark.parametrize(
        ("disk", "words"),
        [
            (made.boot_record(), "none of its partitions is an LVM physical volume"),
            (
                made.with_mbr(b"XFSB".ljust(8192, b"\0"), kind=0x83),
                "partition 2 (Linux): an XFS file system",
            ),
            (
                made.boot_record(made.mbr_entry(0x8E, 1 << 30, 9)),
                "partition 1 (Linux LVM) lies beyond the image",
            ),
            (
                made.boot_record(made.mbr_entry(5, 1, 9)).ljust(1022, b"\0") + b"\x55\xaa",
                "none of its partitions",
            ),
            (
                made.boot_record(made.mbr_entry(5, 99, 9)),
                "no boot record of a logical partition in sector 99",
            ),
            (
                made.with_gpt(bytes(8192)),
                "partition 3 (Linux LVM): the first block holds only zeros",
            ),
        ],
    )
    def test_partitions_without_any(self, disk: bytes, words: str) -> None:
        with pytest.raises(errors.NotThinMetadata) as raised:
            thinscope.open(disk.ljust(8192, b"\0"))
        assert words in raised.value.message
        assert raised.value.identity == "partitioned-disk"

    def test_a_gpt_both_of_whose_copies_are_damaged(self, image: bytes) -> None:
        disk = bytearray(made.with_gpt(image))
        disk[SECTOR + 17] ^= 1
        disk[-SECTOR + 17] ^= 1
        with pytest.raises(errors.NotThinMetadata) as raised:
            thinscope.open(bytes(disk))
        assert "the GPT header in sector 1: its checksum is wrong" in raised.value.message
        assert "the backup GPT header in sector" in raised.value.message

    @pytest.mark.parametrize("size", [512, 560, 1024, 4095, 4096])
    def test_disks_that_end_at_once(self, size: int) -> None:
        """There is no room for the backup of a GPT, nor for a GPT."""
        disk = made.boot_record(made.mbr_entry(0x8E, 1, 1)) + b"EFI PART".ljust(size, b"\0")
        with pytest.raises(errors.NotThinMetadata) as raised:
            thinscope.open(disk[:size])
        assert raised.value.identity == "partitioned-disk"

    @pytest.mark.parametrize("sector", [40, 1 << 55, (1 << 64) - 1])
    def test_entries_of_a_gpt_beyond_the_disk(self, image: bytes, sector: int) -> None:
        disk = bytearray(made.with_gpt(image))
        for at in (SECTOR, len(disk) - SECTOR):
            place = sector if sector > 40 else len(disk) // SECTOR - 31
            struct.pack_into("<Q", disk, at + 72, place)
            struct.pack_into("<I", disk, at + 16, 0)
            struct.pack_into("<I", disk, at + 16, zlib.crc32(disk[at : at + 92]))
        with pytest.raises(errors.NotThinMetadata, match="its entries would lie in sector"):
            thinscope.open(bytes(disk))

    def test_two_extended_partitions(self) -> None:
        """Their logical partitions are numbered one after the other, as Linux does."""
        disk = made.boot_record(made.mbr_entry(5, 1, 9), made.mbr_entry(0x0F, 2, 9))
        disk += 2 * made.boot_record(made.mbr_entry(0x83, 1, 8))
        table = partitions.table(Extents([disk], "x").read, len(disk))
        assert table is not None
        assert [(each.number, each.begin) for each in table.partitions] == [(5, 1024), (6, 1536)]

    def test_logical_partitions_in_a_circle(self) -> None:
        disk = bytearray(16 * SECTOR)
        for number, following in ((0, 1), (1, 1), (2, 1)):
            record = made.boot_record(bytes(16), made.mbr_entry(5, following, 1))
            disk[number * SECTOR : (number + 1) * SECTOR] = record
        with pytest.raises(errors.NotThinMetadata, match="comes back to sector 2"):
            thinscope.open(bytes(disk))

    def test_a_million_logical_partitions(self) -> None:
        disk = bytearray(400 * SECTOR)
        disk[:SECTOR] = made.boot_record(made.mbr_entry(5, 1, 1 << 20))
        for number in range(1, 399):
            record = made.boot_record(made.mbr_entry(0x83, 1, 1), made.mbr_entry(5, number, 1))
            disk[number * SECTOR : (number + 1) * SECTOR] = record
        with pytest.raises(errors.NotThinMetadata, match="more than 128 logical partitions"):
            thinscope.open(bytes(disk))


def test_a_large_area_is_not_copied() -> None:
    area = bytearray(made.header(made.AREA, 128 * MIB).ljust(128 * MIB, b"\0"))
    text = Group([]).text()
    area[SECTOR : SECTOR + len(text)] = text
    data = bytes(area)
    tracemalloc.start()
    try:
        (found,) = lvm_label.older_texts(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.data == text
    assert peak < 3 * lvm_label.LARGEST_TEXT


def test_random_bytes_end_in_an_error(image: bytes) -> None:
    """Thousands of damaged labels, areas and texts: an answer or an error of thinscope."""
    import random  # noqa: PLC0415 - here only

    chance = random.Random(7)  # noqa: S311 - no secret
    image = image[: made.START + 48 * made.EXTENT]
    opened = 0
    for _ in range(300):
        broken = bytearray(image)
        for _ in range(chance.randrange(1, 4)):
            place = chance.choice([SECTOR, made.AREA, made.AREA + SECTOR, made.AREA + SECTOR])
            broken[place + chance.randrange(0, SECTOR * 3)] = chance.randrange(256)
        text = bytes(broken[made.AREA + SECTOR :].partition(b"\0")[0]) + b"\0"
        if chance.random() < 0.7:
            broken[made.AREA : made.AREA + SECTOR] = made.header(made.AREA, made.AREA_BYTES, text)
        try:
            thinscope.open(bytes(broken)).close()
            opened += 1
        except errors.ThinscopeError:
            pass
    assert 0 < opened < 300
