"""The matrix: every cell is one mail from a real client through Posthouse to a real server, and what must come of it.

`cells()` is the whole table and nothing but the table; `judge.py` sends the mails and judges what happened.
"""

import itertools
from dataclasses import dataclass

import clients
import mails
from bench import BY_PASSWORD, BY_TOKEN, Account
from relay import DOORS


@dataclass(frozen=True)
class Refusal:
    """What the device must hear instead of 250: a code of this range, and these words."""

    lowest: int
    highest: int
    words: str = ""


NO_SUCH_MAILBOX = Refusal(550, 550, "No such mailbox here")
LATER = Refusal(450, 450, "Mailbox is resting")
WRONG_LOGIN = Refusal(535, 535)
LAST_WRONG_LOGIN = Refusal(421, 421, "Too many failed logins")
LOGIN_FIRST = Refusal(530, 530)

RESTART = "restarted"
VOID_TOKEN = "token void"


@dataclass(frozen=True)
class Cell:
    """One mail.

    `recipients` is one, many, or several of whom one is refused or told to come later. `login` is the mechanism the
    device signs in to Posthouse with, or `wrong`; `refusal` is missing where the mail must arrive; `before` is what
    befell the server since the mail before.
    """

    account: Account
    client: str
    body: object = mails.plain
    recipients: str = "one"
    door: str = "clear"
    login: str = None
    refusal: Refusal = None
    before: str = None

    def __str__(self):
        entry = self.door if not self.login else f"{self.door} {self.login}"
        story = self.before or self.body.__name__
        return f"{self.client:<7} -> {entry:<22} -> {self.account!s:<57} {self.recipients:<11} {story}"


def cells():
    """The whole table, in order; one Posthouse runs for each row of neighbours with the same account."""
    rotating = itertools.cycle(clients.ALL)
    servers = [("postfix", mechanism) for mechanism in (*BY_PASSWORD, *BY_TOKEN, "none")]
    servers += [("dovecot", mechanism) for mechanism in (*BY_PASSWORD, *BY_TOKEN)]
    for (server, mechanism), encryption in itertools.product(servers, ("implicit", "starttls")):
        account = Account(server, encryption, mechanism)
        yield Cell(account, next(rotating))
        yield Cell(account, next(rotating), recipients="many")
        yield Cell(account, next(rotating), recipients="one refused", refusal=NO_SUCH_MAILBOX)
        yield Cell(account, next(rotating), recipients="one later", refusal=LATER)
        # One further each time, or each client would have the same sort of recipients everywhere.
        next(rotating)
    # Other places a credential can come from.
    for credential in ("password_file", "password_command"):
        yield Cell(Account("postfix", "starttls", "auto", credential), next(rotating))
    yield Cell(Account("dovecot", "implicit", "XOAUTH2", "command"), next(rotating))
    yield from _grid(rotating)
    yield from _mishaps(rotating)
    yield from _bodies()
    yield from _devices()
    yield from _proxies(rotating)
    yield from _trust(rotating)
    yield from _failures(rotating)


def _grid(rotating):
    """Each way to encrypt with each way to sign in with each way to verify; full verification of both is above."""
    ways = [(mechanism, "as usual") for mechanism in (*BY_PASSWORD, *BY_TOKEN)]
    ways += [("auto", "as usual"), ("auto", "token")]
    for server, encryption in itertools.product(("postfix", "dovecot"), ("implicit", "starttls", "starttls_auto")):
        for (mechanism, credential), trust in itertools.product(ways, ("full", "chain", "pin", "none")):
            above = trust == "full" and mechanism != "auto" and encryption != "starttls_auto"
            if not above:
                yield Cell(Account(server, encryption, mechanism, credential, trust), next(rotating))
    # In clear to this machine itself, where no certificate is shown; Dovecot takes no sign-in without TLS.
    for mechanism, credential in ways:
        yield Cell(Account("postfix", "none", mechanism, credential), next(rotating))


def _mishaps(rotating):
    """What happens to a line that was kept open, and to a token that should have lived longer: no mail notices."""
    for account, mishap in (
        (Account("postfix", "implicit", "PLAIN"), RESTART),
        (Account("dovecot", "starttls", "PLAIN"), RESTART),
        (Account("postfix", "implicit", "XOAUTH2"), VOID_TOKEN),
        (Account("dovecot", "starttls", "XOAUTH2"), VOID_TOKEN),
    ):
        yield Cell(account, next(rotating))
        yield Cell(account, next(rotating), before=mishap)


def _bodies():
    """What a body may look like, from each client, to both servers."""
    bodies = (
        mails.leading_dots,
        mails.long_line,
        mails.eight_bit,
        mails.attachment,
        mails.empty_body,
        mails.no_final_newline,
        mails.bare,
    )
    for server in ("postfix", "dovecot"):
        account = Account(server, "implicit", "PLAIN")
        for client, body in itertools.product(clients.ALL, bodies):
            yield Cell(account, client, body)


def _devices():
    """How a device comes in: each client through each door, signing in where it is asked to."""
    account = Account("postfix", "implicit", "LOGIN")
    for client, door in itertools.product(clients.ALL, DOORS):
        if not door.endswith("login"):
            yield Cell(account, client, door=door)
            continue
        # smtplib takes the best mechanism offered; the others are told which.
        for login in ("cram-md5",) if client == "smtplib" else ("plain", "login", "cram-md5"):
            yield Cell(account, client, door=door, login=login)
    for client in clients.ALL:
        # smtplib tries every mechanism before it gives up, and the third failure ends the session.
        refusal = LAST_WRONG_LOGIN if client == "smtplib" else WRONG_LOGIN
        yield Cell(account, client, door="clear, login", login="wrong", refusal=refusal)
        yield Cell(account, client, door="clear, login", refusal=LOGIN_FIRST)


def _proxies(rotating):
    """Mail and token calls through a SOCKS5 and an HTTP proxy; with a dead one nothing goes past it."""
    for proxy in ("SOCKS5", "CONNECT"):
        yield Cell(Account("postfix", "starttls", "PLAIN", proxy=proxy), next(rotating))
        yield Cell(Account("dovecot", "implicit", "XOAUTH2", proxy=proxy), next(rotating))
        away = Refusal(451, 451, "cannot be reached")
        yield Cell(Account("postfix", "implicit", "PLAIN", proxy=f"dead {proxy}"), next(rotating), refusal=away)
        yield Cell(Account("dovecot", "starttls", "XOAUTH2", proxy=f"dead {proxy}"), next(rotating), refusal=away)
    wrong = Refusal(451, 451, "refuses the login")
    yield Cell(Account("postfix", "implicit", "PLAIN", proxy="CONNECT, wrong login"), next(rotating), refusal=wrong)


def _trust(rotating):
    """What an account says of the server's certificate, and the certificate it shows; both servers judge it in SMTP."""
    cert = Refusal(400, 499, "certificate")
    other_key = Refusal(400, 499, "shows another key than the pinned ones: sha256/")
    wanted = Refusal(400, 499, "requires a client certificate")
    not_taken = Refusal(400, 499, "does not accept our client certificate")
    for encryption in ("implicit", "starttls"):
        for server, trust, refusal in (
            ("postfix", "chain", None),
            ("postfix", "pin", None),
            ("postfix", "none", None),
            ("postfix", "wrong pin", other_key),
            ("misnamed", "chain", None),
            ("misnamed", "pin", None),
            ("misnamed", "none", None),
            ("foreign", "chain", cert),
            ("foreign", "pin", None),
            ("foreign", "none", None),
            ("dovecot", "chain", None),
            ("dovecot", "pin", None),
            ("dovecot", "none", None),
            ("dovecot", "wrong pin", other_key),
        ):
            account = Account(server, encryption, "PLAIN", trust=trust)
            yield Cell(account, next(rotating), refusal=refusal)
        for server, shown, refusal in (
            ("strict", "nothing", wanted),
            ("strict", "a stranger's", not_taken),
            ("strict", "ours", None),
            # It does not tell the two apart.
            ("strict dovecot", "nothing", wanted),
            ("strict dovecot", "a stranger's", wanted),
            ("strict dovecot", "ours", None),
        ):
            yield Cell(Account(server, encryption, "PLAIN", shown=shown), next(rotating), refusal=refusal)


def _failures(rotating):
    """Where nothing may go out: the device hears 4xx, with the reason, and keeps its mail."""
    for account, words in (
        (Account("postfix", "implicit", "PLAIN", "wrong password"), "535"),
        (Account("postfix", "starttls", "LOGIN", "wrong password"), "535"),
        (Account("dovecot", "starttls", "PLAIN", "wrong password"), "535"),
        (Account("postfix", "implicit", "CRAM-MD5", "wrong password"), "535"),
        (Account("dovecot", "starttls", "CRAM-MD5", "wrong password"), "535"),
        (Account("dovecot", "implicit", "XOAUTH2", "stale token"), "535"),
        (Account("dovecot", "starttls", "OAUTHBEARER", "stale token"), "535"),
        (Account("postfix", "implicit", "OAUTHBEARER", "stale token"), "535"),
        (Account("postfix", "starttls", "XOAUTH2", "stale token"), "535"),
        (Account("dovecot", "implicit", "XOAUTH2", "wrong secret"), "invalid_client"),
        (Account("dovecot", "starttls", "XOAUTH2", "wrong secret"), "invalid_client"),
        (Account("foreign", "implicit", "PLAIN"), "certificate"),
        (Account("foreign", "starttls", "PLAIN"), "certificate"),
        (Account("misnamed", "implicit", "PLAIN"), "elsewhere.test"),
        (Account("misnamed", "starttls", "PLAIN"), "elsewhere.test"),
        (Account("no STARTTLS", "starttls", "none"), "STARTTLS"),
        (Account("not there", "implicit", "PLAIN"), "connect"),
    ):
        yield Cell(account, next(rotating), refusal=Refusal(400, 499, words))
