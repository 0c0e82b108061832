from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retentiond.document import DEEPEST, MOST_BYTES, read
from retentiond.errors import ConfigurationError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "policy.yaml"


def refused(file: Path, content: str | bytes) -> list[str]:
    file.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    with pytest.raises(ConfigurationError, match="cannot be used; nothing was done") as caught:
        read(file)
    told = [str(problem) for problem in caught.value.problems]
    assert all(one.startswith(f"{file}:") for one in told)
    return [one.removeprefix(f"{file}:").strip() for one in told]


def data(file: Path, content: str) -> object:
    file.write_text(content)
    return read(file).data


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12:30", "12:30"),
        ("02:30", "02:30"),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("2025-10-20", "2025-10-20"),
        ("2025-10-20T10:15:30+02:00", "2025-10-20T10:15:30+02:00"),
        ("1_000", "1_000"),
        ("20%", "20%"),
        ("P3Y", "P3Y"),
        ("true", True),
        ("FALSE", False),
        ("0", 0),
        ("-7", -7),
        ("+12", 12),
        ("0o17", 15),
        ("0xFF", 255),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("'010'", "010"),
        ('"true"', "true"),
        ("'~'", "~"),
        ("''", ""),
        ("|\n  a\n  b\n", "a\nb\n"),
        ("[]", []),
        ("{}", {}),
        ("Löschung ✓ 🗑", "Löschung ✓ 🗑"),
    ],
)
def test_a_value_is_what_it_looks_like(file: Path, text: str, value: object) -> None:
    read_back = data(file, f"key: {text}")
    assert read_back == {"key": value}
    assert isinstance(read_back, dict)
    assert type(read_back["key"]) is type(value)


@pytest.mark.parametrize("key", ["on", "no", "yes", "off", "12:30", "2025-10-20"])
def test_a_key_that_older_yaml_took_for_something_else_is_text(file: Path, key: str) -> None:
    assert data(file, f"{key}: x") == {key: "x"}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a: 1\nb: 2\na: 3\n", "3:1: a: the key is here a second time; the first one is at {file}:1:1. Keep one of them"),
        ("a: {b: 1, 'b': 2}", "1:11: a.b: the key is here a second time; the first one is at {file}:1:5. Keep one of them"),
        ("a: &x 1", "1:4: a: an anchor (&) is not allowed; take it out"),
        ("a: &x [1]", "1:4: a: an anchor (&) is not allowed; take it out"),
        ("a: *x", "1:4: a: an alias (*) is not allowed; write it out"),
        ("a:\n  <<: {b: 1}", "2:3: a: a merge key (<<) is not allowed; write the keys out"),
        ("a: !!str 1", "1:4: a: a tag (!) is not allowed; take it out"),
        ("a: !!python/object:os.system {}", "1:4: a: a tag (!) is not allowed; take it out"),
        ("a: !mine x", "1:4: a: a tag (!) is not allowed; take it out"),
        ("!!map {a: 1}", "1:1: a tag (!) is not allowed; take it out"),
        ("&k a: 1", "1:1: a: an anchor (&) or tag (!) is not allowed; take it out"),
        ("true: 1", "1:1: a key must be text; write 'true' in quotes if it is meant"),
        ("x:\n  1: a", "2:3: x: a key must be text; write '1' in quotes if it is meant"),
        ("~: 1", "1:1: a key must be text; write '~' in quotes if it is meant"),
        ("? [a]\n: 1", "1:3: a key must be text"),
        ("a:\nb: 1", "1:1: a: has no value; write one, or leave the key out"),
        ("a: ~", "1:4: a: has no value; write one, or leave the key out"),
        ("a: [1, ~]", "1:8: a[1]: has no value; write one, or leave the key out"),
        ("a: Null", "1:4: a: has no value; write one, or leave the key out"),
        ("a: 010", "1:4: a: a number has no leading zero; write '010' in quotes if it is text"),
        ("a: .inf", "1:4: a: this is no number that can be used; put it in quotes if it is text"),
        ("a: .NaN", "1:4: a: this is no number that can be used; put it in quotes if it is text"),
        ("a: " + "9" * 5000, "1:4: a: this is no number that can be used; put it in quotes if it is text"),
        ("a: 1e400", "1:4: a: this is no number that can be used; put it in quotes if it is text"),
        ("a: 1\n---\nb: 2", "2:1: a second document begins here; one file holds one document"),
        ("a: 1\n...\n---\nb: 2", "3:1: a second document begins here; one file holds one document"),
        ("%YAML 1.1\n---\na: 1", "2:1: only YAML 1.2 without tags is read; take the line with % out"),
        ("%TAG ! tag:x,2000:\n---\na: 1", "2:1: only YAML 1.2 without tags is read; take the line with % out"),
        ("a: 1\nb: x\x00y", "2:5: the character U+0000 is not allowed; take it out"),
        ("a: \x1b[31m", "1:4: the character U+001B is not allowed; take it out"),
        ('a: "x\\0y"', "1:4: a: the character U+0000 is not allowed; take it out"),
        ("", "1:1: the file is empty"),
        ("# only a comment\n", "1:1: the file is empty"),
        ("---\n", "2:1: has no value; write one, or leave the key out"),
    ],
)
def test_a_trap_is_an_error_with_its_place(file: Path, content: str, told: str) -> None:
    assert refused(file, content) == [told.format(file=file)]


def test_the_plain_word_null_is_none_and_in_quotes_it_is_text(file: Path) -> None:
    file.write_text("a: null\nb: [null]\nc: 'null'")
    assert read(file).data == {"a": None, "b": [None], "c": "null"}


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ("a: [1", "1:6"),
        ("a:\n\tb: 1", "2:1"),
        ("a: b: c", "1:5"),
        ("a: 'x", "1:6"),
        ("a: 1\n b: 2", "2:3"),
        ("}", "1:1"),
        ("a: @x", "1:4"),
        ("%YAML 1.3\n---\na: 1", "1:1"),
        ('a: b\nc: "\\UFFFFFFFF"', "2:2"),
        ('a: b\nc: "\\U00110000"', "2:2"),
    ],
)
def test_what_is_no_yaml_is_an_error_with_its_place(file: Path, content: str, place: str) -> None:
    (told,) = refused(file, content)
    assert told.startswith(f"{place}: this is no YAML: ")


def test_all_problems_are_told_at_once_and_in_order(file: Path) -> None:
    told = refused(file, "a: 1\na: &x 2\ntrue: ~\nb: [010, {c: 1, c: 2}]\n")
    assert [one.split(" ")[0] for one in told] == ["2:1:", "2:4:", "3:1:", "3:7:", "4:5:", "4:17:"]


def test_what_is_wrong_before_the_end_of_the_yaml_is_told_too(file: Path) -> None:
    told = refused(file, "a: 1\na: 2\nb: [")
    assert [one.split(":")[0] for one in told] == ["2", "3"]


def test_bytes_that_are_no_utf_8_are_told_with_their_place(file: Path) -> None:
    assert refused(file, b"a: 1\nb: L\xf6schung") == ["2:5: this byte is no UTF-8; save the file as UTF-8"]
    assert refused(file, "a: 1".encode("utf-16"))[0].endswith("save the file as UTF-8")


def test_a_byte_order_mark_is_not_part_of_the_first_key(file: Path) -> None:
    file.write_bytes("\ufeffa: 1".encode())
    assert read(file).data == {"a": 1}


def test_a_file_that_is_too_large_is_not_parsed(file: Path) -> None:
    assert refused(file, "a: " + "x" * MOST_BYTES) == ["1:1: the file is larger than 1,000,000 bytes"]


@pytest.mark.parametrize("content", ["[" * 50_000, "{a: " * 50_000, "- " * 50_000, "".join(f"{' ' * n}a:\n" for n in range(500))])
def test_what_is_nested_too_deep_is_given_up_at_once(file: Path, content: str) -> None:
    (told,) = refused(file, content)
    assert f"nested deeper than {DEEPEST} levels" in told


@pytest.mark.parametrize("kind", ["missing", "folder", "fifo"])
def test_what_is_no_file_is_an_error_and_never_waited_for(file: Path, kind: str) -> None:
    if kind == "folder":
        file.mkdir()
    elif kind == "fifo":
        os.mkfifo(file)
    with pytest.raises(ConfigurationError) as caught:
        read(file)
    (problem,) = caught.value.problems
    assert problem.where == str(file)
    assert problem.what == (
        "the file cannot be read: no such file or directory" if kind == "missing" else "this is no regular file"
    )


def test_a_file_that_may_not_be_read_is_an_error(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> int:
        raise PermissionError(errno.EACCES, "a text of the system's own")

    monkeypatch.setattr(os, "open", forbidden)  # root, as which tests may run, can read everything
    with pytest.raises(ConfigurationError, match="the file cannot be read: permission denied"):
        read(file)


def test_every_place_is_known(file: Path) -> None:
    file.write_text("a: 1\nb:\n  - x\n  - {c: d,\n     e: [f]}\n")
    document = read(file)
    places = {
        (): "1:1",
        ("a",): "1:4",
        ("b",): "2:1",
        ("b", 0): "3:5",
        ("b", 1): "4:5",
        ("b", 1, "c"): "4:9",
        ("b", 1, "e", 0): "5:10",
    }
    assert {loc: document.where(loc) for loc in places} == {loc: f"{file}:{place}" for loc, place in places.items()}
    assert document.where(("a",), key=True) == f"{file}:1:1"
    assert document.where(("b", 1, "missing")) == f"{file}:4:5"
    assert document.where(("nowhere", 3)) == f"{file}:1:1"


def test_a_document_knows_its_bytes(file: Path) -> None:
    file.write_text("a: 1")
    first = read(file).digest
    file.write_text("a: 1 # noted")
    assert len(first) == 64
    assert read(file).digest != first


@given(st.one_of(st.text(), st.text("ab01:-?,[]{}&*!|>'\"%@`#~<\n \t.x\x00\x85\u2028\ufeff"), st.binary()))
def test_whatever_is_in_a_file_it_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: str | bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "anything.yaml"
    file.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    problems, result = None, None
    try:
        result = read(file).data
    except ConfigurationError as error:
        problems = error.problems
    assert json.loads(json.dumps(result)) == result
    assert problems is None or (problems and all(one.where.startswith(f"{file}:") for one in problems))


def test_a_number_too_long_for_any_use_is_no_reason_to_fall_over(file: Path) -> None:
    assert data(file, f"? {'9' * 5000}\n: x") == {"9" * 5000: "x"}
