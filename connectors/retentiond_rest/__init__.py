"""The connector `rest`: systems that are reached by HTTP and JSON, told in a manifest instead of in Python."""

from __future__ import annotations

from retentiond.connector import Connector, Target
from retentiond_rest.acting import RestAnonymizer, RestBlocker, RestDeleter
from retentiond_rest.attesting import RestAttestor
from retentiond_rest.options import RestConnection, RestOptions, copies, fitting, offer
from retentiond_rest.reader import RestReader
from retentiond_rest.session import Session


def _reader(connection: RestConnection, options: RestOptions, target: Target) -> RestReader:
    return RestReader(Session(connection, options, target))


def _deleter(connection: RestConnection, options: RestOptions, target: Target) -> RestDeleter:
    return RestDeleter(Session(connection, options, target, acts=True))


def _blocker(connection: RestConnection, options: RestOptions, target: Target) -> RestBlocker:
    return RestBlocker(Session(connection, options, target, acts=True))


def _anonymizer(connection: RestConnection, options: RestOptions, target: Target) -> RestAnonymizer:
    return RestAnonymizer(Session(connection, options, target, acts=True))


def _attestor(connection: RestConnection, options: RestOptions, target: Target) -> RestAttestor:
    return RestAttestor(Session(connection, options, target))


connector = Connector(
    name="rest",
    title="Systems with an interface by HTTP and JSON, described in a manifest",
    connection=RestConnection,
    options=RestOptions,
    offer=offer,
    reader=_reader,
    deleter=_deleter,
    blocker=_blocker,
    anonymizer=_anonymizer,
    attestor=_attestor,
    copies=copies,
    key=lambda text: tuple(text.split("//")),
    beside=fitting,
    batch_size=50,
    extra="rest",
)

__all__ = ["connector"]
