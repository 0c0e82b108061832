"""The acting roles: each locks the root, acts file by file, and keeps one bad file from stopping the others."""

from __future__ import annotations

from collections.abc import Sequence

from retentiond.connector import (
    Action,
    Anonymizer,
    Answer,
    Answered,
    Blocker,
    ConnectorError,
    Deleter,
    Reader,
    RecordRef,
    Target,
)
from retentiond_files.bundleacts import block_bundles, delete_bundles
from retentiond_files.bundlereader import BundleReader
from retentiond_files.dataset import Dataset, open_dataset
from retentiond_files.keys import path_of
from retentiond_files.options import FilesConnection, FilesOptions
from retentiond_files.reader import FilesReader
from retentiond_files.records import rows_at
from retentiond_files.removal import Act, each_file, move_to, unlink
from retentiond_files.renamed import renamed, resliced
from retentiond_files.rewrite import rewrite
from retentiond_files.session import begin
from retentiond_files.sidecar import Sidecar


class FilesDeleter(Deleter):
    """Unlinks files, or drops lines."""

    def __init__(self, dataset: Dataset) -> None:
        super().__init__(dataset.target)
        self._dataset = dataset

    def close(self) -> None:
        """Give the root free."""
        self._dataset.close()

    def _delete(self, refs: Sequence[RecordRef]) -> list[Answer]:
        if self._dataset.by_line:
            return _each_slice(self._dataset, refs, Action.DELETE)
        if isinstance(self._dataset.options.source, Sidecar):
            return delete_bundles(self._dataset, refs)
        return _files(self._dataset, refs, unlink, blocked_too=True)


class FilesBlocker(Blocker):
    """Moves files to where only retentiond's user can enter."""

    def __init__(self, dataset: Dataset) -> None:
        super().__init__(dataset.target)
        self._dataset = dataset

    def close(self) -> None:
        """Give the root free."""
        self._dataset.close()

    def _block(self, refs: Sequence[RecordRef]) -> list[Answer]:
        if self._dataset.blocked is None:
            raise ConnectorError(
                f"The options of {self.target} name no directory for blocked files; add block.moved_to.", "unsupported"
            )
        if isinstance(self._dataset.options.source, Sidecar):
            return block_bundles(self._dataset, refs, self._dataset.blocked)
        return _files(self._dataset, refs, move_to(self._dataset.blocked), blocked_too=False)


class FilesAnonymizer(Anonymizer):
    """Truncates addresses in lines."""

    def __init__(self, dataset: Dataset) -> None:
        super().__init__(dataset.target)
        self._dataset = dataset

    def close(self) -> None:
        """Give the root free."""
        self._dataset.close()

    def _anonymize(self, refs: Sequence[RecordRef]) -> list[Answer]:
        if self._dataset.truncate is None:
            raise ConnectorError(f"The options of {self.target} do not say how to anonymize; add anonymize.", "unsupported")
        return _each_slice(self._dataset, refs, Action.ANONYMIZE)


def _each_slice(dataset: Dataset, refs: Sequence[RecordRef], action: Action) -> list[Answer]:
    """Rewrite each file once for all its records."""
    by_file: dict[str, dict[str, str]] = {}
    for ref in refs:
        if len(ref.key) == 2:  # noqa: PLR2004 - path and hour
            by_file.setdefault(ref.key[0], {})[ref.key[1]] = ref.fingerprint
    answers: dict[tuple[str, ...], Answer] = {}
    for text, wanted in by_file.items():
        path = path_of(text)
        if path is not None and dataset.selection.file(path):
            answers |= {(text, hour): answer for hour, answer in rewrite(dataset, path, wanted, action).items()}
    said = [answers.get(ref.key, Answer.not_found()) for ref in refs]
    missing = [ref for ref, answer in zip(refs, said, strict=True) if answer.said is Answered.NOT_FOUND]
    if not missing:
        return said
    rows = (row for _, found in dataset.files() for row in rows_at(dataset, found.path))
    elsewhere = resliced(rows, missing)
    return [
        Answer.changed() if answer.said is Answered.NOT_FOUND and (ref.key[-1], ref.fingerprint) in elsewhere else answer
        for ref, answer in zip(refs, said, strict=True)
    ]


def _files(dataset: Dataset, refs: Sequence[RecordRef], act: Act, *, blocked_too: bool) -> list[Answer]:
    """Act on each file; `changed` is the answer for one that is only gone from its name, as after a rotation."""
    answers = each_file(dataset, refs, act, blocked_too=blocked_too)
    missing = [ref.fingerprint for ref, answer in zip(refs, answers, strict=True) if answer.said is Answered.NOT_FOUND]
    elsewhere = renamed(dataset, dataset.files(), missing, blocked_too=blocked_too) if missing else set()
    return [
        Answer.changed() if answer.said is Answered.NOT_FOUND and ref.fingerprint in elsewhere else answer
        for ref, answer in zip(refs, answers, strict=True)
    ]


def open_reader(connection: FilesConnection, options: FilesOptions, target: Target) -> Reader:
    """A reader; raises `ConnectorError` where a directory of the settings cannot be opened."""
    dataset = open_dataset(connection, options, target)
    return BundleReader(dataset) if isinstance(options.source, Sidecar) else FilesReader(dataset)


def open_deleter(connection: FilesConnection, options: FilesOptions, target: Target) -> FilesDeleter:
    """A deleter, alone on the root; raises `TransientConnectorError` while another session acts there."""
    return FilesDeleter(_begun(connection, options, target))


def open_blocker(connection: FilesConnection, options: FilesOptions, target: Target) -> FilesBlocker:
    """A blocker, alone on the root; raises as `open_deleter`."""
    return FilesBlocker(_begun(connection, options, target))


def open_anonymizer(connection: FilesConnection, options: FilesOptions, target: Target) -> FilesAnonymizer:
    """An anonymizer, alone on the root; raises as `open_deleter`."""
    return FilesAnonymizer(_begun(connection, options, target))


def _begun(connection: FilesConnection, options: FilesOptions, target: Target) -> Dataset:
    dataset = open_dataset(connection, options, target)
    try:
        begin(dataset)
    except BaseException:  # the lock is on its handle
        dataset.close()
        raise
    return dataset
