"""How much does care cost in a mailbox? Deleting over IMAP against `doveadm expunge` of the same messages.

Starts its own Dovecot, fills two mailboxes with the same messages over five folders, half of them due, and runs in turn

* peer: `doveadm expunge` of what was saved before the date, on the server itself, folder by folder;
* ours: the connector finds what is due, deletes it batch by batch, and reads each batch back.

Prints both, the ratio, and how ours is spent. On a machine that does something else as well only the ratio means anything.
"""

from __future__ import annotations

import argparse
import imaplib
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.dovecot import PASSWORD, Dovecot, serving_dovecot  # noqa: E402 - found only after the line above

from retentiond.connector import Action, Answered, Cutoff, Permit, Presence, Target  # noqa: E402
from retentiond_imap import connector  # noqa: E402

FOLDERS = ("INBOX", "Archive/2019", "Archive/2020", "Sent", "Clients")
TARGET = Target("mailbox", "benchmark")
START = datetime(2019, 1, 1, tzinfo=UTC)
BODY = "Dear Sir or Madam, this is what a letter looks like.\r\n" * 40


def fill(server: Dovecot, user: str, messages: int) -> datetime:
    """Put the messages there, evenly over the folders; the moment before which half of them were received."""
    client: Any = imaplib.IMAP4("127.0.0.1", server.port)
    client.login(user, PASSWORD)
    each = messages // len(FOLDERS)
    for folder in FOLDERS:
        client.create(folder)
        for first in range(0, each, 500):
            words = []
            for number in range(first, min(first + 500, each)):
                received = START + timedelta(hours=number)
                text = (
                    f"Message-ID: <{folder}.{number}@benchmark.example>\r\nFrom: Anna <anna{number % 50}@person.example>\r\n"
                    f"To: office@example.com\r\nSubject: Letter {number}\r\nDate: Tue, 01 Jan 2019 00:00:00 +0000\r\n\r\n{BODY}"
                ).encode()
                words.append(f" {imaplib.Time2Internaldate(received)} {{{len(text)}+}}\r\n".encode() + text)
            tag = client._new_tag()  # noqa: SLF001 - imaplib has no word for several messages at once
            client.send(tag + b" APPEND " + folder.encode() + b"".join(words) + b"\r\n")
            client._command_complete("APPEND", tag)  # noqa: SLF001
    client.logout()
    return START + timedelta(hours=each // 2)


def peer(server: Dovecot, user: str, before: datetime) -> float:
    """The server's own tool."""
    begin = time.perf_counter()
    for folder in FOLDERS:
        server.doveadm("expunge", "-u", user, "mailbox", folder, "BEFORE", str(int(before.timestamp())))
    return time.perf_counter() - begin


def ours(server: Dovecot, user: str, before: datetime) -> tuple[int, dict[str, float]]:
    """How many were deleted, and the seconds of finding, deleting and reading back."""
    os.environ["BENCHMARK_PASSWORD"] = PASSWORD
    connection = connector.connection.model_validate(
        {
            "host": "127.0.0.1",
            "port": server.port,
            "security": "plain",
            "user": user,
            "password": {"environment": "BENCHMARK_PASSWORD"},
        }
    )
    options = connector.options.model_validate({"folders": list(FOLDERS), "dates": {"received": {"from": "received"}}})
    spent = {"find": 0.0, "delete": 0.0, "read back": 0.0}
    done = 0
    numbers = count(1)
    assert connector.deleter is not None  # noqa: S101 - it has one
    with connector.reader(connection, options, TARGET) as reader, connector.deleter(connection, options, TARGET) as deleter:
        begin = time.perf_counter()
        refs = [ref for page in reader.find(Cutoff("received", before, before.date()), Action.DELETE) for ref in page]
        spent["find"] = time.perf_counter() - begin
        for first in range(0, len(refs), connector.batch_size):
            batch = refs[first : first + connector.batch_size]
            begin = time.perf_counter()
            answers = deleter.delete(batch, Permit(f"benchmark.{next(numbers)}", Action.DELETE, TARGET, batch))
            middle = time.perf_counter()
            seen = reader.present(batch)
            spent["delete"] += middle - begin
            spent["read back"] += time.perf_counter() - middle
            done += sum(
                answer.said is Answered.DONE and one is Presence.ABSENT for answer, one in zip(answers, seen, strict=True)
            )
    return done, spent


def main() -> None:
    """Fill, run both in turn, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=10_000)
    messages = parser.parse_args().messages
    for server in serving_dovecot():
        users = server.user(), server.user()
        before, _ = (fill(server, user, messages) for user in users)
        bare = peer(server, users[0], before)
        done, spent = ours(server, users[1], before)
        left = [
            sum(
                int(line.split()[-1].partition("=")[2])
                for line in server.doveadm("mailbox", "status", "-u", user, "messages", "*").splitlines()
            )
            for user in users
        ]
        total = sum(spent.values())
        print(
            f"messages: {messages:,} in {len(FOLDERS)} folders, due {done:,}; left {left[0]:,} by doveadm and {left[1]:,} by us"
        )
        print(f"doveadm expunge: {bare:.2f} s; ours: {total:.2f} s ({', '.join(f'{name} {s:.2f}' for name, s in spent.items())})")
        print(f"ratio (doveadm / ours): {bare / total:.3f}; deletes alone: {bare / spent['delete']:.3f}")


if __name__ == "__main__":
    main()
