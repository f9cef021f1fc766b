"""Typed errors: each carries the stable code that every surface shows, and a detail naming the value and the fix."""

from __future__ import annotations


class BladecheckError(Exception):
    """Base of every error that Bladecheck raises on purpose.

    Attributes:
        code: stable, machine-readable name; documented, never reused for another meaning.
        detail: one plain sentence that names the offending value and what to do.
    """

    code = "error"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class PictureError(BladecheckError):
    """A picture that can't be judged because it can't be read; the verdict is a failure row, never a negative."""

    code = "unreadable"


class EmptyPicture(PictureError):
    """Zero bytes."""

    code = "empty"


class NotAPicture(PictureError):
    """The bytes are not of a format on the allow-list."""

    code = "not_an_image"


class PictureTooLarge(PictureError):
    """Too many bytes or pixels; refused before decoding."""

    code = "too_large"


class BrokenPicture(PictureError):
    """Truncated or corrupt: the decoder gave up."""

    code = "broken"


class MissingDecoder(PictureError):
    """A known format whose decoder is an optional extra that is not installed."""

    code = "missing_decoder"


class UnsupportedPicture(PictureError):
    """A known format in a variety that no decoder here reads, such as a TIFF of floats in colour; it may be whole."""

    code = "unsupported"


class PictureTooSlow(PictureError):
    """Judging it took longer than the service allows."""

    code = "too_slow"


class JudgingFailed(PictureError):
    """A fault on our side while judging; the picture may be fine."""

    code = "internal"


class UnreadableFile(PictureError):
    """The operating system would not hand over the file's bytes."""

    code = "unreadable_file"


class NoScore(PictureError):
    """The model answered with something that is no finite number; never a negative."""

    code = "no_score"


class BundleError(BladecheckError):
    """A model bundle that is missing, tampered with, or of a schema this version does not know."""

    code = "bad_bundle"


class GoldenMismatch(BundleError):
    """The bundle loads, but its answers differ from the ones recorded when it was made."""

    code = "golden_mismatch"


class SignatureMismatch(BundleError):
    """The bundle is not what was signed, or another key signed it."""

    code = "bad_signature"


class PolicyError(BladecheckError):
    """A policy with an unknown key or a value out of range."""

    code = "bad_policy"


class LabelsError(BladecheckError):
    """A file of labels that can't be used, or a bundle that labels can't be used with."""

    code = "bad_labels"


class RecordError(BladecheckError):
    """A file that is no record of a decision, or a key for records that can't be used."""

    code = "bad_record"


class ArchiveError(BladecheckError):
    """An archive that can't be read safely, or whose format is not recognised."""

    code = "bad_archive"


class StoreUnreachable(BladecheckError):
    """An object store or web server that gave no answer after several tries: nothing is said about its objects."""

    code = "store_unreachable"


class DamagedArchive(ArchiveError):
    """A part of an archive that lost or changed bytes: a checksum or a size that it states is not met."""

    code = "damaged"


class PackError(BladecheckError):
    """A bill of materials or signature that can't be made or checked: a library, key or file is missing or unfit."""

    code = "bad_pack"


class RunError(BladecheckError):
    """An archive run that can't go on: a lock, a foreign journal, a full disk."""

    code = "bad_run"


class ServerError(BladecheckError):
    """A Bladecheck server that can't be reached or does not answer as documented."""

    code = "bad_server"


class SettingsError(BladecheckError):
    """A setting of the service that is unknown, out of range, or unsafe together with another."""

    code = "bad_settings"
