"""Checks an export of the deletion log; the one file of an export that is a program, and needs Python 3.9 and nothing else.

It shares no code with retentiond, so that an auditor can read all of what he trusts: about 300 lines. Run it as
`python3 verify.py EXPORT --vkey KEY`. Ends with status 0 where everything agrees, 1 where anything does not.
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
NUMBER = re.compile("0|[1-9][0-9]{0,18}")
ACTED = frozenset({"returning", "rowcount", "receipt", "xid", "response", "stored-answer", "unlink", "operator"})
HOW = {"confirmed": ACTED, "pending-copies": ACTED, "unverified": ACTED, "already-absent": {"not-found", "probe", "operator"}}


class Refused(Exception):
    """Something does not hold; the text says what."""


# Ed25519 as RFC 8032 has it. Points are (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z.
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
Point = tuple[int, int, int, int]


def added(one: Point, other: Point) -> Point:
    """The sum of two points."""
    a, b = (one[1] - one[0]) * (other[1] - other[0]) % P, (one[1] + one[0]) * (other[1] + other[0]) % P
    c, d = 2 * one[3] * other[3] * D % P, 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def point(raw: bytes) -> Point:
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


BASE = point(bytes.fromhex("58" + "66" * 31))


def signature_holds(public: bytes, signature: bytes, text: bytes) -> bool:
    """True where `signature` over `text` was made with the key whose public half this is."""
    s = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or s >= ORDER:  # noqa: PLR2004 - an Ed25519 signature
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + text).digest(), "little") % ORDER
    key = point(public)
    minus_key = (P - key[0], key[1], 1, P - key[3])
    steps = {(1, 0): BASE, (0, 1): minus_key, (1, 1): added(BASE, minus_key)}
    found: Point = (0, 1, 1, 0)
    for bit in range(255, -1, -1):  # s * BASE - h * key, both at once
        found = added(found, found)
        step = steps.get((s >> bit & 1, h >> bit & 1))
        found = added(found, step) if step else found
    inverse = pow(found[2], P - 2, P)
    x, y = found[0] * inverse % P, found[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]


def decoded(text: str) -> bytes:
    """Bytes from base64, which can be spelt in one way only."""
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        raw = b""
    if base64.b64encode(raw).decode() != text:
        raise Refused("something is no base64")
    return raw


def number(text: str) -> int:
    """A whole number in decimal digits."""
    if not NUMBER.fullmatch(text):
        raise Refused("something is no number")
    return int(text)


class Key:
    """The log's public key, under the log's name."""

    def __init__(self, vkey: str) -> None:
        name, _, rest = vkey.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        try:
            raw = decoded(encoded)
        except Refused:
            raw = b""
        self.name, self.public = name, raw[1:]
        self.id = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
        if len(raw) != 33 or raw[0] != 1 or self.id.hex() != key_id or not name:  # noqa: PLR2004 - 1 + 32 bytes
            raise Refused("This is no verifier key; one looks like NAME+ID+KEY.")

    def opened(self, note: bytes) -> tuple[int, bytes]:
        """Size and root of the log, from a signed checkpoint."""
        try:
            whole = note.decode()
        except UnicodeDecodeError:
            whole = ""
        text, parting, signatures = whole.rpartition("\n\n")
        if not parting or not signatures.endswith("\n") or re.search("[\x00-\x09\x0b-\x1f]", whole):
            raise Refused("it is no signed note")
        good = False
        for line in signatures[:-1].split("\n"):
            name, _, encoded = line[2:].partition(" ")
            raw = decoded(encoded)
            if not line.startswith("\u2014 ") or len(raw) < 5:  # noqa: PLR2004 - an id and something behind it
                raise Refused("it is no signed note")
            if (name, raw[:4]) == (self.name, self.id):
                if not signature_holds(self.public, raw[4:], f"{text}\n".encode()):
                    raise Refused("its signature does not hold")
                good = True
        if not good:
            raise Refused("it is not signed with this key")
        lines = text.split("\n")
        if len(lines) != 3 or lines[0] != self.name:  # noqa: PLR2004 - origin, size, root
            raise Refused("it is no checkpoint of this log")
        return number(lines[1]), decoded(lines[2])


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of an entry."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def folded(hashes: list[bytes]) -> bytes:
    """The hash over full subtrees, which become smaller from left to right."""
    found = hashes[-1] if hashes else hashlib.sha256().digest()
    for left in reversed(hashes[:-1]):
        found = node_hash(left, found)
    return found


class Log:
    """The directory `log` of an export: a tree's hashes in tiles of 256, entries in bundles of 256."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self.size = folder, size
        self.rows = lru_cache(maxsize=64)(self._rows)

    def file(self, level: str, n: int, count: int) -> Path:
        """Where tile or bundle `n` lies, of `count` things in the whole level."""
        width = min(WIDTH, count - n * WIDTH)
        digits = str(n).zfill(-(-len(str(n)) // 3) * 3)
        groups = ["x" + digits[place : place + 3] for place in range(0, len(digits), 3)]
        groups[-1] = groups[-1][1:] + (f".p/{width}" if width < WIDTH else "")
        return self.folder.joinpath("tile", level, *groups)

    def _rows(self, level: int, n: int) -> list[list[bytes]]:
        """The hashes stored in a tile, and above them those that follow, up to the one over a full tile."""
        count = self.size >> 8 * level
        path = self.file(str(level), n, count)
        try:
            stored = path.read_bytes()
        except OSError:
            raise Refused(f"The tile {path} cannot be read.") from None
        if len(stored) != DIGEST * min(WIDTH, count - n * WIDTH):
            raise Refused(f"The tile {path} has another length.")
        rows = [[stored[place : place + DIGEST] for place in range(0, len(stored), DIGEST)]]
        while len(rows) <= 8:  # noqa: PLR2004 - 256 hashes are eight levels high
            below = rows[-1]
            rows.append([node_hash(below[place], below[place + 1]) for place in range(0, len(below) - 1, 2)])
        return rows

    def hash_at(self, level: int, index: int) -> bytes:
        """The hash of a full subtree."""
        n, place = divmod(index, WIDTH >> level % 8)
        return self.rows(level // 8, n)[level % 8][place]

    def root(self, begin: int, end: int) -> bytes:
        """The hash over the entries from `begin` up to `end`, where they are a subtree; from 0, the root of the log then."""
        hashes = []
        while begin < end:
            level = (end - begin).bit_length() - 1
            hashes.append(self.hash_at(level, begin >> level))
            begin += 1 << level
        return folded(hashes)

    def path(self, old: int, size: int, consistency: bool) -> list[bytes]:
        """The proof that entry `old` - 1 is among the first `size` entries, or that these begin with the first `old` ones."""
        found, begin, end = [], 0, size
        while end != old if consistency else end - begin > 1:
            middle = begin + (1 << (end - begin - 1).bit_length() - 1)
            left = old <= middle
            found.append(self.root(middle, end) if left else self.root(begin, middle))
            begin, end = (begin, middle) if left else (middle, end)
        return ([self.root(begin, end)] if consistency and begin else []) + found[::-1]

    def check_tiles(self) -> None:
        """Every tile against the one above."""
        level = 0
        while count := self.size >> 8 * level:
            for n in range(-(-count // WIDTH)):
                over = self.rows(level, n)[8]
                if over and over[0] != self.hash_at(8 * level + 8, n):
                    raise Refused(f"The tile {self.file(str(level), n, count)} and the one above tell of different logs.")
            level += 1

    def bundle(self, n: int) -> list[bytes] | None:
        """The entries of a bundle, checked against their tile; None where it is not here."""
        path = self.file("entries", n, self.size)
        if not path.exists():
            return None
        raw, entries, place = path.read_bytes(), [], 0
        while place < len(raw):
            begin = place + 2
            place = begin + int.from_bytes(raw[place:begin], "big")
            entries.append(raw[begin:place])
        hashes = self.rows(0, n)[0]
        if place != len(raw) or len(entries) != len(hashes):
            raise Refused(f"The bundle {path} is cut, or holds another number of entries.")
        for at, entry in enumerate(entries):
            if leaf_hash(entry) != hashes[at]:
                raise Refused(f"Entry {n * WIDTH + at} is not the one that was signed.")
        return entries


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The fields of an entry, none of which stands twice."""
    if len(dict(pairs)) != len(pairs):
        raise Refused("a field stands twice")
    return dict(pairs)


class Batches:
    """Whether each batch came out as it was intended; of a batch that lies partly outside the export nothing can be said."""

    def __init__(self, key: Key, signed: dict[int, bytes], found: list[str]) -> None:
        self.key, self.signed, self.found = key, signed, found
        self.begin, self.counts, self.pruned = 0, Counter[str](), 0
        self.open: dict[int, dict[str, Any]] = {}
        self.waiting: dict[int, str] = {}

    def gap(self, end: int) -> None:
        """The entries before `end` are not here."""
        self.begin = end
        self.open.clear()

    def take(self, index: int, leaf: bytes) -> None:
        """Look at the next entry."""
        try:
            self.entry(index, json.loads(leaf.decode("ascii"), object_pairs_hook=once))
        except Refused as why:
            self.found.append(f"Entry {index} does not hold: {why}.")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self.found.append(f"Entry {index} cannot be read, or lacks something.")

    def entry(self, index: int, fields: dict[str, Any]) -> None:
        """Look at the fields of an entry."""
        kind = fields.get("kind", "outcome") if fields.get("v", 1) == 1 else "of a later version"
        self.counts[kind] += 1
        if index == 0 and (kind, fields["origin"]) != ("log-start", self.key.name):
            raise Refused("it is not the beginning of this log")
        if kind == "run-start" and index not in self.signed:
            raise Refused("a run begins, but the signature of what stands before is gone")
        if kind == "intent" and any(one["batch"] == fields["batch"] for one in self.open.values()):
            raise Refused("it intends a batch that is open already")
        if kind == "outcome":
            self.outcome(index, fields)
        elif kind == "intent":
            self.open[index] = {**{name: fields[name] for name in ("batch", "count", "items")}, "rc": [], "o": Counter()}
        elif kind == "concluded":
            self.conclude(fields)
        elif kind == "prune" and fields["level"] == 2:  # noqa: PLR2004 - at the first level entries stay
            self.pruned = max(self.pruned, fields["to"])

    def outcome(self, index: int, fields: dict[str, Any]) -> None:
        """What became of one record."""
        rc = base64.b64decode(fields["rc"] + "=", altchars=b"-_", validate=True)
        if (
            len(rc) != DIGEST
            or fields["how"] not in HOW.get(fields["o"], {"none", "operator"})
            or ("code" in fields) != (fields["o"] == "failed")
        ):
            raise Refused("it claims what cannot be known")
        if fields["o"] in {"pending-copies", "unverified"} and "of" not in fields:
            self.waiting[index] = fields["rc"]
        if "of" in fields:  # the later outcome of a record that was pending
            if fields["of"] >= self.begin and self.waiting.pop(fields["of"], None) != fields["rc"]:
                raise Refused("it follows another outcome than it says")
            return
        batch = self.open.get(fields["i"])
        if batch:
            if fields["n"] != len(batch["rc"]):
                raise Refused("it is out of order")
            batch["rc"].append(rc)
            batch["o"][fields["o"]] += 1
        elif not 0 <= fields["i"] < self.begin:
            raise Refused("it was not intended")

    def conclude(self, fields: dict[str, Any]) -> None:
        """The end of a batch."""
        index = next((one for one, batch in self.open.items() if batch["batch"] == fields["batch"]), None)
        if index is not None:
            batch = self.open.pop(index)
            done = len(batch["rc"]), len(batch["rc"]), hashlib.sha256(b"".join(batch["rc"])).hexdigest(), batch["o"]
            if done != (batch["count"], fields["count"], batch["items"], fields["counts"]) or not batch["rc"]:
                raise Refused(f"it concludes another batch than was intended at entry {index}")
        elif not self.begin:
            raise Refused("it concludes a batch that is not open")


def check_proof(text: bytes, key: Key, log: Log) -> tuple[int, bytes]:
    """The checkpoint at the end of a proof or consistency file, if the log shows what the file shows."""
    head, _, note = text.partition(b"\n\n")
    size, root = key.opened(note)
    lines = head.decode("ascii", "replace").split("\n")
    if size > log.size:
        return size, root
    if lines[0].startswith("old "):
        old, hashes = number(lines[0][4:]), lines[1:]
        proof = log.path(old, size, True) if 0 < old < size else []
    else:
        if [line.split(" ")[0] for line in lines[:3]] != ["c2sp.org/tlog-proof@v1", "extra", "index"]:
            raise Refused("it is no proof")
        index, hashes = number(lines[2][6:]), lines[3:]
        if index >= size or leaf_hash(decoded(lines[1][6:])) != log.hash_at(0, index):
            raise Refused("the log has another entry there")
        proof = log.path(index + 1, size, False)
    if [decoded(line) for line in hashes] != proof:
        raise Refused("its hashes are not those of the log")
    return size, root


def check_state(file: Path, key: Key, log: Log, signed: dict[int, bytes], proof: bool) -> None:
    """A checkpoint or a proof against the log of the export."""
    text = file.read_bytes()
    size, root = check_proof(text, key, log) if proof else key.opened(text)
    if size > log.size:
        raise Refused(f"it covers {size} entries, the export {log.size}: the log was cut, or the export is older")
    if signed.setdefault(size, root) != root or log.root(0, size) != root:
        raise Refused("it is of another history than this export: the log was rewritten")


def check(export: Path, key: Key, held: list[Path], proofs: list[Path], found: list[str]) -> list[str]:
    """Check everything; what is amiss is added to `found`, what there is to tell comes back."""
    size, root = key.opened((export / "log" / "checkpoint").read_bytes())
    log, signed = Log(export / "log", size), {size: root}
    log.check_tiles()
    if log.root(0, size) != root:
        raise Refused("The log is not the one that its checkpoint was signed for.")
    proofs = [*proofs, *sorted((export / "proof").glob("*.tlog-proof")), *sorted((export / "proof").glob("*.consistency"))]
    for file in [*sorted((export / "checkpoints").iterdir()), *held, *proofs]:
        try:
            check_state(file, key, log, signed, file in proofs)
        except Refused as why:
            found.append(f"{file} does not hold: {why}.")
    batches, gaps = Batches(key, signed, found), list[range]()
    for n, begin in enumerate(range(0, size, WIDTH)):
        entries, end = log.bundle(n), min(size, begin + WIDTH)
        for index, entry in enumerate(entries or [], start=begin):
            batches.take(index, entry)
        if entries is None:
            batches.gap(end)
            gaps.append(range(gaps.pop().start if gaps and gaps[-1].stop == begin else begin, end))
    found += [f"The batch of entry {index} has outcomes and no conclusion." for index, one in batches.open.items() if one["rc"]]
    told = [f"{size} entries, {len(signed)} signed states, {len(proofs)} proofs."]
    told += [f"  {count} × {kind}" for kind, count in sorted(batches.counts.items())]
    for gap in gaps:
        reason = "pruned, as the log says" if gap.stop <= batches.pruned else "LEFT OUT of this export; the log has them"
        told.append(f"Entries {gap.start} to {gap.stop - 1} are not here: {reason}. Their hashes are, and agree.")
    return [*told, f"Batches whose outcome is not known yet: {len(batches.open)}."]


def main(words: list[str] | None = None) -> int:
    """Check the export named on the command line, or by `words`."""
    parser = argparse.ArgumentParser(description="Checks an export of a deletion log.")
    parser.add_argument("export", type=Path, metavar="EXPORT")
    parser.add_argument(
        "--vkey", required=True, metavar="KEY", help="the log's public key, which you did not get with the export"
    )
    parser.add_argument("--checkpoint", type=Path, action="append", default=[], metavar="FILE", help="one that you kept")
    parser.add_argument("--proof", type=Path, action="append", default=[], metavar="FILE", help="one that you were given")
    asked = parser.parse_args(words)
    found: list[str] = []
    told: list[str] = []
    try:
        told = check(asked.export, Key(asked.vkey), asked.checkpoint, asked.proof, found)
    except Refused as why:
        found.append(str(why))
    except OSError as error:
        found.append(f"{error.filename} cannot be read.")
    more = [f"… and {len(found) - MOST_TOLD} more."] if len(found) > MOST_TOLD else []
    verdict = "NOT IN ORDER." if found else "In order: everything here agrees with what was signed under this key."
    sys.stdout.write("\n".join([*told, *found[:MOST_TOLD], *more, verdict]) + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
