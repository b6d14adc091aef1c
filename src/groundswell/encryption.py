"""The lake's encryption at rest: Parquet's own (modular encryption, AES-GCM), with keys from a provider.

Each file has data keys of its own, made by Parquet; they lie in the file wrapped by a master key, which only the provider knows. Reads the
master keys from a file (`KeyFile`); another provider, a key service say, is a class with the same two methods. Refuses, with `LakeError`, a
file whose master key is not known, and bytes that were changed: AES-GCM tells. Without a key nothing here is used.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from pathlib import Path
from typing import BinaryIO, Protocol

from groundswell.errors import LakeError, ParamsError

_NONCE_BYTES = 12
_ENCRYPTED = b"PARE"
"""How an encrypted file ends, in the place of PAR1 (Parquet's format, Encryption.md)."""


class KeyProvider(Protocol):
    """Where master keys come from: 32 bytes each, with a name that is no secret."""

    def current(self) -> str:
        """The name of the key to write with."""

    def key(self, name: str) -> bytes:
        """The key called ``name``; `LakeError` where it is not known."""


class KeyFile:
    """Master keys in a file, 64 hex digits a line: the first one writes, the others still read what was written with them."""

    def __init__(self, path: Path):
        try:
            lines = path.read_text(encoding="ascii").split()
            keys = [binascii.unhexlify(line) for line in lines]
        except (OSError, ValueError):
            keys = []
        if not keys or any(len(key) != 32 for key in keys):
            raise ParamsError(f"GROUNDSWELL_LAKE_KEY: expected {path} to hold keys of 64 hex digits, one a line; make one with: openssl rand -hex 32")
        self._keys = {hashlib.sha256(b"groundswell lake key\0" + key).hexdigest()[:8]: key for key in keys}

    def current(self) -> str:
        return next(iter(self._keys))

    def key(self, name: str) -> bytes:
        if name not in self._keys:
            raise LakeError(f"the lake's key {name} is not known: add it to the file that GROUNDSWELL_LAKE_KEY names, below the one in use")
        return self._keys[name]


class Encryption:
    """What Parquet needs to write and to read files with the keys of ``provider``."""

    def __init__(self, provider: KeyProvider):
        import pyarrow.parquet.encryption as parquet

        self._parquet, self._provider = parquet, provider
        self._connection = parquet.KmsConnectionConfig()
        self._factory = parquet.CryptoFactory(lambda configuration: _client(provider))

    def writing(self):
        """For `ParquetWriter`'s ``encryption_properties``: footer and every column."""
        configuration = self._parquet.EncryptionConfiguration(
            footer_key=self._provider.current(),
            uniform_encryption=True,
            encryption_algorithm="AES_GCM_V1",
            double_wrapping=False,
            data_key_length_bits=256,
        )
        return self._factory.file_encryption_properties(self._connection, configuration)

    def reading(self):
        """For ``decryption_properties``."""
        return self._factory.file_decryption_properties(self._connection, self._parquet.DecryptionConfiguration())


def reading(file: BinaryIO, encryption: Encryption | None):
    """The ``decryption_properties`` that ``file`` needs: None for one that is not encrypted, as all of them were before a key was set."""
    file.seek(-len(_ENCRYPTED), os.SEEK_END)
    is_encrypted = file.read(len(_ENCRYPTED)) == _ENCRYPTED
    file.seek(0)
    if is_encrypted and encryption is None:
        raise LakeError("a file of the lake is encrypted and no key is set: set GROUNDSWELL_LAKE_KEY to the file with its key")
    return encryption.reading() if is_encrypted else None


def _client(provider: KeyProvider):
    import pyarrow.parquet.encryption as parquet
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    class Client(parquet.KmsClient):
        """Wraps data keys by AES-GCM (NIST SP 800-38D); the master key's name is authenticated along."""

        def wrap_key(self, key_bytes, master_key_identifier):
            nonce = os.urandom(_NONCE_BYTES)
            wrapped = AESGCM(provider.key(master_key_identifier)).encrypt(nonce, key_bytes, master_key_identifier.encode())
            return base64.b64encode(nonce + wrapped)

        def unwrap_key(self, wrapped_key, master_key_identifier):
            raw, name = base64.b64decode(wrapped_key), master_key_identifier
            try:
                return AESGCM(provider.key(name)).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], name.encode())
            except InvalidTag:
                raise LakeError(f"a data key of the lake can't be unwrapped with key {name}: the file was changed or is damaged") from None

    return Client()
