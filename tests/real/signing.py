"""Signed mail against other people's verifiers: OpenSSL and GnuPG take every one, and none of which a bit was changed.

Each form with each kind of key from each kind of file, and with each kind of mail; and through Postfix and Dovecot, which
must hand on what was signed as it is. The sender of each mail decides which identity of the account signs it.
"""

import argparse
import itertools
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import clients
import mails
from bench import SENDER, Account, Bench
from posthouse import Posthouse
from relay import toml
from signers import Authorities, Gpgsm, OpenSsl, Refused, forged, form
from world import Trouble, wait_for

FORMS = ("clear", "opaque")
# What a verified entity must hold, octet for octet, and may be changed at.
KINDS = (mails.plain, mails.eight_bit, mails.attachments, mails.fifteen_mebibytes)
THROUGH = {"postfix": Account("postfix", "implicit", "none"), "dovecot": Account("dovecot", "implicit", "PLAIN")}
# Forms × identities × mails, each taken and each refused by two programs; then forms × mails through two servers.
EXPECTED = 2 * 6 * 4 * 4 + 2 * 4 * 2 * 2


class Judge:
    """Sends, has it verified, and counts."""

    def __init__(self, bench, posthouse, verifiers):
        self.bench, self.posthouse, self.verifiers = bench, posthouse, verifiers
        self.passed = self.failed = self._sent = 0

    def matrix(self, identities):
        """Every form, identity and mail."""
        for shape, identity, kind in itertools.product(FORMS, identities, KINDS):
            cell = f"{shape:<6} {identity.kind:<3} {identity.file:<10} {kind.__name__}"
            if (signed := self._signed(cell, f"sink-{shape}", identity, kind, 4)) is None:
                continue
            arrived, mail = signed
            forgery = forged(arrived, _mark(arrived, mail))
            for verifier in self.verifiers:
                self._ask(f"{cell}, taken by {verifier.name}", self._taken, verifier, shape, arrived, mail)
                self._ask(f"{cell}, one bit changed, refused by {verifier.name}", _refused, verifier, forgery)

    def through(self, identity):
        """Servers that hand on what they were given."""
        for server, shape, kind in itertools.product(THROUGH, FORMS, KINDS):
            cell = f"{shape:<6} {kind.__name__} through {server}"
            if (signed := self._signed(cell, f"{server}-{shape}", identity, kind, 2)) is None:
                continue
            for verifier in self.verifiers:
                self._ask(f"{cell}, taken by {verifier.name}", self._taken, verifier, shape, *signed)

    def _signed(self, cell, account, identity, kind, questions):
        """The mail as it arrived, and as it was sent; nothing where it did not arrive, which fails all its questions."""
        self._sent += 1
        identifier = f"signed{self._sent:03}"
        mail, recipient = kind(identifier, identity.address), f"{identifier}-{account}@provider.test"
        gate = clients.Gate(self.posthouse.port)
        heard = clients.python_smtplib(gate, mail, SENDER, [recipient], self.bench.home)
        try:
            if heard.code != 250:
                raise Refused(f"the device heard {heard.code} {heard.text}")
            [delivery] = wait_for(lambda: self.bench.sink.for_recipient(recipient), f"{recipient} to arrive", 30)
        except (Refused, Trouble) as reason:
            for _ in range(questions):
                self._failure(cell, reason)
            return None
        return delivery.data, mail

    def _taken(self, verifier, shape, arrived, mail):
        if form(arrived) != shape:
            raise Refused(f"it is signed {form(arrived)}")
        if not arrived.isascii():
            raise Refused("it holds 8-bit text, which the next server may encode, and break the signature with that")
        content = verifier.verify(arrived)
        if mails.entity(content) != mails.entity(mail.arriving):
            raise Refused("what was signed is not what was sent")

    def _ask(self, question, check, *subject):
        try:
            check(*subject)
        except (Refused, Trouble, ValueError) as reason:
            self._failure(question, reason)
        else:
            self.passed += 1
            print(f"ok      {question}", flush=True)

    def _failure(self, question, reason):
        self.failed += 1
        print(f"FAILED  {question}\n        {reason}\n        see {self.posthouse.log}", flush=True)


def _mark(arrived, mail):
    """Octets of the body that stand in the signed entity as they are: the end of a line in plain ASCII in its middle."""
    body = mail.raw.partition(b"\r\n\r\n")[2]
    lines = [line for line in body.split(b"\r\n") if line.isascii() and len(line) > 20 and b"=" not in line]
    # Of the mail in 8-bit characters nothing stands as it was: there it is the type.
    return (lines[len(lines) // 2] if lines else b"charset=utf-8")[10:]


def _refused(verifier, forgery):
    try:
        verifier.verify(forgery)
    except Refused:
        return
    raise Refused(f"{verifier.name} takes a mail that was changed")


def _accounts(bench, identities):
    """An account for each way and form, by its name; the end of the recipient leads to it."""
    sink = {"host": "127.0.0.1", "port": bench.sink.port, "encryption": "none", "address": SENDER, "mechanism": "none"}
    ways = {"sink": sink} | {server: bench.settings(account) for server, account in THROUGH.items()}
    signers = [identity.settings for identity in identities]
    return {
        f"{way}-{shape}": settings
        # The device's own sender stays: it decides who signs.
        | {"sender": {"policy": "keep", "address": identities[0].address}, "smime": {"form": shape, "identities": signers}}
        for (way, settings), shape in itertools.product(ways.items(), FORMS)
    }


def _configure(posthouse, accounts):
    lines = []
    for name, settings in accounts.items():
        lines += ["", f"[accounts.{name}]", *(f"{key} = {toml(value)}" for key, value in settings.items())]
        lines += ["", "[[routes]]", f'recipient = "*-{name}@provider.test"', f'accounts = "{name}"']
    posthouse.add("\n".join(lines) + "\n")


def main():
    """The exit code is 0 only when every expected question was asked and answered well."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--posthouse", type=Path, required=True, help="the program to test")
    arguments.add_argument("--directory", type=Path, required=True, help="an empty directory that servers may enter")
    arguments = arguments.parse_args()
    # A polite end of this program is an end of everything it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    authorities = Authorities(arguments.directory / "signers")
    with Bench(arguments.directory, arguments.posthouse) as bench, tempfile.TemporaryDirectory(dir="/tmp") as short:
        verifiers = [OpenSsl(authorities.root, arguments.directory / "openssl"), Gpgsm(authorities.root, Path(short, "g"))]
        accounts = _accounts(bench, authorities.identities)
        port = bench.ports.take()
        first = {"host": "127.0.0.1", "port": bench.sink.port, "encryption": "none", "mechanism": "none"}
        try:
            with Posthouse(arguments.posthouse, arguments.directory / "signing", port, first) as posthouse:
                _configure(posthouse, accounts)
                posthouse.run("check", "--certificates")
                posthouse.serve()
                judge = Judge(bench, posthouse, verifiers)
                judge.matrix(authorities.identities)
                judge.through(authorities.identities[0])
        finally:
            for verifier in verifiers:
                verifier.stop()
    asked = judge.passed + judge.failed
    print(f"signatures {asked}/{EXPECTED}")
    print(f"{judge.passed} passed, {judge.failed} failed")
    return 0 if judge.failed == 0 and asked == EXPECTED else 1


if __name__ == "__main__":
    sys.exit(main())
