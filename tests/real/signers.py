"""Who signs and who verifies: S/MIME identities made by OpenSSL, and two programs that judge signatures.

An identity is a key, its certificate, the authority between, and the root, in one file of the kind its name says. What
a verifier takes it gives back; what it refuses raises `Refused`.
"""

import base64
import email
import email.policy
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from world import KEYS, Trouble, run_tool

PASSWORD = "signer's pass/word+ü"
FILES = ("p12", "legacy p12", "pem")
DEADLINE = 60


class Refused(Exception):
    """A verifier did not take a signature."""


@dataclass(frozen=True)
class Identity:
    """One file, and whom it signs for."""

    kind: str
    file: str
    address: str
    path: Path

    @property
    def settings(self):
        """What stands in `identities` for it."""
        password = {} if self.file == "pem" else {"password": PASSWORD}
        return {"identity": self.path} | password


class Authorities:
    """A root, an authority for mail below it, and every identity there is."""

    def __init__(self, directory: Path):
        directory.mkdir()
        self._directory = directory
        self.root = self._certificate("root", "rsa", "basicConstraints=critical,CA:true\nkeyUsage=keyCertSign,cRLSign\n")
        between = "basicConstraints=critical,CA:true,pathlen:0\nkeyUsage=keyCertSign,cRLSign\n"
        self._between = self._certificate("between", "ec", between, "root")
        self.identities = [self._identity(kind, file) for kind in KEYS for file in FILES]

    def _identity(self, kind, file):
        name = f"{kind}-{file.replace(' ', '-')}"
        address = f"{name}@signers.test"
        extensions = (
            "basicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\n"
            f"extendedKeyUsage=emailProtection\nsubjectAltName=email:{address}\n"
        )
        own = self._certificate(name, kind, extensions, "between")
        key, chain = own.with_suffix(".key"), self._directory / f"{name}.chain"
        chain.write_text(self._between.read_text() + self.root.read_text())
        if file == "pem":
            path = self._directory / f"{name}.identity.pem"
            path.write_text(own.read_text() + chain.read_text() + key.read_text())
        else:
            path = self._directory / f"{name}.p12"
            command = ["openssl", "pkcs12", "-export", "-inkey", key, "-in", own, "-certfile", chain, "-out", path]
            # `-legacy` is RC2 and 3DES, as Windows and older programs export.
            run_tool([*command, "-passout", f"pass:{PASSWORD}", *(["-legacy"] if file == "legacy p12" else [])])
        path.chmod(0o600)
        return Identity(kind, file, address, path)

    def _certificate(self, name, kind, extensions, issuer=None):
        config, path = self._directory / f"{name}.cnf", self._directory / f"{name}.pem"
        extensions += "subjectKeyIdentifier=hash\n" + ("authorityKeyIdentifier=keyid\n" if issuer else "")
        config.write_text(f"[req]\ndistinguished_name=dn\nprompt=no\n[dn]\nCN=Signer {name}\n[ext]\n{extensions}")
        command = ["openssl", "req", "-x509", "-config", config, "-extensions", "ext", "-days", "60", "-nodes"]
        if issuer:
            above = self._directory / issuer
            command += ["-CA", above.with_suffix(".pem"), "-CAkey", above.with_suffix(".key")]
        run_tool([*command, *KEYS[kind], "-keyout", path.with_suffix(".key"), "-out", path])
        return path


class OpenSsl:
    """`openssl cms -verify`, which reads the whole mail."""

    name = "openssl"

    def __init__(self, root: Path, directory: Path):
        directory.mkdir()
        self._root, self._mail, self._content = root, directory / "mail.eml", directory / "content"

    def stop(self):
        """There is nothing that runs on."""

    def verify(self, mail: bytes):
        """Returns what was signed."""
        self._mail.write_bytes(mail)
        command = ["openssl", "cms", "-verify", "-in", self._mail, "-CAfile", self._root, "-purpose", "smimesign"]
        _run([*command, "-out", self._content])
        return self._content.read_bytes()


class Gpgsm:
    """GnuPG, which wants the signature by itself, and what it signs beside it where the form is clear."""

    name = "gpgsm"

    def __init__(self, root: Path, directory: Path):
        # The socket of its agent stands there, and its path must be short.
        directory.mkdir(mode=0o700)
        self._home = directory
        self._command = ["gpgsm", "--homedir", directory, "--batch", "--disable-dirmngr", "--disable-crl-checks"]
        run_tool([*self._command, "--import", root])
        fingerprint = run_tool(["openssl", "x509", "-in", root, "-noout", "-fingerprint", "-sha1"])
        fingerprint = fingerprint.strip().partition("=")[2].replace(":", "")
        (directory / "trustlist.txt").write_text(f"{fingerprint} S relax\n")
        run_tool(["gpgconf", "--homedir", directory, "--kill", "gpg-agent"])

    def stop(self):
        """Ends the agent it has started for itself."""
        subprocess.run(["gpgconf", "--homedir", str(self._home), "--kill", "all"], check=False, timeout=DEADLINE)
        shutil.rmtree(self._home, ignore_errors=True)

    def verify(self, mail: bytes):
        """Returns what was signed."""
        signature, content = self._home / "signature", self._home / "content"
        content.unlink(missing_ok=True)
        if form(mail) == "clear":
            signed, der = parts(mail)
            content.write_bytes(signed)
            signature.write_bytes(der)
            arguments = ["--verify", signature, content]
        else:
            signature.write_bytes(opaque_der(mail))
            arguments = ["--output", content, "--verify", signature]
        said = _run([*self._command, "--status-fd", "1", *arguments])
        if "[GNUPG:] GOODSIG " not in said or "[GNUPG:] TRUST_FULLY" not in said:
            raise Refused(f"gpgsm: {said[-400:]}")
        return content.read_bytes()


def form(mail: bytes):
    """How the mail is signed; Refused where it is not."""
    kind = email.message_from_bytes(mail[: mail.index(b"\r\n\r\n") + 4], policy=email.policy.default).get_content_type()
    known = {"multipart/signed": "clear", "application/pkcs7-mime": "opaque"}
    if kind not in known:
        raise Refused(f"the mail is not signed: its type is {kind}")
    return known[kind]


def parts(mail: bytes):
    """What a clear signature covers, octet for octet, and the signature."""
    header, _, body = mail.partition(b"\r\n\r\n")
    delimiter = b"--" + re.search(rb'boundary="([^"]+)"', header).group(1)
    # RFC 2046 §5.1.1: the line ending before a delimiter is the delimiter's.
    _, first, second, _ = (b"\r\n" + body).split(b"\r\n" + delimiter)
    encoded = second.partition(b"\r\n\r\n")[2]
    return first.removeprefix(b"\r\n"), base64.b64decode(encoded)


def opaque_der(mail: bytes):
    """The signature that holds the mail."""
    return base64.b64decode(mail.partition(b"\r\n\r\n")[2])


def forged(mail: bytes, here: bytes):
    """The mail with one bit of these signed octets changed."""
    changed = bytes([here[0] ^ 1]) + here[1:]
    if form(mail) == "clear":
        signed = parts(mail)[0]
        if here not in signed:
            raise Trouble("what is to be changed does not stand in the mail")
        return mail.replace(signed, signed.replace(here, changed, 1), 1)
    header, _, _ = mail.partition(b"\r\n\r\n")
    der = opaque_der(mail)
    if here not in der:
        raise Trouble("what is to be changed does not stand in the mail")
    return header + b"\r\n\r\n" + base64.encodebytes(der.replace(here, changed, 1)).replace(b"\n", b"\r\n")


def _run(command):
    done = subprocess.run([str(part) for part in command], capture_output=True, timeout=DEADLINE, check=False)
    said = (done.stdout + done.stderr).decode(errors="replace")
    if done.returncode != 0:
        raise Refused(f"{command[0]} ended with {done.returncode}: {said[-400:]}")
    return said
