# SPDX-License-Identifier: Apache-2.0
"""The conformance runner's own verdicts: a server that is wrong on purpose must fail."""

import socket
import subprocess
import sys
import threading
from pathlib import Path

RUN = Path(__file__).resolve().parents[1] / "conformance" / "run.py"
CONNACK = b"\x20\x02\x00\x00"
PINGRESP = b"\xD0\x00"


def serve(listener, pingresp):
    """Accepts everyone, answers each PINGREQ with those bytes."""
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=serve_one, args=(client, pingresp), daemon=True).start()


def serve_one(client, pingresp):
    with client:
        client.recv(4096)
        client.sendall(CONNACK)
        while data := client.recv(4096):
            client.sendall(pingresp * data.count(b"\xC0\x00"))


def verdict(pingresp, statement="MQTT-3.12.4-1"):
    """(exit status, output) of that statement's cases against such a server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener, pingresp), daemon=True).start()
        done = subprocess.run([sys.executable, RUN, "--port", str(listener.getsockname()[1]),
                               "--only", statement, "--version", "311"], capture_output=True,
                              text=True, check=False, timeout=60)
    return done.returncode, done.stdout


def test_a_right_answer_passes():
    status, output = verdict(PINGRESP)
    assert status == 0, output
    assert output.splitlines()[-1] == "1 passed, 0 failed"


def test_a_wrong_flag_fails():
    status, output = verdict(b"\xD1\x00")
    assert status == 1 and "MQTT-2.2.2-1" in output, output


def test_a_packet_too_many_fails():
    status, output = verdict(PINGRESP + b"\x30\x04\x00\x01ax")
    assert status == 1 and "nobody expected PUBLISH" in output, output


def test_a_malformed_packet_fails():
    status, output = verdict(PINGRESP + b"\x30\x04\x00\x40ax")
    assert status == 1 and "ends in the middle of a field" in output, output


def test_a_missing_close_fails():
    """This server lets a second CONNECT pass."""
    status, output = verdict(PINGRESP, "MQTT-3.1.0-2")
    assert status == 1 and "no end of stream" in output, output


def test_no_case_is_no_success():
    status, output = verdict(PINGRESP, "MQTT-9.9.9-9")
    assert status == 1 and output.endswith("0 passed, 0 failed\n"), output
