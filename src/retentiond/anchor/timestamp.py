"""The anchor `rfc3161`: a time-stamping authority says that the checkpoint was there at a moment. Needs the extra `tsa`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509

from retentiond.anchor.handover import Handover
from retentiond.anchor.posting import post
from retentiond.errors import ConfigurationError, ConnectorError
from retentiond.settings import TimestampAnchor

OK = 200
GRANTED = 0
ALGORITHMS = {"2.16.840.1.101.3.4.2.1": "sha256", "2.16.840.1.101.3.4.2.2": "sha384", "2.16.840.1.101.3.4.2.3": "sha512"}
"""What a digest in a time stamp may be made with."""


@dataclass(frozen=True, slots=True)
class Stamped:
    """The digest in a time stamp, and how it was made."""

    algorithm: str
    """A name that hashlib knows; empty for one that is not taken."""
    digest: bytes

    def of(self, content: bytes) -> bool:
        """True where it is the digest of `content`."""
        return bool(self.algorithm) and hashlib.new(self.algorithm, content).digest() == self.digest


def hand_over(anchor: TimestampAnchor, what: Handover) -> bytes:
    """Have the signed checkpoint stamped; the receipt is the authority's answer (DER) as it came.

    Raises `ConnectorError` where the authority refuses or its stamp does not hold, `TransientConnectorError` where it cannot be
    reached, `ConfigurationError` without the extra or its certificates.
    """
    library, host = _library(), urlsplit(anchor.url).hostname or ""
    roots = _roots(anchor)
    note = what.note.encode()
    request = library.TimestampRequestBuilder().data(note).hash_algorithm(library.HashAlgorithm.SHA256).build()
    headers = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
    answer = post(anchor.url, request.as_bytes(), headers, anchor.ca)
    if answer.status != OK:
        raise ConnectorError(f"The time-stamping authority {host} refuses (HTTP {answer.status}). Look at the anchor's `url`.")
    try:
        response = library.decode_timestamp_response(answer.body)
    except ValueError:
        raise ConnectorError(f"The time-stamping authority {host} answers with something else than a time stamp.") from None
    if response.status != GRANTED:
        raise ConnectorError(f"The time-stamping authority {host} refuses to stamp (status {int(response.status)}).")
    verifier = library.VerifierBuilder(roots=roots, nonce=request.nonce, policy_id=request.policy).build()
    try:
        held = verifier.verify_message(response, note)
    except (library.VerificationError, ValueError):
        held = False
    if not held:
        raise ConnectorError(
            f"The time stamp of {host} does not hold: it is of something else, a certificate expired, or none in `roots` fits."
        )
    return answer.body


def stamped_digest(token: bytes) -> Stamped:
    """The digest in a time stamp (DER); one that fits nothing where it is none. Raises `ConfigurationError` without the extra."""
    try:
        imprint = _library().decode_timestamp_response(token).tst_info.message_imprint
    except ValueError:
        return Stamped("", b"")
    return Stamped(ALGORITHMS.get(imprint.hash_algorithm.dotted_string, ""), imprint.message)


def _library() -> Any:
    try:
        import rfc3161_client  # noqa: PLC0415 - only installed with the extra
    except ImportError:
        raise ConfigurationError("Time stamps need the extra `tsa`: install `retentiond[tsa]`.") from None
    return rfc3161_client


def _roots(anchor: TimestampAnchor) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(anchor.roots.read_bytes())
    except (OSError, ValueError):
        raise ConfigurationError(
            f"The certificates in {anchor.roots} cannot be read. `roots` names a file of certificates in PEM."
        ) from None
