# SPDX-License-Identifier: Apache-2.0
"""What a scanner of TLS looks for: versions, ciphers, resumption, and certificates of strangers."""

import re
import subprocess

import pytest

from support.broker import IS_MOSQUITTO, IS_SANITIZED, PROGRAM
from support.certificates import openssl
from support.process import DEADLINE, eventually, run
from test_tls import Doors, authority, mosquitto_pub, mutual, server  # noqa: F401

pytestmark = pytest.mark.skipif(IS_MOSQUITTO or IS_SANITIZED,
                                reason="log lines and options of ours; OpenSSL's choices")

# Nobody has them on by mistake: each alone, as a client that offers nothing else.
WEAK = ("NULL", "aNULL", "LOW", "3DES", "RC4", "MD5", "IDEA", "SEED", "EXPORT")


def s_client(port, *more, text=""):
    return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *more],
                          input=text, capture_output=True, text=True, timeout=DEADLINE,
                          check=False)


def known_to_openssl(ciphers):
    done = subprocess.run(["openssl", "ciphers", f"{ciphers}:@SECLEVEL=0"], capture_output=True,
                          text=True, check=False)
    return done.returncode == 0 and done.stdout.strip()


@pytest.fixture(name="rsa", scope="module")
def fixture_rsa(authority):  # noqa: F811
    """Lines of a listener whose key is RSA's, by which more ciphers could be chosen."""
    folder = authority.folder
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
            "-keyout", "rsa.key", "-out", "rsa.pem", cwd=folder)
    return ["listener 0 127.0.0.1", f"certfile {folder / 'rsa.pem'}",
            f"keyfile {folder / 'rsa.key'}"]


def test_old_versions_are_refused_and_told(rsa):
    with Doors(rsa) as doors:
        for version in ("-tls1", "-tls1_1"):
            start = len(doors.broker.lines())
            answer = s_client(doors.ports[1], version, "-cipher", "ALL:@SECLEVEL=0")
            assert "Cipher is (NONE)" in answer.stdout
            assert "protocol version" in answer.stderr  # the alert says why
            doors.broker.wait_for_line("refused: TLS handshake failed: .*(protocol|version)", start)
        for version, name in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
            assert f"New, {name}, Cipher is" in s_client(doors.ports[1], version).stdout


def test_weak_ciphers_are_not_offered(rsa):
    tried = [weak for weak in WEAK if known_to_openssl(weak)]
    assert len(tried) >= 3  # this openssl can still speak some of them
    with Doors(rsa) as doors:
        for weak in tried:
            answer = s_client(doors.ports[1], "-tls1_2", "-cipher", f"{weak}:@SECLEVEL=0").stdout
            assert "Cipher is (NONE)" in answer, weak
        doors.refused("TLS handshake failed: no shared cipher")
        answer = s_client(doors.ports[1], "-tls1_2").stdout
        assert re.search(r"Cipher is ECDHE-RSA-\S*(GCM|POLY1305)", answer)
        assert "Compression: NONE" in answer and "Secure Renegotiation IS supported" in answer


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_tickets_resume(rsa, tmp_path, version):
    saved = tmp_path / "session"
    with Doors(rsa) as doors:
        # a ticket of 1.3 comes with the first bytes from the broker: the answer to a CONNECT
        connect = "\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01c"
        with subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{doors.ports[1]}",
                               "-quiet", version, "-sess_out", saved], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as first:
            first.stdin.write(connect.encode("latin1"))
            first.stdin.flush()
            assert first.stdout.read(4) == b"\x20\x02\0\0"
            eventually(lambda: saved.exists() and saved.stat().st_size)
            first.kill()
        assert "Reused, TLS" in s_client(doors.ports[1], version, "-sess_in", saved).stdout


def dated(authority, name, *dates):  # noqa: F811
    """A certificate of the authority with these dates."""
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
            f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr", cwd=authority.folder)
    (authority.folder / "dated.cnf").write_text(
        "[ca]\ndefault_ca=this\n[this]\ndatabase=ca.index\nserial=dated.serial\n"
        "rand_serial=yes\ndefault_md=sha256\nnew_certs_dir=.\npolicy=any\n[any]\n"
        "commonName=supplied\n")
    openssl("ca", "-batch", "-config", "dated.cnf", "-cert", "ca.pem", "-keyfile", "ca.key",
            "-notext", "-in", f"{name}.csr", "-out", f"{name}.pem", *dates, cwd=authority.folder)


def test_certificates_that_prove_nothing(authority):  # noqa: F811
    folder = authority.folder
    dated(authority, "early", "-startdate", "20990101000000Z", "-enddate", "20991231000000Z")
    dated(authority, "late", "-startdate", "20200101000000Z", "-enddate", "20200201000000Z")
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-days", "2", "-subj", "/CN=alice", "-keyout", "own.key", "-out", "own.pem", cwd=folder)
    with Doors(mutual(authority)) as doors:
        for name, why in (("early", "certificate is not yet valid"),
                          ("late", "certificate has expired"),
                          ("own", "self-signed certificate")):
            status, _out, _err = mosquitto_pub(
                doors.ports[1], "--cafile", authority.path, "--cert", authority.certificate(name),
                "--key", authority.key(name))
            assert status != 0
            doors.refused(f"TLS handshake failed: {why}")


def test_options_that_name_nothing_are_refused(authority, tmp_path):  # noqa: F811
    for line in ("ciphers NONE-OF-THEM", "ciphers_tls1.3 NONE", "tls_curves none-of-them",
                 "tls_version sslv3"):
        path = tmp_path / "broker.conf"
        path.write_text("\n".join(["persistence false", *server(authority, line)]) + "\n")
        status, _out, err = run([PROGRAM, "broker", "-c", str(path)])
        assert status != 0 and line.split()[0] in err[-1], err
