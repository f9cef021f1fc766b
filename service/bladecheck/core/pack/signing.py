"""Signatures of a bundle in the OpenSSF model-signing format, with a key of one's own and without the network."""

from __future__ import annotations

from pathlib import Path

from bladecheck.core.bundle import Bundle
from bladecheck.errors import PackError, SignatureMismatch


def sign(bundle: Bundle, key: Path, target: Path, password: str | None = None) -> None:
    """Sign every file of a bundle's folder.

    Args:
        key: an elliptic-curve private key (PEM).
        target: where the signature goes, outside the folder.
        password: of the key, if it has one.

    Raises:
        PackError: the library is not installed, or the key can't be used.
    """
    try:
        from model_signing.signing import Config
    except ImportError as error:
        raise _missing() from error
    if target.resolve().is_relative_to(bundle.path.resolve()):
        raise PackError(f"{target} lies inside the folder that is signed; choose a file beside it.")
    if not key.is_file():
        raise PackError(f"{key} is no file. A key: openssl ecparam -name prime256v1 -genkey -noout -out {key}")
    try:
        signer = Config()  # type: ignore[no-untyped-call]
        signer.use_elliptic_key_signer(private_key=key, password=password).sign(bundle.path, target)
    except OSError:
        raise
    except Exception as error:  # cryptography raises several unrelated types
        raise PackError(f"{key} can't sign: {error} It must be an elliptic-curve private key (PEM).") from error


def verify(bundle: Bundle, signature: Path, key: Path) -> None:
    """Check that a bundle's folder holds exactly what was signed by the owner of a key.

    Args:
        key: the public key (PEM).

    Raises:
        SignatureMismatch: a file is changed, missing or new, or another key signed it.
        PackError: the library is not installed, or key or signature are no files.
    """
    try:
        from model_signing.verifying import Config
    except ImportError as error:
        raise _missing() from error
    for file in (signature, key):
        if not file.is_file():
            raise PackError(f"{file} is no file.")
    try:
        verifier = Config()  # type: ignore[no-untyped-call]
        verifier.use_elliptic_key_verifier(public_key=key).verify(bundle.path, signature)
    except Exception as error:  # the library and cryptography raise several unrelated types
        raise SignatureMismatch(
            f"{bundle.path} is not what {signature} signs with {key}: {str(error) or type(error).__name__}."
        ) from error


def _missing() -> PackError:
    return PackError("This needs an optional library: pip install 'bladecheck[sign]'.")
