# SPDX-License-Identifier: Apache-2.0
"""JSON Web Tokens, signed by the openssl program or by Python's hmac."""

import base64
import hashlib
import hmac
import json
import subprocess

KINDS = {
    "rsa": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    "p256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "p384": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "p521": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
    "ed25519": ["-algorithm", "ED25519"],
    "ed448": ["-algorithm", "ED448"],
}
# By algorithm: the kind of its key, and how long each half of an ECDSA signature is.
ALGORITHMS = {"RS256": ("rsa", 0), "RS384": ("rsa", 0), "RS512": ("rsa", 0),
              "PS256": ("rsa", 0), "PS384": ("rsa", 0), "PS512": ("rsa", 0),
              "ES256": ("p256", 32), "ES384": ("p384", 48), "ES512": ("p521", 66)}


def openssl(*words, data=None):
    done = subprocess.run(["openssl", *map(str, words)], input=data, capture_output=True,
                          check=True, timeout=30)
    return done.stdout


def encode(data):
    if not isinstance(data, bytes):
        data = json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _der_length(data, at):
    if data[at] < 0x80:
        return data[at], at + 1
    count = data[at] & 0x7F
    return int.from_bytes(data[at + 1:at + 1 + count], "big"), at + 1 + count


def _halves(der, size):
    """The two numbers of a SEQUENCE, each in so many bytes."""
    _, at = _der_length(der, 1)
    out = b""
    for _ in range(2):
        length, at = _der_length(der, at + 1)
        out += int.from_bytes(der[at:at + length], "big").to_bytes(size, "big")
        at += length
    return out


class Key:
    """A pair of keys in a folder: <name>.pem for who signs, <name>.pub for who verifies."""

    def __init__(self, folder, kind, name=None):
        self.kind = kind
        self.private = folder / f"{name or kind}.pem"
        self.public = folder / f"{name or kind}.pub"
        openssl("genpkey", *KINDS[kind], "-out", self.private)
        openssl("pkey", "-in", self.private, "-pubout", "-out", self.public)

    def _sign(self, algorithm, text):
        if self.kind.startswith("ed"):
            scratch = self.private.with_suffix(".text")
            scratch.write_bytes(text)
            return openssl("pkeyutl", "-sign", "-inkey", self.private, "-rawin", "-in", scratch)
        kind, half = ALGORITHMS[algorithm]
        assert kind == self.kind
        pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"]
        signed = openssl("dgst", f"-sha{algorithm[2:]}", "-sign", self.private,
                         *(pss if algorithm[0] == "P" else []), data=text)
        return _halves(signed, half) if half else signed

    def token(self, algorithm, claims, **header):
        text = f"{encode({'alg': algorithm, **header})}.{encode(claims)}"
        return f"{text}.{encode(self._sign(algorithm, text.encode()))}"


def secret_token(secret, claims, algorithm="HS256", **header):
    text = f"{encode({'alg': algorithm, **header})}.{encode(claims)}"
    mac = hmac.new(secret, text.encode(), getattr(hashlib, f"sha{algorithm[2:]}"))
    return f"{text}.{encode(mac.digest())}"
