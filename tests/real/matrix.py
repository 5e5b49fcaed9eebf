"""The matrix: every cell is one mail from a real client through Posthouse to a real server, and what must come of it.

`cells()` is the whole table and nothing but the table; `judge.py` sends the mails and judges what happened.
"""

import itertools
from dataclasses import dataclass

import clients
import mails
from bench import Account
from relay import DOORS


@dataclass(frozen=True)
class Refusal:
    """What the device must hear instead of 250: a code of this range, and these words."""

    lowest: int
    highest: int
    words: str = ""


NO_SUCH_MAILBOX = Refusal(550, 550, "No such mailbox here")
LATER = Refusal(400, 499)
WRONG_LOGIN = Refusal(535, 535)
LOGIN_FIRST = Refusal(530, 530)


@dataclass(frozen=True)
class Cell:
    """One mail.

    `recipients` is one, many, or several of whom one is refused or told to come later. `login` is the mechanism the
    device signs in to Posthouse with, or `wrong`; `refusal` is missing where the mail must arrive.
    """

    account: Account
    client: str
    body: object = mails.plain
    recipients: str = "one"
    door: str = "clear"
    login: str = None
    refusal: Refusal = None

    def __str__(self):
        entry = self.door if not self.login else f"{self.door} {self.login}"
        return f"{self.client:<7} -> {entry:<22} -> {self.account!s:<49} {self.recipients:<11} {self.body.__name__}"


def cells():
    """The whole table, in order; one Posthouse runs for each row of neighbours with the same account."""
    rotating = itertools.cycle(clients.ALL)
    servers = [("postfix", mechanism) for mechanism in ("PLAIN", "LOGIN", "XOAUTH2", "none")]
    servers += [("dovecot", mechanism) for mechanism in ("PLAIN", "LOGIN", "XOAUTH2")]
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
    yield from _bodies()
    yield from _devices()
    yield from _failures(rotating)


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
        for login in ("plain",) if client == "smtplib" else ("plain", "login"):
            yield Cell(account, client, door=door, login=login)
    for client in clients.ALL:
        yield Cell(account, client, door="clear, login", login="wrong", refusal=WRONG_LOGIN)
        yield Cell(account, client, door="clear, login", refusal=LOGIN_FIRST)


def _failures(rotating):
    """Where nothing may go out: the device hears 4xx and keeps its mail."""
    for account in (
        Account("postfix", "implicit", "PLAIN", "wrong password"),
        Account("postfix", "starttls", "LOGIN", "wrong password"),
        Account("dovecot", "starttls", "PLAIN", "wrong password"),
        Account("dovecot", "implicit", "XOAUTH2", "stale token"),
        Account("postfix", "starttls", "XOAUTH2", "stale token"),
        Account("dovecot", "implicit", "XOAUTH2", "wrong secret"),
        Account("dovecot", "starttls", "XOAUTH2", "wrong secret"),
        Account("foreign", "implicit", "PLAIN"),
        Account("foreign", "starttls", "PLAIN"),
        Account("misnamed", "implicit", "PLAIN"),
        Account("misnamed", "starttls", "PLAIN"),
        Account("no STARTTLS", "starttls", "none"),
        Account("not there", "implicit", "PLAIN"),
    ):
        yield Cell(account, next(rotating), refusal=LATER)
