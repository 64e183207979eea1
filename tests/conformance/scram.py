# SPDX-License-Identifier: Apache-2.0
"""
The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677) for cases: what it answers to a server's first
message, and what the server must show at the end. Its first message is always FIRST.
"""

import base64
import hashlib
import hmac

BARE = "n=user,r=rOprNGfwEbeRWgbNEkqO"
FIRST = "n,," + BARE


def keys(password, server_first):
    """Salted password, and the text that both sides sign."""
    parts = dict(part.split("=", 1) for part in server_first.split(","))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(parts["s"]),
                                 int(parts["i"]))
    without_proof = f"c={base64.b64encode(b'n,,').decode()},r={parts['r']}"
    return salted, without_proof, ",".join((BARE, server_first, without_proof)).encode()


def answer(password, server_first):
    salted, without_proof, text = keys(password, server_first)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    mask = hmac.digest(hashlib.sha256(client_key).digest(), text, "sha256")
    proof = bytes(a ^ b for a, b in zip(client_key, mask))
    return f"{without_proof},p={base64.b64encode(proof).decode()}"


def signature(password, server_first):
    salted, _, text = keys(password, server_first)
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    return "v=" + base64.b64encode(hmac.digest(server_key, text, "sha256")).decode()


# As cases call them: answer(pencil,%first).
FUNCTIONS = {"answer": answer, "signature": signature}
