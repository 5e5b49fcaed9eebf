"""The test bench: the servers of the provider side, set up once, and the accounts Posthouse can have with them.

An `Account` says in the matrix's words which server, which encryption, which mechanism and where the credential comes
from; `Bench.settings` turns it into the keys of `[accounts.NAME]`.
"""

import base64
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus, urlsplit

import dovecot
from dovecot import Dovecot
from postfix import Postfix
from proxies import PASSWORD as PROXY_PASSWORD
from proxies import Dante, Tinyproxy
from relay import DEVICE, Relay
from sink import Sink
from token_server import Client, TokenServer
from world import Authority, Ports, run_tool

SENDER = "relay@provider.test"
# Characters that break careless quoting and encoding; the secret is one that Microsoft could have made.
PASSWORD = "Real pass/w+rd=1&%ü"
BY_PASSWORD = ("PLAIN", "LOGIN", "CRAM-MD5")
BY_TOKEN = ("XOAUTH2", "OAUTHBEARER")
APPLICATION = Client("5f1c/app", "s3cret+/=%&:~Q", "https://provider.test/.default", SENDER)


@dataclass(frozen=True)
class Account:
    """One account: `server` is postfix, dovecot, or one of the servers that must not be trusted or are not there.

    `trust` is what the account says of the server's certificate: full, chain, pin (the right one), `wrong pin` (beside
    full), none. `shown` is the client certificate: ours, or a stranger's. `proxy` is SOCKS5 or CONNECT, either of which
    can be dead, or refuse the login. With the mechanism auto, `credential` tells a password from a token.
    """

    server: str
    encryption: str
    mechanism: str
    credential: str = "as usual"
    trust: str = "full"
    shown: str = "nothing"
    proxy: str = None

    @property
    def by_token(self):
        """Whether it holds a grant and no password."""
        return self.mechanism in BY_TOKEN or self.credential == "token"

    @property
    def signs_in_by(self):
        """The mechanism it has to end up with; `auto` keeps CRAM-MD5 for lines without TLS."""
        if self.mechanism != "auto":
            return self.mechanism
        if self.by_token:
            return "XOAUTH2"
        return "CRAM-MD5" if self.encryption == "none" else "PLAIN"

    def __str__(self):
        words = f"{self.server:<12} {self.encryption:<13} {self.mechanism:<11}"
        special = [self.credential] if self.credential != "as usual" else []
        special += [self.trust] if self.trust != "full" else []
        special += [f"shows {self.shown}"] if self.shown != "nothing" else []
        words += f" ({', '.join(special)})" if special else ""
        return words if not self.proxy else f"{words} by {self.proxy}"


class Bench:
    """Everything but Posthouse, running. Use as a context manager."""

    def __init__(self, home: Path, program):
        self.home, self._program = home, program
        self.ports, self.relays = Ports(), []
        # Ends all it was given, in reverse, even when one of them does not end well.
        self._running = ExitStack()

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self._running.close()
            raise
        return self

    def __exit__(self, *_):
        self._running.close()

    def relay(self, name, account):
        """A Posthouse with this account, in a directory of this name."""
        self.relays.append(self.home / name)
        return self._keep(Relay(self._program, self.home / name, self.ports, self.certificate, self.settings(account)))

    def server(self, account):
        """The running server whose log and trace field tell about this account's deliveries."""
        if account.server == "strict dovecot":
            return self.strict_dovecot
        return self.dovecot if account.server == "dovecot" else self.postfix

    def secrets(self):
        """Every form of every secret that no log may hold."""
        words = [PASSWORD, PROXY_PASSWORD, DEVICE[1], APPLICATION.secret, *self.tokens.issued, self._stale_token]
        for word in list(words):
            words += [quote(word, safe=""), quote_plus(word), base64.b64encode(word.encode()).decode()]
        for login, password in ((SENDER, PASSWORD), DEVICE):
            words.append(base64.b64encode(f"\0{login}\0{password}".encode()).decode())
        return words

    def settings(self, account):
        """The keys of `[accounts.office]`."""
        settings = {
            "encryption": account.encryption,
            "ca_file": self.authority.certificate,
            "address": SENDER,
            "mechanism": account.mechanism.lower().replace("-", "_"),
            "limits": {"connections": 2},
        }
        settings["host"], settings["port"] = self._address(account)
        settings |= self._way(account.proxy) | self._trust(account)
        if account.mechanism == "none":
            return settings
        settings["username"] = SENDER
        return settings | (self._grant(account) if account.by_token else self._password(account))

    def went_through(self, account):
        """How often the account's proxy has connected to its server, and to the token endpoint."""
        proxy, token_port = self.proxies[account.proxy], urlsplit(self.tokens.token_endpoint).port
        return proxy.connections(self._address(account)[1]), proxy.connections(token_port)

    def _way(self, proxy):
        if proxy in self.proxies:
            return self.proxies[proxy].settings()
        if proxy == "CONNECT, wrong login":
            return self.proxies["CONNECT"].settings("not-the-password")
        dead = {"dead SOCKS5": "socks5", "dead CONNECT": "http"}
        return {"proxy": f"{dead[proxy]}://127.0.0.1:{self.ports.take()}"} if proxy else {}

    def _trust(self, account):
        if account.trust == "pin":
            return {"verify": "pin", "pins": [_pin(self._certificates[account.server][0])]} | self._identity(account)
        if account.encryption == "none":
            return {}
        if account.trust == "wrong pin":
            return {"pins": [_pin(self.authority.certificate)]}
        return {"verify": account.trust} | self._identity(account)

    def _identity(self, account):
        if account.shown == "nothing":
            return {}
        certificate, key = self._identities[account.shown]
        return {"client_certificate": certificate, "client_key": key}

    def _address(self, account):
        encryption = "starttls" if account.encryption == "starttls_auto" else account.encryption
        if account.server == "strict dovecot":
            return dovecot.ADDRESS, self.strict_dovecot.ports[encryption]
        if account.server == "dovecot":
            return dovecot.ADDRESS, self.dovecot.ports[encryption]
        if account.server == "no STARTTLS":
            return "localhost", self.sink.port
        if account.server == "not there":
            return "localhost", self.ports.take()
        if account.server != "postfix":
            return "localhost", self.postfix.ports[account.server, encryption]
        by_password = "open" if account.mechanism == "none" else "cyrus"
        flavour = "dovecot" if account.by_token else by_password
        return "localhost", self.postfix.ports[flavour, encryption]

    def _password(self, account):
        if account.credential == "password_file":
            return {"password_file": self._file("password", f"{PASSWORD}\n")}
        if account.credential == "password_command":
            return {"password_command": ["cat", str(self._file("password", f"{PASSWORD}\n"))]}
        return {"password": "wrong" if account.credential == "wrong password" else PASSWORD}

    def _grant(self, account):
        if account.credential in ("command", "stale token"):
            token = self.tokens.issue() if account.credential == "command" else self._stale_token
            command = ["cat", str(self._file(account.credential, f"{token}\n"))]
            return {"oauth": {"grant": "command", "command": command}}
        secret = "not-the-secret" if account.credential == "wrong secret" else APPLICATION.secret
        # Both ways of RFC 6749 §2.3.1, whatever else the row is about.
        way = "basic" if account.encryption == "implicit" else "body"
        return {
            "oauth": {
                "grant": "client_credentials",
                "token_endpoint": self.tokens.token_endpoint,
                "client_id": APPLICATION.identifier,
                "client_secret": secret,
                "scope": APPLICATION.scope,
                "client_authentication": way,
            }
        }

    def _file(self, name, text):
        path = self.home / name.replace(" ", "-")
        path.write_text(text)
        path.chmod(0o600)
        return path

    def _start(self):
        self.authority = Authority(self.home / "authority", "Posthouse test authority")
        stranger = Authority(self.home / "stranger", "An authority nobody trusts")
        self.certificate = self.authority.issue("right", "DNS:localhost,IP:127.0.0.1,IP:127.0.0.2")
        certificates = {
            "right": self.certificate,
            "foreign": stranger.issue("foreign", "DNS:localhost"),
            "misnamed": self.authority.issue("misnamed", "DNS:elsewhere.test"),
        }
        usual = dict.fromkeys(("postfix", "dovecot", "strict", "strict dovecot"), self.certificate)
        self._certificates = certificates | usual
        self._identities = {
            "ours": self.authority.issue("relay", "DNS:relay.test", "clientAuth"),
            "a stranger's": stranger.issue("relay", "DNS:relay.test", "clientAuth"),
        }
        self._stale_token = "stale-" + "0123456789abcdef" * 3
        self.sink = self._keep(Sink(self.ports.take()))
        self.tokens = self._keep(TokenServer(self.ports, self.certificate, APPLICATION))
        self.proxies = {
            "SOCKS5": self._keep(Dante(self.home / "dante", self.ports)),
            "CONNECT": self._keep(Tinyproxy(self.home / "tinyproxy", self.ports)),
        }
        self.dovecot = self._keep(
            Dovecot(
                self.home / "dovecot",
                self.ports,
                self.sink.port,
                self.tokens.introspection,
                self.certificate,
                SENDER,
                PASSWORD,
            )
        )
        self.strict_dovecot = self._keep(
            Dovecot(
                self.home / "strict-dovecot",
                self.ports,
                self.sink.port,
                self.tokens.introspection,
                self.certificate,
                SENDER,
                PASSWORD,
                clients=self.authority.certificate,
            )
        )
        self.postfix = self._keep(
            Postfix(
                self.home / "postfix",
                self.ports,
                self.sink.port,
                self.dovecot.auth_socket,
                certificates,
                self.authority.certificate,
                SENDER,
                PASSWORD,
            )
        )

    def _keep(self, service):
        self._running.callback(service.stop)
        return service


def _pin(certificate):
    """The pin of its key, by the commands that certs/README.md gives."""
    commands = f"openssl x509 -in {certificate} -pubkey -noout | openssl pkey -pubin -outform der"
    return "sha256/" + run_tool(["bash", "-c", f"{commands} | openssl dgst -sha256 -binary | base64"]).strip()
