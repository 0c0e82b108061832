"""The program in an export from within: its signatures against those of a library, and any byte whatever changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from support.published import SIGNER, three_runs

from retentiond.audit.tile import bundle_path, tile_path
from retentiond.audit.verify_export import ORDER, Key, Log, P, Refused, check, signature_holds

seeds = st.binary(min_size=32, max_size=32)


def public_of(seed: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def library_says(public: bytes, signature: bytes, text: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, text)
    except InvalidSignature:
        return False
    return True


def program_says(public: bytes, signature: bytes, text: bytes) -> bool:
    try:
        return signature_holds(public, signature, text)
    except Refused:  # no key at all
        return False


@settings(max_examples=40)
@given(seeds, st.binary(max_size=200), st.integers(0, 511))
def test_signatures_hold_exactly_where_the_library_says_so(seed: bytes, text: bytes, place: int) -> None:
    public, signature = public_of(seed), Ed25519PrivateKey.from_private_bytes(seed).sign(text)
    assert signature_holds(public, signature, text)
    changed = (int.from_bytes(signature, "big") ^ 1 << place).to_bytes(64, "big")
    other_key = (int.from_bytes(public, "big") ^ 1 << place % 256).to_bytes(32, "big")
    for case in ((public, changed, text), (public, signature, text + b"\x00"), (other_key, signature, text)):
        assert program_says(*case) == library_says(*case) == False  # noqa: E712 - all three the same


def test_a_signature_from_the_published_vectors_holds() -> None:
    # RFC 8032, section 7.1, tests 1 to 3.
    for seed, public, text, signature in (
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
    ):
        assert public_of(bytes.fromhex(seed)).hex() == public
        assert signature_holds(bytes.fromhex(public), bytes.fromhex(signature), bytes.fromhex(text))


def test_a_signature_has_one_form() -> None:
    text, seed = b"text", bytes(32)
    signature = Ed25519PrivateKey.from_private_bytes(seed).sign(text)
    again = int.from_bytes(signature[32:], "little") + ORDER
    assert not signature_holds(public_of(seed), signature[:32] + again.to_bytes(32, "little"), text)
    assert not signature_holds(public_of(seed), signature[:-1], text)
    assert not signature_holds(public_of(seed), signature + b"\x00", text)


@pytest.mark.parametrize(
    "public",
    [
        pytest.param((2).to_bytes(32, "little"), id="no point has this y"),
        pytest.param((P + 1).to_bytes(32, "little"), id="a y that is too large"),
        pytest.param((1 | 1 << 255).to_bytes(32, "little"), id="x is 0 and negative"),
    ],
)
def test_what_is_no_point_is_no_key(public: bytes) -> None:
    with pytest.raises(Refused, match="no Ed25519 key"):
        signature_holds(public, bytes(64), b"")


@given(st.integers(0, 2**30), st.integers(1, 2**20))
def test_tiles_and_bundles_lie_where_they_are_written(n: int, more: int) -> None:
    log, count = Log(Path("log"), 0), n * 256 + more
    width = min(256, more)
    assert log.file("3", n, count).as_posix() == "log/" + tile_path(3, n, width)
    assert log.file("entries", n, count).as_posix() == "log/" + bundle_path(n, width)


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export with a few proofs; whatever changes it mends it again."""
    log = three_runs()
    extra = {f"proof/{index}.tlog-proof": log.proof(index).encode() for index in (0, 300, log.size - 1)}
    extra[f"proof/{log.sizes[2]}-{log.size}.consistency"] = log.consistency(log.sizes[2]).encode()
    return log.export(tmp_path_factory.mktemp("export") / "export", extra=extra)


def found(export: Path) -> list[str]:
    problems: list[str] = []
    try:
        check(export, Key(str(SIGNER.verifier)), [], [], problems)
    except (Refused, OSError) as error:
        return [str(error)]
    return problems


def evidence(export: Path) -> list[Path]:
    return sorted(path for part in ("log", "checkpoints", "proof") for path in (export / part).rglob("*") if path.is_file())


@settings(max_examples=30)
@given(st.data())
def test_any_byte_that_is_changed_is_noticed(export: Path, data: st.DataObject) -> None:
    file = data.draw(st.sampled_from(evidence(export)))
    before = file.read_bytes()
    place, bit = data.draw(st.integers(0, len(before) - 1)), data.draw(st.integers(0, 7))
    try:
        for after in (
            before[:place] + bytes([before[place] ^ 1 << bit]) + before[place + 1 :],
            before[:place] + before[place + 1 :],
            before[:place] + bytes([before[place]]) + before[place:],
            before[:place],
        ):
            if after != before:
                file.write_bytes(after)
                assert found(export)
    finally:
        file.write_bytes(before)


def test_any_file_that_is_missing_is_noticed_unless_it_holds_entries_only(export: Path, tmp_path: Path) -> None:
    for file in evidence(export):
        name = file.relative_to(export)
        copy = tmp_path / "copy"
        shutil.copytree(export, copy)
        (copy / name).unlink()
        # Entries may be pruned, proofs need not be there, and the newest checkpoint is there twice.
        dispensable = name.parts[0] == "proof" or "entries" in name.parts or name.as_posix() == f"checkpoints/{three_runs().size}"
        assert bool(found(copy)) != dispensable, name
        shutil.rmtree(copy)


def test_the_untouched_export_is_in_order(export: Path) -> None:
    assert found(export) == []
