"""LVM's text: the grammar, on what LVM wrote and on what it never would."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.names import lvm_texts, managers
from thinscope.errors import NamesError
from thinscope.formats import lvm_text


def test_the_captured_backup() -> None:
    parsed = lvm_text.parse(lvm_texts.TEXT.read_bytes())
    assert list(parsed) == [
        *("contents", "version", "description", "creation_host", "creation_time", "vgdocker"),
    ]
    group = parsed["vgdocker"]
    assert group["seqno"] == 23
    assert group["status"] == ["RESIZEABLE", "READ", "WRITE"]
    assert group["flags"] == []
    assert group["logical_volumes"]["web-snap1-clone"]["segment1"] == {
        "start_extent": 0,
        "extent_count": 256,
        "type": "thin",
        "thin_pool": "thinpool",
        "transaction_id": 5,
        "device_id": 6,
        "origin": "web-snap1",
    }
    assert group["logical_volumes"]["thinpool_tmeta"]["segment1"]["stripes"] == ["pv0", 613]


def test_the_text_on_the_disk_says_the_same_as_the_backup() -> None:
    backup = lvm_text.parse(lvm_texts.TEXT.read_bytes())
    disk = lvm_text.parse(lvm_texts.current())
    assert next(iter(disk)) == "vgdocker"  # here the head comes last
    assert disk["vgdocker"] == backup["vgdocker"]


def test_every_version_in_the_ring_buffer() -> None:
    parsed = [lvm_text.parse(text) for text in lvm_texts.ring()]
    assert [each["vgdocker"]["seqno"] for each in parsed] == list(range(1, 24))
    assert "logical_volumes" not in parsed[0]["vgdocker"]
    assert all(each["contents"] == "Text Format Volume Group" for each in parsed)
    messages = [re.findall(rb"message1 \{\n(.*)\n\}", text) for text in lvm_texts.ring()]
    for each, message in zip(parsed, messages, strict=True):
        pool = each["vgdocker"].get("logical_volumes", {}).get("thinpool", {}).get("segment1", {})
        words = [f'{key} = "{value}"' for key, value in pool.get("message1", {}).items()]
        assert [word.replace('"', "") for word in words] == [
            each.decode().replace('"', "") for each in message
        ]


def test_a_zero_byte_ends_the_text() -> None:
    text = lvm_texts.current()
    assert text.endswith(b"\0")
    older = text + b"\0" * 400 + lvm_texts.ring()[0]
    assert lvm_text.parse(older) == lvm_text.parse(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a = 1", 1),
        ("a=-1", -1),
        ("a\n=\n+7", 7),
        ("a = 18446744073709551615", (1 << 64) - 1),
        ("a = 1.5", 1.5),
        ("a = -.5", -0.5),
        ('a = ""', ""),
        ('a = "x # no comment"', "x # no comment"),
        (r'a = "a \"b\" c\\d\n"', 'a "b" c\\d\\n'),
        ('a = "two\nlines"', "two\nlines"),
        ("a = []", []),
        ("a = [\n\n]", []),
        ('a = ["x", 1, -2.0,]', ["x", 1, -2.0]),
        ('a = ["x" "y"]', ["x", "y"]),  # LVM does not ask for commas
        ("a {}", {}),
        ("a { b { c = 1 } d = 2 }", {"b": {"c": 1}, "d": 2}),
        ("a = 1 # comment", 1),
        ("# comment\n\n\ta = 1\r\n#", 1),
        ("a = 1 a = 2", 2),
        ("a { x = 1 y = 1 } a { y = 2 }", {"x": 1, "y": 2}),
        ("a { x = 1 } a = 3", 3),
        ("a = 3 a { x = 1 }", {"x": 1}),
    ],
)
def test_what_the_grammar_takes(text: str, value: object) -> None:
    assert lvm_text.parse(text.encode())["a"] == value


@pytest.mark.parametrize("name", ["100", "-1", "1.5", "vm-100-disk-0", "a+b_c.d", "\N{SNOWMAN}"])
def test_names_may_look_like_numbers(name: str) -> None:
    assert lvm_text.parse(f"x {{ {name} {{ {name} = 1 }} }}".encode()) == {"x": {name: {name: 1}}}


def test_bytes_that_are_no_utf8_are_kept() -> None:
    parsed = lvm_text.parse(b'creation_host = "h\xff"')
    assert str(parsed["creation_host"]).encode("utf-8", "surrogateescape") == b"h\xff"


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("a", 1, "expected '=' or '{', found the end"),
        ("a = 1\n\nb =", 3, "expected a number or a string or '[', found the end"),
        ("a = b", 1, "expected a number or a string or '[', found 'b'"),
        ("a = 1\nb = {", 2, "expected a number or a string or '[', found '{'"),
        ("a {\n b = 1\n", 2, "expected a name or '}', found the end"),
        ("a {\n}\n}", 3, "expected a name or the end, found '}'"),
        ("a = [1, 2\nb = 3", 2, "expected a number or a string or ']' or ',', found 'b'"),
        ("a = [[1]]", 1, "expected a number or a string or ']' or ',', found '['"),
        ('a = "x', 1, "expected a number or a string or '[', found a string without an end"),
        ('a = "\x1b[31m" "x\x1b[0m"', 1, r"""expected a name or the end, found '"x\x1b[0m"'"""),
        ("a = 1 = 2", 1, "expected a name or the end, found '='"),
        ("\n\n= 2", 3, "expected a name or the end, found '='"),
        ("a = " + "1" * 21, 1, "a number of more than 20 digits"),
        ("a = [" + "1" * 5000 + "]", 1, "a number of more than 20 digits"),
        ("a {\n" * 100_000, 17, "more than 16 sections inside one another"),
        ("a {" * 100_000, 1, "more than 16 sections inside one another"),
        ("x" * 100 + "]", 1, "expected '=' or '{', found ']'"),
        ("a = " + "x" * 100, 1, f"expected a number or a string or '[', found '{'x' * 40}...'"),
    ],
)
def test_what_breaks_the_grammar(text: str, where: int, message: str) -> None:
    with pytest.raises(NamesError) as caught:
        lvm_text.parse(text.encode(), "file")
    assert caught.value.message == message
    assert caught.value.where == f"line {where}"
    assert caught.value.source == "file"


def test_a_text_that_is_too_large() -> None:
    with pytest.raises(NamesError, match="larger than"):
        lvm_text.parse(b"#" * (lvm_text.LIMIT + 1))


@pytest.mark.parametrize(
    "text",
    [
        b'a = "' + rb"\x" * 4_000_000,
        b"#" * 8_000_000,
        b" " * 8_000_000,
        b"\n" * 8_000_000 + b"]",
        b"a" * 8_000_000,
        b'a = "' + b"x" * 8_000_000 + b'"',
    ],
    ids=["escapes", "comment", "blanks", "lines", "name", "string"],
)
def test_long_tokens_take_no_long_time(text: bytes) -> None:
    begin = time.monotonic()
    managers.failure(lvm_text.parse, text)
    assert time.monotonic() - begin < 10


def test_five_thousand_volumes_take_seconds() -> None:
    volumes = [lvm_texts.thin(f"lv{number}", number) for number in range(5000)]
    text = lvm_texts.text(lvm_texts.pool(), *volumes)
    begin = time.monotonic()
    parsed = lvm_text.parse(text)
    took = time.monotonic() - begin
    assert len(parsed["vg"]["logical_volumes"]) == 5001
    print(f"{len(text)} bytes, {took:.1f} s")
    assert took < 20


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        (b"a = 1\n" * 9, "values and sections", 6),
        (b"a {}\n" * 9, "values and sections", 6),
        (b"a = [" + b"1,\n" * 9 + b"]", "numbers and strings", 7),
        (b"a = [" + b'""\n.' * 9 + b"]", "numbers and strings", 4),
    ],
)
def test_more_than_any_text_says(
    monkeypatch: pytest.MonkeyPatch, text: bytes, words: str, line: int
) -> None:
    """Short values take many times their size in memory."""
    assert lvm_text.parse(text)
    monkeypatch.setattr(lvm_text, "MOST_NAMES", 5)
    monkeypatch.setattr(lvm_text, "MOST_VALUES", 6)
    error = managers.failure(lvm_text.parse, text)
    assert error is not None
    assert words in error.message
    assert error.where == f"line {line}"


def test_cut_off_at_every_byte() -> None:
    text = lvm_texts.text(lvm_texts.pool(), lvm_texts.thin("web", 1)).rstrip()
    cut = 0
    for size in range(len(text)):
        error = managers.failure(lvm_text.parse, text[:size])
        if error is None:
            assert "vg" not in lvm_text.parse(text[:size])  # it is still in the head
        else:
            cut += 1
            assert error.where.startswith("line ")
    assert cut > 500


@given(st.data())
def test_flipped_bytes(data: st.DataObject) -> None:
    text = bytearray(lvm_texts.TEXT.read_bytes())
    for _ in range(data.draw(st.integers(1, 20))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at] = data.draw(st.integers(0, 255))
    error = managers.failure(lvm_text.parse, bytes(text))
    assert error is None or str(error).isprintable()


@given(st.binary(max_size=300) | st.text('{}[]=#"\\\n ab1.-,', max_size=300).map(str.encode))
def test_any_bytes(text: bytes) -> None:
    lvm_text.begins(text)
    lvm_text.glance(text)
    error = managers.failure(lvm_text.parse, text)
    assert error is None or error.where.startswith("line ")


PLAIN = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=9)
VALUE = PLAIN | st.integers(-(10**18), 10**18) | st.decimals(-(10**9), 10**9, places=3).map(float)
NAME = st.from_regex(r"[A-Za-z0-9+_.-]{1,9}", fullmatch=True)
SECTION = st.recursive(
    VALUE | st.lists(VALUE, max_size=4),
    lambda inside: st.dictionaries(NAME, inside, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(NAME, SECTION, max_size=4))
def test_what_was_written_is_parsed(section: dict[str, object]) -> None:
    assert lvm_text.parse(lvm_texts.written(section)) == section


def test_what_a_text_begins_with() -> None:
    assert lvm_text.begins(lvm_texts.TEXT.read_bytes()[:4096])
    assert all(lvm_text.begins(text[:4096]) for text in lvm_texts.ring())
    assert lvm_text.begins(lvm_texts.text())
    assert not lvm_text.begins(b"")
    assert not lvm_text.begins(b"# Generated by LVM2\n")
    assert not lvm_text.begins(b"config {\n\tchecks = 1\n}\n")  # lvm.conf
    assert not lvm_text.begins(b"version = 1\nname = x\ncontents = 5\n")
    moved = lvm_texts.TEXT.read_bytes().replace(b"\ncontents", b"\nversion = 1\ncontents")
    assert lvm_text.begins(moved)


def test_a_glance() -> None:
    told = lvm_text.glance(lvm_texts.TEXT.read_bytes())
    assert told == lvm_text.Glance("vgdocker", lvm_texts.ID, 23, 1795165108)
    seen = [lvm_text.glance(text[:100]) for text in lvm_texts.ring()]
    assert [each.seqno for each in seen if each] == list(range(1, 24))
    assert lvm_text.glance(b"vg {\n}") is None
