"""The stage on which sign-ins are played: the issuer and its applications, Dovecot that asks it, the sink behind.

A `Stage` is set up once. `Stage.posthouse` is a Posthouse of its own for one story, with one account: which application
it is, over which encryption and by which mechanism it sends.
"""

import base64
import hashlib
import itertools
import json
import ssl
from contextlib import ExitStack
from pathlib import Path

import dovecot
import mails
from browser import Browser
from dovecot import Dovecot
from issuer import JWT_BEARER, SCOPE, Issuer, machine, person
from posthouse import Posthouse
from sink import Sink
from world import Authority, Ports, Trouble, wait_for

MAILBOX = "relay@provider.test"
LOOPBACK = "http://127.0.0.1/"
PAGE = "https://relay.test/signed-in"
# Characters that break careless quoting and encoding.
SECRET = "s3cret+/=%&:~Q"
SERVICE = "scanner@project.provider.test"
# The issuer counts in whole seconds, so a token of two lives for one at least.
SHORT = 2


class Failed(Exception):
    """What was asked for did not happen."""


def check(holds, otherwise):
    """Raises `Failed` with these words unless it holds."""
    if not holds:
        raise Failed(otherwise)


class Stage:
    """Everything but Posthouse, running. Use as a context manager."""

    def __init__(self, program, home: Path, node, modules):
        self.home, self._program = home, program
        self._node, self._modules = node, modules
        self._ports, self._running = Ports(), ExitStack()
        self._numbers = itertools.count(1)
        self.installations = []

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self._running.close()
            raise
        return self

    def __exit__(self, *_):
        self._running.close()

    def posthouse(self, name, oauth, encryption="implicit", mechanism="xoauth2", connections=2):
        """An installation with one account, by its `oauth = {…}`."""
        account = {
            "host": dovecot.ADDRESS,
            "port": self.dovecot.ports[encryption],
            "encryption": encryption,
            "ca_file": self.authority.certificate,
            "address": MAILBOX,
            "mechanism": mechanism,
            "limits": {"connections": connections},
            "oauth": oauth,
        }
        installation = Posthouse(self._program, self.home / name, self._ports.take(), account)
        self.installations.append(installation)
        return installation

    def by_browser(self, client, redirect=LOOPBACK):
        """`oauth` of an account that a person signs in with a browser; the issuer says itself where to ask."""
        return {
            "grant": "authorization_code",
            "discovery": f"{self.issuer.address}/.well-known/openid-configuration",
            "client_id": client,
            "scope": f"{SCOPE} offline_access",
            # OpenID Connect Core §11: without it no refresh token.
            "parameters": ["prompt=consent"],
            "redirect_uri": redirect,
        }

    def by_device(self, client):
        """`oauth` of an account that a person signs in with a code; the endpoints are written out."""
        return {
            "grant": "device_code",
            "client_id": client,
            "scope": f"{SCOPE} offline_access",
            "device_authorization_endpoint": f"{self.issuer.address}/device/auth",
            "token_endpoint": self.issuer.token_endpoint,
            "revocation_endpoint": f"{self.issuer.address}/token/revocation",
        }

    def by_itself(self, client, **proof):
        """`oauth` of an account that needs nobody."""
        return {
            "grant": "client_credentials",
            "client_id": client,
            "scope": SCOPE,
            "token_endpoint": self.issuer.token_endpoint,
        } | proof

    def by_certificate(self, kind):
        """The same, with the application's certificate."""
        certificate, key = self._applications[kind]
        return self.by_itself(f"app-{kind}", client_certificate=certificate, client_key=key)

    def by_service_account(self):
        """`oauth` of an account whose key may act for the mailbox."""
        certificate, private_key = self._applications["rsa"]
        key = {
            "type": "service_account",
            "client_email": SERVICE,
            "private_key_id": _thumbprint(certificate),
            "private_key": private_key.read_text(),
            # As it stands in such files; the account's own endpoint goes before it.
            "token_uri": "https://oauth2.googleapis.com/token",
        }
        file = self.home / "service-account.json"
        file.write_text(json.dumps(key))
        file.chmod(0o600)
        return {
            "grant": "service_account",
            "key_file": file,
            "token_endpoint": self.issuer.token_endpoint,
            "subject": MAILBOX,
            "scope": SCOPE,
        }

    def signs_in(self, installation):
        """A person signs in by redirect, on this machine."""
        login = installation.login()
        Browser(self.authority.certificate).visit(login.reads(rf"{self.issuer.address}/auth\?\S+"))
        return login.ends()

    def delivers(self, installation):
        """One mail goes through at once and arrives as it was sent, by a server that says it was signed in."""
        heard, mail, recipient = installation.send(self._name(installation), MAILBOX)
        check(heard.code == 250, f"the device heard {heard.code} {heard.text}")
        [delivery] = wait_for(lambda: self.sink.for_recipient(recipient), "the mail to arrive", 10)
        trace = self.dovecot.trace(MAILBOX, signed_in=True, certified=False, encrypted=True)
        mails.compare(delivery.data, mail, trace, "ESMTP")

    def keeps_waiting(self, installation, words=""):
        """One mail cannot go out: the device hears 4xx, with these words, and keeps it."""
        heard, _, recipient = installation.send(self._name(installation), MAILBOX)
        is_later = 400 <= heard.code <= 499 and words in heard.text
        check(is_later, f"the device heard {heard.code} {heard.text} instead of 4xx with {words!r}")
        check(not self.sink.for_recipient(recipient), "the device heard a refusal, and the mail went out")

    def _name(self, installation):
        return f"{installation.home.name}-{next(self._numbers)}"

    def _start(self):
        self.authority = Authority(self.home / "authority", "Posthouse test authority")
        server = self.authority.issue("server", "DNS:localhost,IP:127.0.0.1,IP:127.0.0.2")
        self._applications = {
            kind: self.authority.issue(f"app-{kind}", "DNS:app.test", "clientAuth", kind) for kind in ("ec", "rsa")
        }
        certificates = {kind: certificate for kind, (certificate, _) in self._applications.items()}
        self.issuer = self._keep(
            Issuer(
                self.home / "issuer",
                self._ports.take(),
                server,
                self.authority.certificate,
                self._node,
                self._modules,
                MAILBOX,
                _applications(certificates),
            )
        )
        # One mail a connection: each signs in anew, and none is saved by a line that was signed in before.
        self.sink = self._keep(Sink(self._ports.take(), one_mail_a_connection=True))
        self.dovecot = self._keep(
            Dovecot(
                self.home / "dovecot",
                self._ports,
                self.sink.port,
                self.issuer.introspection,
                server,
                MAILBOX,
                "no password",
                ca_file=self.authority.certificate,
            )
        )

    def _keep(self, service):
        self._running.callback(service.stop)
        return service


def _applications(certificates):
    """Everything that is registered at the issuer; one for each story that counts its calls."""
    return [
        person("redirect", LOOPBACK),
        person("paste", PAGE),
        person("device"),
        person("expiry", LOOPBACK, life=SHORT),
        person("withdrawn", LOOPBACK),
        person("stolen", LOOPBACK, life=SHORT),
        person("brought", LOOPBACK, life=SHORT),
        person("goodbye", LOOPBACK),
        person("minute", LOOPBACK, life=SHORT, delay=0.2),
        person("killed", LOOPBACK, life=SHORT, delay=0.4),
        machine("5f1c/app", "client_secret_basic", SECRET),
        machine("app-body", "client_secret_post", SECRET),
        machine("app-ec", "private_key_jwt", certificate=certificates["ec"]),
        machine("app-rsa", "private_key_jwt", certificate=certificates["rsa"]),
        machine(SERVICE, "none", grant=JWT_BEARER, certificate=certificates["rsa"]),
    ]


def _thumbprint(certificate):
    """RFC 7515 §4.1.8; also what the issuer calls the key."""
    octets = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.read_text())).digest()
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
