"""Tiles and bundles: their names, what they hold, and the tree that comes out of them again."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from retentiond.audit.tile import (
    Tile,
    TileError,
    bundle_path,
    full_bundle,
    hash_at_of,
    split_bundle,
    tile_path,
    tiles_of,
)
from retentiond.audit.tree import Range, inclusion_proof, leaf_hash, node_hash, root, verify_inclusion


def stored(leaves: list[bytes]) -> dict[tuple[int, int], bytes]:
    """The tiles of a log, from the definition: every 256th level, 256 at a time."""
    hashes, level, found = [leaf_hash(leaf) for leaf in leaves], 0, dict[tuple[int, int], bytes]()
    while hashes:
        for n in range(0, len(hashes), 256):
            found[level, n // 256] = b"".join(hashes[n : n + 256])
        for _ in range(8):
            hashes = [node_hash(hashes[n], hashes[n + 1]) for n in range(0, len(hashes) - 1, 2)]
        level += 1
    return found


LEAVES = [b"%d" % number for number in range(256 * 256 + 5 * 256 + 7)]
TILES = stored(LEAVES)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (tile_path(0, 0), "tile/0/000"),
        (tile_path(0, 999), "tile/0/999"),
        (tile_path(0, 1000), "tile/0/x001/000"),
        (tile_path(0, 1234067), "tile/0/x001/x234/067"),
        (tile_path(3, 1000000, 1), "tile/3/x001/x000/000.p/1"),
        (tile_path(63, 12, 255), "tile/63/012.p/255"),
        (tile_path(1, 12, 256), "tile/1/012"),
        (bundle_path(0), "tile/entries/000"),
        (bundle_path(1234067, 17), "tile/entries/x001/x234/067.p/17"),
        (Tile(2, 1001, 9).path, "tile/2/x001/001.p/9"),
        (Tile(2, 1001).path, "tile/2/x001/001"),
    ],
)
def test_a_tile_lies_where_others_look_for_it(path: str, expected: str) -> None:
    assert path == expected


@given(st.integers(0, 2**40))
def test_the_number_can_be_read_back_from_the_path(n: int) -> None:
    groups = tile_path(0, n).split("/")[2:]
    assert [group[0] == "x" for group in groups] == [True] * (len(groups) - 1) + [False]
    assert [len(group.lstrip("x")) for group in groups] == [3] * len(groups)
    assert int("".join(groups).replace("x", "")) == n


@pytest.mark.parametrize(("level", "n", "width"), [(-1, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, -1), (0, 0, 257)])
def test_a_tile_that_cannot_be_has_no_path(level: int, n: int, width: int) -> None:
    with pytest.raises(ValueError, match="a tile has another"):
        tile_path(level, n, width)


@pytest.mark.parametrize(("n", "width"), [(-1, 1), (0, 0), (0, 257)])
def test_a_bundle_that_cannot_be_has_no_path(n: int, width: int) -> None:
    with pytest.raises(ValueError, match="a tile has another"):
        bundle_path(n, width)


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_a_bundle_gives_its_entries_back(entries: list[bytes]) -> None:
    assert split_bundle(full_bundle(entries)) == entries


def test_the_length_of_an_entry_stands_before_it_high_byte_first() -> None:
    assert full_bundle([b"a", b"", b"b" * 258]) == b"\x00\x01a\x00\x00\x01\x02" + b"b" * 258


def test_the_longest_entry_fits_and_a_longer_one_is_refused() -> None:
    assert split_bundle(full_bundle([bytes(65535)])) == [bytes(65535)]
    with pytest.raises(TileError, match="longer"):
        full_bundle([bytes(65536)])


@given(st.lists(st.binary(min_size=1, max_size=5), min_size=1, max_size=5), st.data())
def test_a_bundle_that_was_cut_is_refused_or_shorter(entries: list[bytes], data: st.DataObject) -> None:
    bundle = full_bundle(entries)
    cut = bundle[: data.draw(st.integers(0, len(bundle) - 1))]
    if cut in {full_bundle(entries[:count]) for count in range(len(entries))}:
        assert split_bundle(cut) == entries[: len(split_bundle(cut))]
    else:
        with pytest.raises(TileError, match="cut"):
            split_bundle(cut)


@given(st.binary(max_size=60))
def test_whatever_can_be_split_is_put_together_the_same(noise: bytes) -> None:
    try:
        entries = split_bundle(noise)
    except TileError:
        return
    assert full_bundle(entries) == noise


def test_a_bundle_of_more_than_256_entries_is_refused() -> None:
    assert len(split_bundle(full_bundle([b""] * 256))) == 256
    with pytest.raises(TileError, match="more"):
        split_bundle(full_bundle([b""] * 257))


@settings(max_examples=30)
@given(st.integers(0, 1000))
@example(256)
@example(256 * 256 - 1)
@example(256 * 256)
@example(len(LEAVES))
def test_the_tiles_of_a_size_hold_the_whole_tree(size: int) -> None:
    held = {tile: TILES[tile.level, tile.n][: 32 * tile.width] for tile in tiles_of(0, size)}
    assert {(tile.level, tile.n): hashes for tile, hashes in held.items()} == (
        TILES if size == len(LEAVES) else stored(LEAVES[:size])
    )
    assert all(len(hashes) == 32 * tile.width for tile, hashes in held.items())
    assert list(held) == sorted(held)
    by_place = {(tile.level, tile.n): hashes for tile, hashes in held.items()}
    hash_at = hash_at_of(lambda level, n: by_place[level, n])
    whole = Range().grown(LEAVES[:size]).root()
    assert root(size, hash_at) == whole
    for index in {0, size // 3, size - 1} if size else ():
        verify_inclusion(index, size, leaf_hash(LEAVES[index]), inclusion_proof(index, size, hash_at), whole)


@given(st.integers(0, 70000), st.integers(0, 70000))
def test_growing_adds_the_tiles_that_were_not_there(one: int, other: int) -> None:
    old, new = sorted((one, other))
    assert list(tiles_of(old, new)) == sorted(set(tiles_of(0, new)) - set(tiles_of(0, old)))


def test_a_log_that_did_not_grow_has_no_new_tiles() -> None:
    assert list(tiles_of(0, 0)) == list(tiles_of(300, 300)) == []
    assert list(tiles_of(255, 257)) == [Tile(0, 0), Tile(0, 1, 1), Tile(1, 0, 1)]


@settings(max_examples=50)
@given(st.integers(0, 10) | st.just(16), st.data())
def test_every_full_subtree_is_found(level: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, (len(LEAVES) >> level) - 1))
    leaves = LEAVES[index << level : (index + 1) << level]
    assert hash_at_of(lambda level, n: TILES[level, n])(level, index) == Range().grown(leaves).root()


def test_a_tile_is_looked_at_once() -> None:
    asked = list[tuple[int, int]]()

    def tile(level: int, n: int) -> bytes:
        asked.append((level, n))
        return TILES[level, n]

    hash_at = hash_at_of(tile)
    for index in range(256):
        inclusion_proof(index, len(LEAVES), hash_at)
    assert len(asked) == len(set(asked))


@pytest.mark.parametrize("size", [31, 33, 257 * 32, 256 * 32 + 1])
def test_a_tile_that_was_cut_or_is_too_long_is_refused(size: int) -> None:
    with pytest.raises(TileError, match="cut"):
        hash_at_of(lambda _level, _n: bytes(size))(0, 0)


@pytest.mark.parametrize(("level", "index"), [(0, 3), (1, 1), (2, 0)])
def test_what_lies_behind_the_end_of_a_tile_is_refused(level: int, index: int) -> None:
    hash_at = hash_at_of(lambda _level, _n: bytes(3 * 32))
    with pytest.raises(TileError, match="reach"):
        hash_at(level, index)
