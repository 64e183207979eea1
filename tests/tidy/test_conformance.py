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


def test_nobody_there():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    command = RUN.with_name("nightjar-conformance")
    done = subprocess.run([command, "--host", "127.0.0.1", "--port", port], capture_output=True,
                          text=True, check=False, timeout=60)
    assert done.returncode == 2 and done.stdout == "" and len(done.stderr.splitlines()) == 1


def python(code):
    """What such code of the suite prints."""
    done = subprocess.run([sys.executable, "-c", code], cwd=RUN.parent, capture_output=True,
                          text=True, check=False)
    return done.stdout + done.stderr


def test_every_statement_has_its_cases():
    code = "import cases, coverage; print(coverage.check_statements(cases.load()))"
    assert python(code) == "None\n"


def test_every_statement_is_cited_and_every_citation_is_of_one():
    assert python("import report; print(report.check_code())") == "None\n"


def test_the_page_says_what_is_so():
    """tests/conformance/report.py writes it."""
    assert python("import report; print(report.page() == report.PAGE.read_text())") == "True\n"


# Engines that do what they should not: each line gets a wrong answer.
ENGINES = {
    "broker_engine": """
word = line.split()
if word[0] == "send" and word[2].startswith("10"):
    print(word[1], "20020000")
elif word[0] == "send" and word[2] == "c000":
    print(word[1], ANSWER)
""",
    "client_engine": """
if line.startswith("connect"):
    print("sent", ANSWER)
elif line.startswith("input"):
    print("told connected session=0")
""",
}


def verdict_in_memory(tmp_path, kind, answer, statement):
    name = f"{kind}_engine"
    path = tmp_path / "tests" / "conformance" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    body = ENGINES[name].replace("ANSWER", repr(answer)).replace("\n", "\n    ")
    path.write_text(f"#!{sys.executable}\nimport sys\nfor line in sys.stdin:\n    pass{body}"
                    "\n    print('ok', flush=True)\n")
    path.chmod(0o755)
    done = subprocess.run([sys.executable, RUN, "--engine" if kind == "broker" else "--client",
                           "--build", tmp_path, "--only", statement, "--version", "311"],
                          capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


def test_verdicts_on_a_broker_in_memory(tmp_path):
    good = verdict_in_memory(tmp_path, "broker", "d000", "MQTT-3.12.4-1")
    assert good[0] == 0, good[1]
    for answer in ("d100", "d00030040001", "d00030040001" + "6178"):
        status, output = verdict_in_memory(tmp_path, "broker", answer, "MQTT-3.12.4-1")
        assert status == 1, output


def test_verdicts_on_a_client_in_memory(tmp_path):
    connect = "100d00044d515454040200000001" + "63"
    good = verdict_in_memory(tmp_path, "client", connect, "MQTT-3.1.3-3")
    assert "ok   311 MQTT-3.1.0-1  the smallest CONNECT" in good[1], good[1]
    for wrong in ("c000", connect.replace("0200", "0300"), connect + "c000"):
        output = verdict_in_memory(tmp_path, "client", wrong, "MQTT-3.1.3-3")[1]
        assert "FAIL 311 MQTT-3.1.0-1  the smallest CONNECT" in output, output
