"""Tables of names that people write, and which of all kinds of records a file is."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import FIXTURES
from tests.names import lvm_texts, managers
from thinscope.errors import NamesError
from thinscope.names import Names, Object, Record, table


def of(tmp_path: Path, data: str | bytes) -> Names:
    path = tmp_path / "names"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    assert managers.recognised(path) == "table"
    (found,) = managers.read(path)
    assert (found.manager, found.pool, found.source) == ("table", "", path)
    assert found.is_complete
    return found


def test_two_columns(tmp_path: Path) -> None:
    found = of(tmp_path, "device_id,name\n1,web\n0,db\n")
    assert found.objects == (
        Object(key="table/web", kind="volume", name="web"),
        Object(key="table/db", kind="volume", name="db"),
    )
    assert found.records == (
        Record(device=0, where="line 3", object="table/db", name="db"),
        Record(device=1, where="line 2", object="table/web", name="web"),
    )
    assert found.unread == ()


ALL = """\
device_id{d}name{d}kind{d}group{d}parent{d}part{d}transaction_id{d}owner{d}site
1{d}c-init{d}Container{d}c{d}image{d}init{d}7{d}joe{d}
2{d}c-top{d}{d}c{d}{d}{d}8{d}ann{d}x
3{d}image{d}image{d}{d}{d}{d}{d}{d}
"""


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_all_columns(tmp_path: Path, delimiter: str, ending: str) -> None:
    found = of(tmp_path, ALL.format(d=delimiter).replace("\n", ending))
    container, image = found.objects
    assert (container.name, container.kind, container.parent) == ("c", "container", image.key)
    assert dict(container.labels) == {"owner": "joe", "site": "x"}
    assert (image.kind, image.parent, dict(image.labels)) == ("image", None, {})
    assert [(each.name, each.part, each.transaction_id) for each in found.records] == [
        *(("c-init", "init", 7), ("c-top", "c-top", 8), ("image", "", None)),
    ]


def test_json_in_both_forms(tmp_path: Path) -> None:
    rows = [
        {"device_id": 1, "name": "a", "owner": "joe", "n": 5, "x": None},
        {"device_id": "2", "name": "b", "parent": "a"},
    ]
    found = of(tmp_path, json.dumps(rows))
    assert [(each.device, each.where) for each in found.records] == [(1, "item 1"), (2, "item 2")]
    assert dict(found.objects[0].labels) == {"owner": "joe", "n": "5"}
    assert found.objects[1].parent == "table/a"
    found = of(tmp_path, json.dumps({"1": "a", "2": {"name": "b", "parent": 1}}))
    assert [(each.device, each.where) for each in found.records] == [
        *((1, "key '1'"), (2, "key '2'")),
    ]
    assert found.objects[1].parent == "table/a"  # by one of its devices


def test_rows_of_one_name_are_one_object(tmp_path: Path) -> None:
    found = of(tmp_path, "id;name\n1;web\n2;web\n3;db\n")
    assert [each.name for each in found.objects] == ["web", "db"]
    assert [each.object for each in found.records] == ["table/web", "table/web", "table/db"]


def test_the_table_of_devices_with_a_column_of_names(tmp_path: Path) -> None:
    """What ``thinscope devices --format csv`` prints needs one more column."""
    found = of(tmp_path, "id,mapped_blocks,name\n1,300,web\n")
    assert dict(found.objects[0].labels) == {"mapped_blocks": "300"}


def test_quotes_marks_and_empty_lines(tmp_path: Path) -> None:
    text = '\ufeff\n"Device_ID", "Name"\n\n1 , "x"\n2,"a, b\nc"\n,\n3,"say ""hi"""\n'
    found = of(tmp_path, text)
    assert [(each.device, each.name, each.where) for each in found.records] == [
        (1, "x", "line 4"),
        (2, "a, b\nc", "line 5"),
        (3, 'say "hi"', "line 8"),
    ]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("x,a,", "'x' is no device id: they go from 0 to 16777215"),
        ("-1,a,", "'-1' is no device id"),
        ("1.0,a,", "'1.0' is no device id"),
        ("16777216,a,", "'16777216' is no device id"),
        ("9" * 5000 + ",a,", "'99999"),
        (",a,", "no device id"),
        ("5,,", "no name"),
        ("5", "no name"),
        ("1,b,", "device 1 is on record already, as web"),
        ("5,b,none", "its parent 'none' is in no row"),
        ("5,b,b", "following its origins leads back to itself"),
        ("\x1b[31m,b,", r"'\x1b[31m' is no device id"),
    ],
)
def test_rows_that_cannot_be(tmp_path: Path, line: str, why: str) -> None:
    found = of(tmp_path, f"device_id,name,parent\n1,web,\n{line}\n")
    assert found.records[0].name == "web"
    (unread,) = found.unread
    assert unread.where == "line 3"
    assert unread.why.startswith(why)
    assert all(each.parent is None for each in found.objects)


def test_a_loop_of_parents(tmp_path: Path) -> None:
    found = of(tmp_path, "device_id,name,parent\n1,a,b\n2,b,c\n3,c,a\n4,d,a\n")
    assert [each.parent for each in found.objects] == [None, None, None, "table/a"]
    assert [each.where for each in found.unread] == ["line 2", "line 3", "line 4"]


@pytest.mark.parametrize(
    ("data", "where", "message"),
    [
        (b"device_id,name\n1,a\n2,\xff\n", "line 3", "no UTF-8"),
        (b"device_id,name\n1,a,b\n", "line 2", "3 values for 2 columns"),
        (b'device_id,name\n1,"a\n\n', "line 2", "no CSV: "),
        (b'device_id,name\n1,a\n2,"x"y\n', "line 3", "no CSV: "),
        (b"device_id,name\n1," + b"x" * 200_000, "line 2", "no CSV: "),
        (b"device_id,name,x,x\n", "line 1", "two columns 'x'"),
        (b'[{"device_id": 1, "name": "x"}, 5]', "item 2", "no object"),
        (b'[{"device_id": 1, "name": ["x"]}]', "item 1", "'name' is no text and no number"),
        (b'{"1": ["x"]}', "key '1'", "'name' is no text and no number"),
        (b'{"1": "x"', "", "not JSON: expecting ',' delimiter: line 1 column 10 (char 9)"),
        (b'{"1": ' + b"[" * 100_000, "", "nested too deep"),
        (b'{"1": ' + b"9" * 5000 + b"}", "", "not JSON: "),
    ],
)
def test_tables_that_cannot_be_read(tmp_path: Path, data: bytes, where: str, message: str) -> None:
    with pytest.raises(NamesError) as caught:
        of(tmp_path, data)
    assert caught.value.where == where
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize(
    "text",
    ["", "\n", "device_id\n", "name\n", "a,b\n1,2\n", "[]", "{}", '[{"name": "x"}]', '{"a": "b"}'],
)
def test_what_is_no_table(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x"
    path.write_text(text)
    assert managers.recognised(path) is None


def test_a_table_without_rows(tmp_path: Path) -> None:
    assert of(tmp_path, "device_id,name\n").records == ()


def test_files_that_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", tmp_path, tmp_path / "none", Path("/dev/zero")):
        assert not table.recognises(path)
        with pytest.raises(NamesError):
            table.read(path)


def test_a_huge_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("device_id,name\n")
    os.truncate(path, 1 << 40)
    with pytest.raises(NamesError, match="larger than"):
        table.read(path)


def test_a_hundred_thousand_rows(tmp_path: Path) -> None:
    rows = "".join(f"{number},n{number},n{number - 1}\n" for number in range(1, 100_000))
    found = of(tmp_path, "device_id,name,parent\n0,n0,\n" + rows)
    assert len(found.objects) == 100_000
    assert found.unread == ()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_flipped_and_cut(tmp_path: Path, data: st.DataObject) -> None:
    samples = [ALL.format(d=","), '[{"device_id": 1, "name": "a"}]', '{"1": "a", "2": "b"}']
    content = bytearray(data.draw(st.sampled_from(samples)).encode())
    del content[data.draw(st.integers(0, len(content))) :]
    for _ in range(data.draw(st.integers(0, 6)) if content else 0):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "flipped"
    path.write_bytes(content)
    table.recognises(path)
    managers.failure(table.read, path)


# Which kind of record a file is.


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.binary(max_size=200)
    | st.text('{}[]":,; \n#=_devicnam01-', max_size=200).map(str.encode)
    | st.sampled_from([*map(Path.read_bytes, [lvm_texts.TEXT, lvm_texts.REPORT, lvm_texts.TABLE])])
)
def test_no_file_is_of_two_kinds(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any"
    path.write_bytes(content)
    managers.recognised(path)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (lvm_texts.TEXT, "lvm"),
        (lvm_texts.REPORT, "lvm"),
        (lvm_texts.TABLE, "dmsetup"),
        (lvm_texts.LVM / "answers", "lvm"),  # a folder with a text in it
        (lvm_texts.LVM / "answers/lvs.txt", None),
        (lvm_texts.LVM / "answers/dump-1.x.xml", None),
        (lvm_texts.LVM / "answers/ls-1.x.txt", None),
        (lvm_texts.LVM / "scenario.sh", None),
        (lvm_texts.LVM / "metadata.bin.zst", None),
        (FIXTURES / "docker-b/answers/inspect-containers.json", None),
        (FIXTURES / "MANIFEST.toml", None),
        (FIXTURES / "oracle.json", None),
        (FIXTURES, None),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_the_fixtures(path: Path, kind: str | None) -> None:
    assert managers.recognised(path) == kind


def test_no_more_is_read_than_the_beginning(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b" " * (1 << 17) + lvm_texts.text())
    assert managers.recognised(path) is None
