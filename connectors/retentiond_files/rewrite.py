"""Rewrites the lines of one file in one step: the file is whole, old or new, at every moment.

The new content is written beside the file under a temporary name, gets owner, mode, extended attributes and times
of the old one, is made durable, and then the two names are swapped. What came out of the swap has to be the very
file that was read, unchanged; otherwise it is swapped back. So neither a rotation nor a late writer loses a line.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from retentiond.connector import Action, Answer, How, OutcomeUnknownError
from retentiond_files.dataset import Dataset
from retentiond_files.exchange import NotOffered, exchange, kept_name, put_back, unlink_only
from retentiond_files.failures import Astray, Unreadable, code_of, reason_of
from retentiond_files.lines import is_gzip, line_writer
from retentiond_files.patterns import Path
from retentiond_files.records import file_pieces, survey_for
from retentiond_files.session import held_for_writing, is_live
from retentiond_files.slices import Slice
from retentiond_files.tree import open_plain, same, temporary_name

Answers = dict[str, Answer]
"""The answer for each wanted hour."""


def rewrite(dataset: Dataset, path: Path, wanted: Mapping[str, str], action: Action) -> Answers:
    """Delete or anonymize the wanted slices of the file at `path`; `wanted` maps hours to the fingerprints found.

    A slice that differs from what was found is left as it is. Raises `OutcomeUnknownError` where the disk fails
    between the swap and its confirmation.
    """
    try:
        with ExitStack() as stack:
            above = stack.enter_context(dataset.tree.directory(path[:-1]))
            handle = open_plain(path[-1], above, dataset.tree)
            stack.callback(os.close, handle)
            return _Rewrite(dataset, path, above, handle, action).run(wanted)
    except FileNotFoundError:
        return dict.fromkeys(wanted, Answer.not_found())
    except Astray:
        return dict.fromkeys(wanted, Answer.changed())
    except Unreadable:
        return dict.fromkeys(wanted, Answer.failed("unreadable"))
    except OSError as error:
        return dict.fromkeys(wanted, Answer.failed(code_of(error)))


@dataclass(slots=True)
class _Rewrite:
    dataset: Dataset
    path: Path
    above: int
    """The handle of the directory the file lies in."""
    handle: int
    """The handle of the file as it was found."""
    action: Action

    def run(self, wanted: Mapping[str, str]) -> Answers:
        before = os.fstat(self.handle)
        if before.st_nlink != 1:
            return dict.fromkeys(wanted, Answer.failed("unsupported"))
        if is_live(self.dataset, self.path, self.handle):
            return dict.fromkeys(wanted, Answer.failed("refused"))
        answers: Answers = {}
        acting = frozenset(wanted)
        while acting:
            with self._temporary() as (name, new):
                slices, lines_left = self._copy(new, before, acting)
                refused = {hour: answer for hour in acting if (answer := self._judge(slices.get(hour), wanted[hour])) is not None}
                if refused:  # write again without them
                    answers |= refused
                    acting -= refused.keys()
                    continue
                done = {hour: Answer.done(How.UNLINK, slices[hour].rows) for hour in acting}
                return answers | (done if self._put(name, new, before, lines_left) else dict.fromkeys(acting, Answer.changed()))
        return answers

    def _judge(self, piece: Slice | None, fingerprint: str) -> Answer | None:
        """None where the slice is what was found and may be acted on."""
        if piece is None:
            return Answer.not_found()
        if self.action is Action.ANONYMIZE and not piece.whole_addresses:
            return Answer.not_found()
        return None if piece.fingerprint == fingerprint and piece.newest is not None else Answer.changed()

    @contextmanager
    def _temporary(self) -> Iterator[tuple[str, int]]:
        """A new file of our own in the same directory; its name is gone at the end, unless it was put in place."""
        name = temporary_name()
        new = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=self.above)
        try:
            yield name, new
        finally:
            mine = os.fstat(new).st_ino
            os.close(new)
            # Only ever the file made here: what a swap brought under this name is another matter.
            with suppress(FileNotFoundError):
                if os.stat(name, dir_fd=self.above, follow_symlinks=False).st_ino == mine:
                    os.unlink(name, dir_fd=self.above)

    def _copy(self, new: int, before: os.stat_result, acting: frozenset[str]) -> tuple[dict[str, Slice], int]:
        survey = survey_for(self.dataset, before)
        truncate = self.dataset.truncate
        left = 0
        zipped = is_gzip(self.handle, self.path[-1])
        with line_writer(new, zipped=zipped, written=before.st_mtime_ns // 1_000_000_000) as out:
            for piece in file_pieces(self.dataset, self.path, self.handle, before):
                survey.add(piece)
                if piece.hour not in acting:
                    out.write(piece.line)
                elif self.action is Action.ANONYMIZE and truncate is not None:
                    out.write(truncate(piece.line))
                else:
                    continue
                left += 1
        return survey.slices(), left

    def _put(self, name: str, new: int, before: os.stat_result, lines_left: int) -> bool:
        """Put the new file in place of the old; False where the old one is not what it was."""
        _dress(new, self.handle, before)
        os.fsync(new)
        if not self._untouched(self.path[-1], before) or held_for_writing(self.handle):
            return False
        if not lines_left and self.dataset.options.when_empty == "delete":
            if not unlink_only(self.above, self.path[-1], before):
                return False
        elif not self._swap(name, before):
            return False
        gone = os.fstat(self.handle).st_nlink == 0
        try:
            os.fsync(self.above)
        except OSError as error:
            raise self._unknown(error) from None
        return gone

    def _unknown(self, error: OSError) -> OutcomeUnknownError:
        return OutcomeUnknownError(
            f"A file below {self.dataset.tree.place} was replaced, but the disk did not confirm it ({reason_of(error)}); "
            f"look at the state of that disk.",
            code_of(error),
        )

    def _swap(self, name: str, before: os.stat_result) -> bool:
        try:
            exchange(self.above, name, self.path[-1])
        except NotOffered:
            os.rename(name, self.path[-1], src_dir_fd=self.above, dst_dir_fd=self.above)
            return True
        if self._untouched(name, before):
            try:
                os.unlink(name, dir_fd=self.above)
            except OSError as error:
                raise self._unknown(error) from None
            return True
        self._put_back(name)
        return False

    def _put_back(self, name: str) -> None:
        """Undo a swap that brought out another file than was read: a rotation came in between."""
        try:
            exchange(self.above, name, self.path[-1])
        except FileNotFoundError:  # and yet another one
            put_back(self.above, name, self.path[-1])
        except OSError as error:
            os.rename(name, kept_name(name), src_dir_fd=self.above, dst_dir_fd=self.above)
            raise self._unknown(error) from None

    def _untouched(self, name: str, before: os.stat_result) -> bool:
        try:
            return same(os.stat(name, dir_fd=self.above, follow_symlinks=False), before)
        except FileNotFoundError:
            return False


def _dress(new: int, old: int, before: os.stat_result) -> None:
    """Give the new file what the old one had beside its content; raises OSError where that is not allowed."""
    state = os.fstat(new)
    if (state.st_uid, state.st_gid) != (before.st_uid, before.st_gid):
        os.fchown(new, before.st_uid, before.st_gid)
    os.fchmod(new, stat.S_IMODE(before.st_mode))
    kept = _attributes(old)
    for attribute in _attributes(new):
        if attribute not in kept:  # from a default ACL of the directory: it would let in who could not read the old file
            os.removexattr(new, attribute)
    for attribute in kept:
        value = os.getxattr(old, attribute)
        if attribute not in _attributes(new) or os.getxattr(new, attribute) != value:
            os.setxattr(new, attribute, value)
    os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))


def _attributes(handle: int) -> list[str]:
    try:
        return os.listxattr(handle)
    except OSError as error:
        if error.errno in {errno.ENOTSUP, errno.ENOSYS}:
            return []
        raise
