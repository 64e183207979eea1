# SPDX-License-Identifier: Apache-2.0
"""An authority and what it vouches for, made by openssl for one test."""

import subprocess
from pathlib import Path


def openssl(*arguments, cwd, text=None):
    outcome = subprocess.run(["openssl", *map(str, arguments)], cwd=cwd, input=text,
                             capture_output=True, text=True, timeout=60, check=False)
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


class Authority:
    """Keeps its files in a folder: `name`.pem, `name`.key, and the authority's own."""

    def __init__(self, folder, name="ca"):
        self.folder, self.name = Path(folder), name
        self.folder.mkdir(exist_ok=True)
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-days", "2", "-subj", f"/CN=authority {name}", "-keyout", f"{name}.key",
                "-out", f"{name}.pem", cwd=self.folder)
        (self.folder / f"{name}.index").write_text("")
        (self.folder / f"{name}.cnf").write_text(
            "[ca]\ndefault_ca=this\n[this]\n"
            f"database={name}.index\ndefault_md=sha256\ndefault_crl_days=2\n")
        self.path = str(self.folder / f"{name}.pem")

    def issue(self, name, common_name=None, alternative="DNS:localhost,IP:127.0.0.1", days=2):
        """A certificate and its key; a fresh pair under an old name takes its place."""
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={alternative}\n" if alternative else "")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-subj", f"/CN={common_name or name}/O=nightjar", "-keyout", f"{name}.new.key",
                "-out", f"{name}.csr", cwd=self.folder)
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{self.name}.pem", "-CAkey",
                f"{self.name}.key", "-CAcreateserial", "-days", days, "-extfile",
                extensions.name, "-out", f"{name}.new.pem", cwd=self.folder)
        for end in ("key", "pem"):
            (self.folder / f"{name}.new.{end}").rename(self.folder / f"{name}.{end}")
        return self.certificate(name), self.key(name)

    def certificate(self, name):
        return str(self.folder / f"{name}.pem")

    def key(self, name):
        return str(self.folder / f"{name}.key")

    def revoke(self, *names):
        """The list of those that are revoked; none without names."""
        for name in names:
            openssl("ca", "-config", f"{self.name}.cnf", "-cert", f"{self.name}.pem", "-keyfile",
                    f"{self.name}.key", "-revoke", f"{name}.pem", cwd=self.folder)
        openssl("ca", "-config", f"{self.name}.cnf", "-cert", f"{self.name}.pem", "-keyfile",
                f"{self.name}.key", "-gencrl", "-out", f"{self.name}.crl.new", cwd=self.folder)
        path = self.folder / f"{self.name}.crl"
        (self.folder / f"{self.name}.crl.new").rename(path)
        return str(path)
