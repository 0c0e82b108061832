"""Checks an export of the deletion log; the one file of an export that is a program, and needs Python 3.9 and nothing else.

It shares no code with retentiond. `python3 verify.py EXPORT --vkey KEY` ends with status 0 where all agrees, 1 where not.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import sys
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

WIDTH, DIGEST, MOST_TOLD = 256, 32, 20
ACTED = frozenset({"returning", "rowcount", "receipt", "xid", "response", "stored-answer", "unlink", "operator"})
HOW = {"confirmed": ACTED, "pending-copies": ACTED, "unverified": ACTED, "already-absent": {"not-found", "probe", "operator"}}

# Ed25519 as RFC 8032 has it. Points are (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z.
P, ORDER = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


class Refused(ValueError):
    """Something does not hold; the text says what."""


def digest(*parts: bytes) -> bytes:
    """SHA-256. A leaf is hashed behind a byte 0, two nodes behind a byte 1."""
    return hashlib.sha256(b"".join(parts)).digest()


def added(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    """The sum of two points."""
    a, b = (one[1] - one[0]) * (other[1] - other[0]) % P, (one[1] + one[0]) * (other[1] + other[0]) % P
    c, d = 2 * one[3] * other[3] * D % P, 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def point(raw: bytes) -> tuple[int, ...]:
    """The point of 32 bytes."""
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (x * x - square) % P or (x == 0 and sign):
        raise Refused("The key is no Ed25519 key.")
    return (x, y, 1, x * y % P) if x & 1 == sign else (P - x, y, 1, (P - x) * y % P)


def signature_holds(public: bytes, signature: bytes, text: bytes) -> bool:
    """True where `signature` over `text` was made with the key whose public half this is."""
    s = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or s >= ORDER:  # noqa: PLR2004 - an Ed25519 signature
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + text).digest(), "little") % ORDER
    key, base = point(public), point(bytes.fromhex("58" + "66" * 31))
    minus_key = (P - key[0], key[1], 1, P - key[3])
    found: tuple[int, ...] = (0, 1, 1, 0)
    steps = {(0, 0): found, (1, 0): base, (0, 1): minus_key, (1, 1): added(base, minus_key)}
    for bit in range(255, -1, -1):  # s * base - h * key, both at once
        found = added(added(found, found), steps[s >> bit & 1, h >> bit & 1])
    x, y = (found[at] * pow(found[2], P - 2, P) % P for at in (0, 1))
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]


def decoded(text: str) -> bytes:
    """Bytes from base64, which can be spelt in one way only."""
    raw = base64.b64decode(text + "==")
    if base64.b64encode(raw).decode() != text:
        raise Refused("something is no base64")
    return raw


class Key:
    """The log's public key, under the log's name."""

    def __init__(self, vkey: str) -> None:
        self.name, _, rest = vkey.strip().partition("+")
        raw = base64.b64decode(rest.partition("+")[2] + "==")
        self.public, self.id = raw[1:], digest(self.name.encode(), b"\n", raw)[:4]
        spelt = f"{self.id.hex()}+{base64.b64encode(raw).decode()}"
        if len(raw) != 33 or raw[0] != 1 or not self.name or rest != spelt:  # noqa: PLR2004 - 1 + 32 bytes
            raise Refused("This is no verifier key; one looks like NAME+ID+KEY.")

    def opened(self, note: bytes) -> tuple[int, bytes]:
        """Size and root of the log, from a signed checkpoint."""
        whole = note.decode("utf-8", "replace")
        text, parting, signatures = whole.rpartition("\n\n")
        if not parting or not signatures.endswith("\n") or re.search("[\x00-\x09\x0b-\x1f\ufffd]", whole):
            raise Refused("it is no signed note")
        good = False
        for line in signatures[:-1].split("\n"):
            name, _, encoded = line[2:].partition(" ")
            raw = decoded(encoded)
            if not line.startswith("\u2014 ") or len(raw) < 5:  # noqa: PLR2004 - an id and something behind it
                raise Refused("it is no signed note")
            ours = (name, raw[:4]) == (self.name, self.id)
            if ours and not signature_holds(self.public, raw[4:], f"{text}\n".encode()):
                raise Refused("its signature does not hold")
            good |= ours
        lines = text.split("\n")
        if not good or len(lines) != 3 or lines[0] != self.name:  # noqa: PLR2004 - origin, size, root
            raise Refused("it is not signed with this key" if not good else "it is no checkpoint of this log")
        return int(lines[1]), decoded(lines[2])


class Log:
    """The directory `log` of an export: a tree's hashes in tiles of 256, entries in bundles of 256."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self.size = folder, size
        self.rows = lru_cache(maxsize=64)(self._rows)

    def file(self, level: str, n: int, count: int) -> Path:
        """Where tile or bundle `n` lies, of `count` things in the whole level."""
        width, digits = min(WIDTH, count - n * WIDTH), str(n).zfill(-(-len(str(n)) // 3) * 3)
        groups = ["x" + digits[place : place + 3] for place in range(0, len(digits), 3)]
        groups[-1] = groups[-1][1:] + (f".p/{width}" if width < WIDTH else "")
        return self.folder.joinpath("tile", level, *groups)

    def _rows(self, level: int, n: int) -> list[list[bytes]]:
        """The hashes stored in a tile, and above them those that follow, up to the one over it, which the tile above has too."""
        count = self.size >> 8 * level
        path = self.file(str(level), n, count)
        stored = path.read_bytes() if path.is_file() else b""
        if len(stored) != DIGEST * min(WIDTH, count - n * WIDTH):
            raise Refused(f"The tile {path} is not there, or has another length.")
        rows = [[stored[place : place + DIGEST] for place in range(0, len(stored), DIGEST)]]
        for _ in range(8):  # 256 hashes are eight levels high
            rows.append([digest(b"\x01", *rows[-1][at : at + 2]) for at in range(0, len(rows[-1]) - 1, 2)])
        if rows[8] and rows[8][0] != self.hash_at(8 * level + 8, n):
            raise Refused(f"The tile {path} and the one above tell of different logs.")
        return rows

    def hash_at(self, level: int, index: int) -> bytes:
        """The hash of a full subtree."""
        n, place = divmod(index, WIDTH >> level % 8)
        return self.rows(level // 8, n)[level % 8][place]

    def root(self, begin: int, end: int) -> bytes:
        """The hash over the entries from `begin` up to `end`, where they are a subtree; from 0, the root of the log then."""
        hashes = [] if begin < end else [digest()]
        while level := (end - begin).bit_length():
            hashes.append(self.hash_at(level - 1, begin >> level - 1))
            begin += 1 << level - 1
        while len(hashes) > 1:
            hashes[-2:] = [digest(b"\x01", *hashes[-2:])]
        return hashes[0]

    def path(self, old: int, size: int, consistency: bool) -> list[bytes]:
        """The proof that entry `old` - 1 is among the first `size` entries, or that these begin with the first `old` ones."""
        found, begin, end = [], 0, size
        while end != old if consistency else end - begin > 1:
            middle = begin + (1 << (end - begin - 1).bit_length() - 1)
            found.append(self.root(middle, end) if old <= middle else self.root(begin, middle))
            begin, end = (begin, middle) if old <= middle else (middle, end)
        return ([self.root(begin, end)] if consistency and begin else []) + found[::-1]

    def bundle(self, n: int) -> list[bytes] | None:
        """The entries of a bundle, checked against their tile; None where it is not here."""
        path, hashes = self.file("entries", n, self.size), self.rows(0, n)[0]
        if not path.exists():
            return None
        raw, entries, place = path.read_bytes(), [], 0
        while place < len(raw):
            begin = place + 2
            place = begin + int.from_bytes(raw[place:begin], "big")
            entries.append(raw[begin:place])
        if place != len(raw) or [digest(b"\x00", entry) for entry in entries] != hashes:
            raise Refused(f"Among the entries {n * WIDTH} to {n * WIDTH + WIDTH - 1}, one is not as it was signed.")
        return entries

    def check_state(self, text: bytes, key: Key, signed: dict[int, bytes]) -> None:
        """A checkpoint, or a proof that ends with one, against this log."""
        head, _, note = text.partition(b"\n\n")
        proof = head.startswith((b"old ", b"c2sp.org/"))
        size, root = key.opened(note if proof else text)
        if size > self.size:
            raise Refused(f"it covers {size} entries, the export {self.size}: the log was cut, or the export is older")
        if signed.setdefault(size, root) != root or self.root(0, size) != root:
            raise Refused("it is of another history than this export: the log was rewritten")
        lines = head.decode("ascii", "replace").split("\n")
        if head.startswith(b"old "):
            old, hashes = int(lines[0][4:]), lines[1:]
            expected = self.path(old, size, True) if 0 < old < size and lines[0] == f"old {old}" else []
        elif proof:
            index, hashes = int(lines[2][6:]), lines[3:]
            if [lines[0], lines[1][:6], lines[2]] != ["c2sp.org/tlog-proof@v1", "extra ", f"index {index}"]:
                raise Refused("it is no proof")
            if index >= size or digest(b"\x00", decoded(lines[1][6:])) != self.hash_at(0, index):
                raise Refused("the log has another entry there")
            expected = self.path(index + 1, size, False)
        if proof and [decoded(line) for line in hashes] != expected:
            raise Refused("its hashes are not those of the log")


class Batches:
    """Whether each batch came out as it was intended; of a batch that lies partly outside the export nothing can be said."""

    def __init__(self, key: Key, signed: dict[int, bytes]) -> None:
        self.key, self.signed = key, signed
        self.begin, self.counts, self.pruned = 0, Counter[str](), 0
        self.open: dict[int, dict[str, Any]] = {}

    def take(self, index: int, pairs: list[tuple[str, Any]]) -> None:
        """Look at the next entry, told by its fields, none of which stands twice."""
        fields = dict(pairs) if len(dict(pairs)) == len(pairs) else {}
        kind = fields.get("kind", "outcome") if fields.get("v", 1) == 1 else "of a later version"
        self.counts[kind] += 1
        if index == 0 and (kind, fields["origin"]) != ("log-start", self.key.name):
            raise Refused("it is not the beginning of this log")
        if kind == "run-start" and index not in self.signed:
            raise Refused("a run begins, but the signature of what stands before is gone")
        if kind == "prune" and fields["level"] == 2:  # noqa: PLR2004 - at the first level entries stay
            self.pruned = max(self.pruned, fields["to"])
        if kind == "intent":
            if fields["batch"] in {one["batch"] for one in self.open.values()}:
                raise Refused("it intends a batch that is open already")
            self.open[index] = {**{name: fields[name] for name in ("batch", "count", "items")}, "rc": [], "o": Counter()}
        if kind == "outcome":
            rc, batch = base64.b64decode(fields["rc"] + "=", altchars=b"-_", validate=True), self.open.get(fields["i"])
            known = fields["how"] in HOW.get(fields["o"], {"none", "operator"}) and len(rc) == DIGEST
            if not known or ("code" in fields) != (fields["o"] == "failed"):
                raise Refused("it claims what cannot be known")
            if fields["n"] != len(batch["rc"]) if batch else not 0 <= fields["i"] < self.begin:
                raise Refused("it was not intended, or is out of order")
            if batch:
                batch["rc"].append(rc)
                batch["o"][fields["o"]] += 1
        if kind == "concluded":
            found = next((one for one, batch in self.open.items() if batch["batch"] == fields["batch"]), None)
            batch = self.open.pop(found) if found is not None else None
            if batch is None and not self.begin:
                raise Refused("it concludes a batch that is not open")
            done = batch and (len(batch["rc"]), len(batch["rc"]), digest(*batch["rc"]).hex(), batch["o"])
            if batch and (done != (batch["count"], fields["count"], batch["items"], dict(fields["counts"])) or not batch["rc"]):
                raise Refused(f"it concludes another batch than was intended at entry {found}")


def check(export: Path, key: Key, held: list[Path], proofs: list[Path], found: list[str]) -> list[str]:
    """Check everything; what is amiss is added to `found`, what there is to tell comes back."""
    size, root = key.opened((export / "log" / "checkpoint").read_bytes())
    log, signed = Log(export / "log", size), {size: root}
    if log.root(0, size) != root:
        raise Refused("The log is not the one that its checkpoint was signed for.")
    proofs = [*proofs, *sorted((export / "proof").glob("*.*"))]
    for file in [*sorted((export / "checkpoints").iterdir()), *held, *proofs]:
        try:
            log.check_state(file.read_bytes(), key, signed)
        except (ValueError, IndexError) as why:
            found.append(f"{file} does not hold: {why if isinstance(why, Refused) else 'it cannot be read'}.")
    batches, gaps = Batches(key, signed), list[range]()
    for n, begin in enumerate(range(0, size, WIDTH)):
        entries, end = log.bundle(n), min(size, begin + WIDTH)
        for index, entry in enumerate(entries or [], start=begin):
            try:
                batches.take(index, json.loads(entry.decode("ascii"), object_pairs_hook=list))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                found.append(f"Entry {index} does not hold: {error if isinstance(error, Refused) else 'it cannot be read'}.")
        if entries is None:
            batches.begin = end
            batches.open.clear()
            gaps.append(range(gaps.pop().start if gaps and gaps[-1].stop == begin else begin, end))
    found += [f"The batch of entry {index} has outcomes and no conclusion." for index, one in batches.open.items() if one["rc"]]
    told = [f"{size} entries, {len(signed)} signed states, {len(proofs)} proofs."]
    told += [f"  {count} × {kind}" for kind, count in sorted(batches.counts.items())]
    reasons = {True: "pruned, as the log says", False: "LEFT OUT of this export; the log has them"}
    told += [f"Entries {gap.start} to {gap.stop - 1} are not here: {reasons[gap.stop <= batches.pruned]}." for gap in gaps]
    return [*told, f"Batches whose outcome is not known yet: {len(batches.open)}."]


def main(words: list[str] | None = None) -> int:
    """Check the export named on the command line, or by `words`."""
    parser = argparse.ArgumentParser(description="Checks an export of a deletion log.")
    parser.add_argument("export", type=Path, metavar="EXPORT")
    parser.add_argument("--vkey", required=True, metavar="KEY", help="the log's key, which you did not get with the export")
    parser.add_argument("--checkpoint", type=Path, action="append", default=[], metavar="FILE", help="one that you kept")
    parser.add_argument("--proof", type=Path, action="append", default=[], metavar="FILE", help="one that you were given")
    asked = parser.parse_args(words)
    found, told = list[str](), list[str]()
    try:
        told = check(asked.export, Key(asked.vkey), asked.checkpoint, asked.proof, found)
    except (OSError, ValueError) as why:
        found.append(str(why) if isinstance(why, Refused) else f"Something cannot be read ({type(why).__name__}).")
    more = [f"… and {len(found) - MOST_TOLD} more."] if len(found) > MOST_TOLD else []
    verdict = "NOT IN ORDER." if found else "In order: everything here agrees with what was signed under this key."
    sys.stdout.write("\n".join([*told, *found[:MOST_TOLD], *more, verdict]) + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
