"""Reading bbolt databases: captured ones, generated ones, and spoilt ones."""

from __future__ import annotations

import re
import struct
from datetime import UTC, datetime, timedelta
from time import process_time

import construct
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import FIXTURES, ROOT
from tests.names.bolt import BUCKET, LEAF_FLAG, PAGE, File, Tree, leaf
from thinscope.errors import NamesError
from thinscope.formats import bbolt, golang

DATABASES = sorted((FIXTURES / "containerd-b/dbs").glob("*.db"))
PAGE_SIZES = [1024, 4096, 16 << 10, 64 << 10]


def content(bucket: bbolt.Bucket) -> Tree:
    """All that is in a bucket, as the writer takes it."""
    found = Tree()
    found.sequence = bucket.sequence
    for key, value in bucket:
        found[key] = value if isinstance(value, bytes) else content(value)
    return found


def read(data: bytes) -> Tree:
    return content(bbolt.Database(bytes(data), "x.db", hint="again").root)


def refusal(data: bytes) -> tuple[str, str]:
    """Where reading all of it stops, and why."""
    with pytest.raises(NamesError) as caught:
        read(data)
    assert caught.value.source == "x.db"
    assert "\n" not in str(caught.value)
    return caught.value.where, caught.value.message


def numbered(count: int, size: int = 8) -> dict[bytes, bytes]:
    return {f"key {number:06}".encode(): bytes(size) for number in range(count)}


def small() -> File:
    """Page 4, 5 and 6: leaves of a bucket; 7: their branch; 8: the root."""
    return File.of({b"b": numbered(9)}, most=3, inlines=False)


# What is right


@pytest.mark.parametrize("path", DATABASES, ids=lambda path: path.stem)
def test_captured_databases_are_read_whole(path) -> None:
    data = path.read_bytes()
    tree = read(data)
    assert tree
    assert read(File.of(tree).data()) == tree
    # Each meta page alone gives a state, too: the present one, and the one before.
    present = bbolt.Database(data, "x.db").transaction_id
    for place in (0, 4096):
        spoilt = bytearray(data)
        spoilt[place + 16 : place + 80] = bytes(64)
        assert present - 1 <= bbolt.Database(bytes(spoilt), "x.db").transaction_id <= present


@pytest.mark.parametrize("page_size", PAGE_SIZES)
@pytest.mark.parametrize("inlines", [True, False])
@pytest.mark.parametrize("most", [2, 7, 1 << 16])
def test_what_was_written_is_read(page_size, inlines, most) -> None:
    tree = {
        b"empty": {},
        b"flat": numbered(300, 40),
        b"deep": {b"er": {b"and deeper": {b"still": b"here"}}, b"value": b""},
        b"large": {b"a": bytes(3 * page_size), b"b": b"after it"},
    }
    file = File.of(tree, page_size=page_size, inlines=inlines, most=most)
    data = bytes(file.data())
    assert bbolt.is_database(data[: 64 << 10])
    database = bbolt.Database(data, "x.db")
    assert database.page_size == page_size
    assert content(database.root) == tree
    flat = database.root.bucket(b"flat")
    assert flat is not None
    assert all(flat.get(key) == value for key, value in tree[b"flat"].items())
    for key in (b"", b"key 000000x", b"zzz"):
        assert flat.get(key) is None
        assert flat.bucket(key) is None
    assert flat.bucket(b"key 000000") is None
    assert database.root.get(b"flat") is None
    assert [key for key, _ in database.root.buckets()] == sorted(tree)
    assert not list(database.root.items())


def test_buckets_tell_their_sequence() -> None:
    tree = {b"inline": Tree(), b"own page": Tree({b"b": Tree()})}
    tree[b"inline"].sequence = 7
    tree[b"own page"].sequence = 1 << 40
    file = File.of(tree)
    file.sequence = 3
    database = bbolt.Database(bytes(file.data()), "x.db")
    assert database.root.sequence == 3
    assert {key: bucket.sequence for key, bucket in database.root.buckets()} == {
        b"inline": 7,
        b"own page": 1 << 40,
    }


def test_definitions_and_the_fast_way_agree() -> None:
    whole = bytes(range(24))
    for definition, fast in [
        (bbolt.PAGE, bbolt._PAGE),
        (bbolt.BUCKET, bbolt._BUCKET),
        (bbolt.LEAF_ELEMENT, bbolt._LEAVES),
        (bbolt.BRANCH_ELEMENT, bbolt._BRANCHES),
    ]:
        data = whole[: definition.sizeof()]
        parsed = definition.parse(data)
        del parsed["_io"]
        assert tuple(parsed.values()) == fast.unpack(data)
        assert definition.build(parsed) == data
    nested = construct.Struct("a" / bbolt.BUCKET, "b" / construct.Int16ul)
    assert bbolt._packed(nested).unpack(whole[:18]) == struct.unpack("<QQH", whole[:18])


def test_formats_open_nothing() -> None:
    for path in (ROOT / "python/thinscope/formats").glob("*.py"):
        text = path.read_text()
        assert not re.search(r"\bopen\(|^(?:import|from) (?:os|pathlib|io)\b", text, re.MULTILINE)


# Meta pages


@pytest.mark.parametrize("page_size", PAGE_SIZES)
@pytest.mark.parametrize("newer", [0, 1])
def test_the_newer_meta_counts_unless_it_is_torn(page_size, newer) -> None:
    txids = (12, 11) if newer == 0 else (12, 13)
    file = File.of({b"b": {b"k": b"v"}}, page_size=page_size, txids=txids)
    data = file.data()
    assert bbolt.Database(bytes(data), "x.db").transaction_id == max(txids)
    data[newer * page_size + 16 + 48] ^= 1
    assert bbolt.Database(bytes(data), "x.db").transaction_id == min(txids)
    assert read(data) == {b"b": {b"k": b"v"}}


def test_both_metas_bad() -> None:
    data = small().data()
    data[16 + 48] ^= 1
    data[4096 + 16 + 48] ^= 1
    message = "has a wrong checksum, and the other meta page is not right either"
    assert refusal(data) == ("page 0", message)
    with pytest.raises(NamesError) as caught:
        bbolt.Database(bytes(data), "x.db", hint="again")
    assert caught.value.hint == "again"


def test_wrong_magic() -> None:
    file = small()
    file.magic ^= 1
    assert refusal(file.data()) == ("", "not a bbolt database")
    assert refusal(b"") == ("", "not a bbolt database")
    assert refusal(bytes(1 << 20)) == ("", "not a bbolt database")
    assert not bbolt.is_database(bytes(1 << 20))


def test_big_endian() -> None:
    file = small()
    file.magic = 0xEDDA0CED
    where, message = refusal(file.data())
    assert where == "page 0"
    assert "big-endian" in message


def test_wrong_version() -> None:
    file = small()
    file.version = 3
    where, message = refusal(file.data())
    assert where == "page 0"
    assert "is of version 3, and only 2 is known" in message


@pytest.mark.parametrize("page_size", [0, 1, 512, 4095, 1 << 31])
def test_page_sizes_that_cannot_be(page_size) -> None:
    file = small()
    data = file.data()
    file.page_size = page_size
    body = struct.pack("<IIIIQQQQQ", 0xED0CDAED, 2, page_size, 0, 8, 0, 3, 9, 10)
    for place in (0, 4096):
        data[place + 16 : place + 80] = body + struct.pack("<Q", bbolt.checksum(body))
    assert refusal(data)[1].startswith(f"says that pages have {page_size} bytes")


# Pages


def test_a_page_that_points_at_itself() -> None:
    file = small()
    file.branch(7, 1, page=7)
    assert refusal(file.data()) == ("page 7", "is reached by two ways")


def test_two_pages_that_point_at_each_other() -> None:
    file = File.of({b"b": numbered(8)}, most=2, inlines=False)
    branches = [page for page in file.pages if file.pages[page][8] == 1]
    assert len(branches) == 3
    low, high, _ = branches
    file.branch(low, 1, page=high)
    file.branch(high, 0, page=low)
    assert refusal(file.data())[1] in {
        "is reached by two ways",
        "has keys that belong to another page",
    }


def test_a_bucket_that_is_its_own_root() -> None:
    file = File.of({b"b": numbered(40)})
    (bucket,) = BUCKET.iter_unpack(file.pages[5][33:49])
    assert bucket == (4, 0)
    BUCKET.pack_into(file.pages[5], 33, 5, 0)
    assert refusal(file.data()) == ("page 5", "is reached by two ways")


def test_two_buckets_with_one_root() -> None:
    file = File.of({b"b": numbered(40), b"c": numbered(40)})
    data = file.data()
    at = data.rindex(BUCKET.pack(5, 0))
    BUCKET.pack_into(data, at, 4, 0)
    assert refusal(data) == ("page 4", "is reached by two ways")


@pytest.mark.parametrize("page", [0, 1, 9, 1 << 20, (1 << 64) - 1])
def test_pages_outside_the_database(page) -> None:
    file = small()
    file.branch(7, 1, page=page)
    assert refusal(file.data()) == (f"page {page}", "lies outside the database")


def test_a_file_that_ends_too_early() -> None:
    data = small().data()
    assert refusal(data[: 8 * 4096 + 100]) == ("page 8", "lies outside the database")


def test_more_pages_than_the_file_has() -> None:
    file = small()
    file.header(5, overflow=4)
    assert refusal(file.data()) == ("page 5", "goes on behind the end of the database")


def test_overflow_pages_that_others_have() -> None:
    file = small()
    file.header(5, overflow=1)
    assert refusal(file.data()) == ("page 6", "is reached by two ways")


def test_the_number_of_another_page() -> None:
    file = small()
    file.header(5, id=6)
    assert refusal(file.data()) == ("page 5", "has the number of another page")


@pytest.mark.parametrize("flags", [0, 4, 16, 3])
def test_pages_of_another_kind(flags) -> None:
    file = small()
    file.header(5, flags=flags)
    assert refusal(file.data()) == ("page 5", "is not of a tree")


def test_a_branch_without_children() -> None:
    file = small()
    file.header(7, count=0)
    assert refusal(file.data()) == ("page 7", "is not of a tree")


def test_keys_of_another_page() -> None:
    file = small()
    file.branch(7, 0, page=5)
    assert refusal(file.data()) == ("page 5", "has keys that belong to another page")


def test_a_page_in_use_that_is_free() -> None:
    file = small()
    file.free.append(5)
    assert refusal(file.data()) == ("page 5", "is in use, and on the list of free pages")


def test_no_list_of_free_pages() -> None:
    file = small()
    file.freelist = (1 << 64) - 1
    assert read(file.data()) == {b"b": numbered(9)}


def test_a_list_of_free_pages_that_is_none() -> None:
    file = small()
    file.freelist = 5
    assert refusal(file.data()) == ("page 5", "is not the list of free pages")


@pytest.mark.parametrize("is_long", [False, True])
def test_more_free_pages_than_there_is_room_for(is_long) -> None:
    data = small().data()
    PAGE.pack_into(data, 3 * 4096, 3, 16, 0xFFFF if is_long else 0xFFFE, 0)
    if is_long:
        struct.pack_into("<Q", data, 3 * 4096 + 16, 1 << 63)
    assert refusal(data) == ("page 3", "lists more free pages than it has room for")


def test_a_long_list_of_free_pages() -> None:
    data = small().data()
    PAGE.pack_into(data, 3 * 4096, 3, 16, 0xFFFF, 0)
    struct.pack_into("<QQ", data, 3 * 4096 + 16, 1, 5)
    assert refusal(data) == ("page 5", "is in use, and on the list of free pages")


def test_a_tree_that_is_too_deep() -> None:
    file = File()
    page = file.add(LEAF_FLAG, 1, leaf([(b"k", 0, b"v")]))
    for _ in range(70):
        page = file.add(1, 1, struct.pack("<IIQ", 16, 1, page) + b"k")
    file.root = page
    assert refusal(file.data())[1] == "lies too deep in its tree"
    with pytest.raises(NamesError, match="too deep"):
        bbolt.Database(bytes(file.data()), "x.db").root.get(b"k")


def test_buckets_that_are_too_deep() -> None:
    tree: dict = {}
    for _ in range(70):
        tree = {b"b": tree}
    assert refusal(File.of(tree).data())[1] == "holds a bucket where none can be"


# Elements


@pytest.mark.parametrize(
    "fields",
    [{"pos": 0}, {"pos": 4096}, {"pos": 0xFFFFFFFF}, {"ksize": 5000}, {"vsize": 0xFFFFFFFF}],
)
def test_leaf_elements_outside_their_page(fields) -> None:
    file = small()
    file.leaf(5, 1, **fields)
    assert refusal(file.data()) == ("page 5", "has an element 1 that cannot be")


@pytest.mark.parametrize("fields", [{"pos": 0}, {"pos": 0xFFFFFFFF}, {"ksize": 5000}])
def test_branch_elements_outside_their_page(fields) -> None:
    file = small()
    file.branch(7, 1, **fields)
    assert refusal(file.data()) == ("page 7", "has an element 1 that cannot be")


def test_elements_that_overlap() -> None:
    file = small()
    file.leaf(5, 1, pos=17)
    assert refusal(file.data()) == ("page 5", "has an element 1 that cannot be")


def test_unknown_flags() -> None:
    file = small()
    file.leaf(5, 0, flags=2)
    assert refusal(file.data()) == ("page 5", "has an element 0 that cannot be")


def test_more_elements_than_there_is_room_for() -> None:
    file = small()
    file.header(5, count=0xFFFF)
    assert refusal(file.data()) == ("page 5", "has no room for 65535 elements")


@pytest.mark.parametrize("page", [5, 7])
def test_keys_out_of_order(page) -> None:
    file = small()
    at = file.pages[page].rindex(b"key ")
    file.pages[page][at : at + 10] = b"key 000000"
    assert refusal(file.data()) == (f"page {page}", "has an element 2 out of order")


@pytest.mark.parametrize("count", [1 << 10, 60_000])
def test_elements_are_counted(count, monkeypatch) -> None:
    monkeypatch.setattr(bbolt, "MAX_ELEMENTS", count // 2)
    where, message = refusal(File.of({b"b": numbered(count, 0)}).data())
    assert where
    assert message == f"is behind the first {count // 2} elements"


# Inline buckets


def inline(value: bytes) -> bytearray:
    """A database with one element that is a bucket of this value."""
    file = File()
    file.root = file.add(LEAF_FLAG, 1, leaf([(b"b", 1, value)]))
    return file.data()


def test_a_bucket_without_its_header() -> None:
    assert refusal(inline(bytes(15))) == ("page 4", "holds a bucket without its header")


def test_an_inline_bucket_without_its_page() -> None:
    assert refusal(inline(bytes(31))) == ("page 4", "holds a bucket without its page")


@pytest.mark.parametrize(("flags", "overflow"), [(1, 0), (0, 0), (LEAF_FLAG, 1)])
def test_an_inline_bucket_of_another_kind(flags, overflow) -> None:
    value = bytes(16) + PAGE.pack(0, flags, 0, overflow)
    assert refusal(inline(value)) == ("page 4", "holds a bucket whose page is no leaf")


def test_an_inline_bucket_that_reaches_out_of_its_value() -> None:
    body = leaf([(b"k", 0, b"v")])
    value = bytes(16) + PAGE.pack(0, LEAF_FLAG, 1, 0) + body
    assert read(inline(value)) == {b"b": {b"k": b"v"}}
    assert refusal(inline(value[:-1])) == ("page 4", "has an element 0 that cannot be")


def test_inline_buckets_in_inline_buckets() -> None:
    value = bytes(16) + PAGE.pack(0, LEAF_FLAG, 0, 0)
    for _ in range(2):
        value = bytes(16) + PAGE.pack(0, LEAF_FLAG, 1, 0) + leaf([(b"b", 1, value)])
    assert refusal(inline(value)) == ("page 4", "holds a bucket where none can be")


# All that can be


@settings(max_examples=300, deadline=2000)
@given(data=st.data())
def test_whatever_the_bytes_are(data) -> None:
    settled = {
        "most": data.draw(st.sampled_from([2, 3, 1000])),
        "inlines": data.draw(st.booleans()),
        "page_size": 1024,
    }
    keys = st.binary(min_size=1, max_size=12)
    values = st.dictionaries(keys, st.binary(max_size=300), max_size=12)
    tree = data.draw(st.dictionaries(keys, st.dictionaries(keys, values, max_size=4), max_size=3))
    file = File.of(tree, **settled)
    assert read(file.data()) == tree
    whole = file.data()
    for _ in range(data.draw(st.integers(1, 4))):
        page = data.draw(st.integers(3, file.high_water - 1))
        at = page * 1024 + data.draw(st.integers(0, 80))
        whole[at] = data.draw(st.integers(0, 255))
    try:
        found = bbolt.Database(bytes(whole), "x.db")
        for key, bucket in found.root.buckets():
            assert found.root.bucket(key) is not None
            content(bucket)
    except NamesError as error:
        assert error.source == "x.db"  # noqa: PT017 - other errors are not expected


def test_many_keys_take_little_time() -> None:
    data = bytes(File.of({b"b": numbered(100_000, 100)}).data())
    began = process_time()
    bucket = bbolt.Database(data, "x.db").root.bucket(b"b")
    assert bucket is not None
    assert sum(1 for _ in bucket.items()) == 100_000
    assert process_time() - began < 2


# Go's numbers and times


@pytest.mark.parametrize(
    ("raw", "value"),
    [("00", 0), ("01", 1), ("7f", 127), ("8001", 128), ("ac02", 300), ("ff" * 9 + "01", 2**64 - 1)],
)
def test_uvarints(raw, value) -> None:
    assert golang.uvarint(bytes.fromhex(raw)) == value
    assert golang.uvarint(bytes.fromhex(raw) + b"more") == value


@pytest.mark.parametrize(
    ("raw", "value"), [("00", 0), ("01", -1), ("02", 1), ("03", -2), ("ff" * 9 + "01", -(2**63))]
)
def test_varints(raw, value) -> None:
    assert golang.varint(bytes.fromhex(raw)) == value


@pytest.mark.parametrize("raw", ["", "80", "ff" * 9 + "02", "ff" * 100])
def test_numbers_that_are_none(raw) -> None:
    with pytest.raises(ValueError, match="no number of 64 bits"):
        golang.uvarint(bytes.fromhex(raw))
    with pytest.raises(ValueError, match="no number of 64 bits"):
        golang.varint(bytes.fromhex(raw))


def time_of(seconds: int, nanoseconds: int = 0, offset: int = -1, version: int = 1) -> bytes:
    return struct.pack(">BqiH", version, seconds, nanoseconds, offset & 0xFFFF)


YEAR_2000 = 63_082_281_600
"""Seconds from the year 1 to the year 2000."""


def test_times() -> None:
    assert golang.time(time_of(YEAR_2000)) == datetime(2000, 1, 1, tzinfo=UTC)
    assert golang.time(time_of(YEAR_2000, 123_456_789)) == datetime(
        2000, 1, 1, 0, 0, 0, 123_456, tzinfo=UTC
    )
    assert golang.time(time_of(0)) is None
    east = golang.time(time_of(YEAR_2000, offset=90))
    assert east == datetime(2000, 1, 1, tzinfo=UTC)
    assert east.utcoffset() == timedelta(minutes=90)
    exact = golang.time(time_of(YEAR_2000, offset=-75, version=2) + b"\xf0")
    assert exact == datetime(2000, 1, 1, tzinfo=UTC)
    assert exact.utcoffset() == timedelta(minutes=-75, seconds=-16)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x01",
        time_of(YEAR_2000)[:-1],
        time_of(YEAR_2000) + b"\0",
        time_of(YEAR_2000, version=2),
        time_of(YEAR_2000, version=3),
        time_of(YEAR_2000, 1_000_000_000),
        time_of(YEAR_2000, -1),
        time_of(-1),
        time_of(1 << 62),
        time_of(400_000_000_000),
        time_of(YEAR_2000, offset=32000),
        time_of(1, offset=-1400),
    ],
    ids=range(13),
)
def test_times_that_are_none(raw) -> None:
    with pytest.raises(ValueError, match=r"no time|a time out of reach"):
        golang.time(raw)


@given(st.binary(max_size=20))
def test_any_bytes_are_a_time_or_refused(raw) -> None:
    try:
        moment = golang.time(raw)
    except ValueError:
        return
    assert moment is None or moment.tzinfo is not None
