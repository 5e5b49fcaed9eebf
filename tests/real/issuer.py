"""The issuer: the certified oidc-provider in a Node of its own, the clients it knows, and what it wrote down.

`oidc/provider.mjs` is the program, `oidc/install` brings what it runs on. Everybody signs in as one mailbox.
`Issuer.calls` reads the log of calls: who asked for what, from when till when, with which refresh token (as SHA-256),
and what came of it.
"""

import hashlib
import json
import subprocess
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from browser import trusting
from world import Trouble, port_open, stop_process, wait_for

PROGRAM = Path(__file__).parent / "oidc/provider.mjs"
INTROSPECTOR = ("dovecot", "introspection-secret")
SCOPE = "smtp.send"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


@dataclass(frozen=True)
class Client:
    """One application: its registration (RFC 7591), seconds its tokens live, and how slowly it is answered."""

    identifier: str
    registration: dict
    life: float = 3600
    delay: float = 0
    # PEM; the library gets the key in it.
    certificate: Path = None

    def written(self):
        """As provider.mjs reads it."""
        metadata = {"client_id": self.identifier, "redirect_uris": [], "response_types": []} | self.registration
        certificate = str(self.certificate) if self.certificate else None
        return {"metadata": metadata, "life": self.life, "delay": self.delay, "certificate": certificate}


@dataclass(frozen=True)
class Call:
    """One call of an endpoint: `began` and `ended` in milliseconds of one clock; tokens are SHA-256, as in `digest`."""

    path: str
    client: str
    # How it proved to be itself: header, body, assertion, none.
    proof: str
    began: float
    ended: float
    status: int
    grant: str = None
    error: str = None
    # Why the library said `invalid_grant`; no client hears it.
    detail: str = None
    refresh_token: str = None
    issued: str = None
    token: str = None
    # Of a device that was told to slow down: whether it had asked too soon.
    early: bool = None


def person(identifier, *redirects, **others):
    """An application that people sign in with: public, with PKCE (RFC 8252)."""
    grants = ["authorization_code", "refresh_token"] if redirects else [DEVICE_CODE, "refresh_token"]
    registration = {
        "application_type": "native",
        "token_endpoint_auth_method": "none",
        "grant_types": grants,
        "redirect_uris": list(redirects),
        "response_types": ["code"] if redirects else [],
    }
    return Client(identifier, registration, **others)


def machine(identifier, method, secret=None, grant="client_credentials", **others):
    """An application that signs in by itself."""
    registration = {"token_endpoint_auth_method": method, "grant_types": [grant]}
    return Client(identifier, registration | ({"client_secret": secret} if secret else {}), **others)


def digest(token):
    """As tokens stand in the log."""
    return hashlib.sha256(token.encode()).hexdigest()


class Issuer:
    """Started by the constructor, ended by `stop`."""

    def __init__(self, home: Path, port, certificate, ca_file, node, modules, mailbox, clients):
        home.mkdir()
        self.address = f"https://localhost:{port}"
        self.ca_file = ca_file
        self._log, self._tokens = home / "calls.jsonl", home / "tokens"
        self._log.touch()
        self._tokens.touch()
        # Node looks for packages beside the program.
        (home / "provider.mjs").write_bytes(PROGRAM.read_bytes())
        (home / "node_modules").symlink_to(modules)
        introspector = machine(INTROSPECTOR[0], "client_secret_basic", INTROSPECTOR[1])
        given = {
            "port": port,
            "certificate": str(certificate[0]),
            "key": str(certificate[1]),
            "mailbox": mailbox,
            "introspector": INTROSPECTOR[0],
            "clients": [client.written() for client in (*clients, introspector)],
            "log": str(self._log),
            "tokens": str(self._tokens),
        }
        (home / "given.json").write_text(json.dumps(given))
        with (home / "provider.log").open("wb") as output:
            command = [node, home / "provider.mjs", home / "given.json"]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        # For `run` to find it by, should this program be killed.
        (home / "provider.pid").write_text(f"{self._process.pid}\n")
        try:
            wait_for(lambda: self._up(port), f"the issuer to listen; its log is in {home}")
        except Trouble:
            self.stop()
            raise

    def stop(self):
        stop_process(self._process)

    @property
    def token_endpoint(self):
        return f"{self.address}/token"

    @property
    def introspection(self):
        """With the login of the server that asks, as Dovecot wants it."""
        return self.address.replace("://", "://{}:{}@".format(*INTROSPECTOR)) + "/token/introspection"

    def calls(self, client, path="/token", grant=None):
        """What this client has asked so far, oldest first."""
        lines = self._log.read_text().splitlines()
        calls = [Call(**json.loads(line)) for line in lines]
        return [call for call in calls if (call.client, call.path) == (client, path) and grant in (None, call.grant)]

    def tokens(self):
        """Every token handed out so far."""
        return self._tokens.read_text().split()

    def withdraw(self, client):
        """The person takes back what this client was allowed: its tokens are void from now on."""
        page = f"{self.address}/withdraw?{urllib.parse.urlencode({'client_id': client})}"
        with urllib.request.urlopen(page, timeout=10, context=trusting(self.ca_file)) as answer:
            if int(answer.read()) == 0:
                raise Trouble(f"{client} had been allowed nothing")

    def _up(self, port):
        if self._process.poll() is not None:
            raise Trouble("the issuer did not start; see provider.log beside its program")
        return port_open("127.0.0.1", port)
