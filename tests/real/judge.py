"""Goes through the matrix, says of each cell whether it held, and counts.

A cell passes when the device heard what it should and the sink behind the server has exactly the mail that was sent,
once for each recipient, or, where the device heard a refusal, nothing at all. Beside the mails it asks of each relay
whether it signed in by the mechanism it was told to, and ended when asked to; at the very end, whether anything came
late or twice, and whether a secret stands in any log.
"""

import argparse
import itertools
import json
import signal
import sys
from collections import Counter
from pathlib import Path

import clients
import mails
from bench import BY_PASSWORD, BY_TOKEN, SENDER, Bench
from matrix import VOID_TOKEN, cells
from relay import DEVICE
from world import Trouble, wait_for

# The table's size and the questions beside it, as a number: what silently went away shall be missed.
EXPECTED = 986
MANY = 30


class Failed(Exception):
    """What the cell demands did not happen."""


class Judge:
    """Keeps the score."""

    def __init__(self, bench):
        self.bench = bench
        self.passed = self.failed = 0
        # recipient -> how many copies the sink must have in the end; whoever is not in here must have none
        self._owed = Counter()

    def matrix(self, rows):
        """Every cell, one relay for each run of neighbours with the same account."""
        numbered = ((f"c{number:03}", cell) for number, cell in enumerate(rows, 1))
        for account, neighbours in itertools.groupby(numbered, key=lambda row: row[1].account):
            self._account(account, list(neighbours))

    def afterwards(self):
        """What can be said only when every relay has ended."""
        everywhere = self.bench.home
        self._ask("afterwards: every mail once, no refused mail at all", everywhere, self._nothing_else_arrived)
        self._ask("afterwards: no secret in anything Posthouse wrote", everywhere, self._no_secret_written)

    def _account(self, account, numbered):
        name = f"{numbered[0][0]}-{numbered[-1][0]}"
        server, tokens = self.bench.server(account), len(self.bench.tokens.issued)
        sign_ins = server.sign_ins(account.signs_in_by)
        try:
            relay = self.bench.relay(name, account)
        except Trouble as trouble:
            for identifier, cell in numbered:
                self._failure(f"{identifier} {cell}", self.bench.home / name, trouble)
            return
        for identifier, cell in numbered:
            self._ask(f"{identifier} {cell}", relay.log, self._cell, relay, identifier, cell)
        delivering = any(not cell.refusal for _, cell in numbered)
        if delivering and account.signs_in_by in (*BY_PASSWORD, *BY_TOKEN):
            self._ask(f"{name} signed in by {account.signs_in_by}", server.log, _signed_in, server, account, sign_ins)
        if delivering and account.by_token and account.credential in ("as usual", "token"):
            needed = 1 + sum(cell.before == VOID_TOKEN for _, cell in numbered)
            self._ask(f"{name} needed {needed} tokens", relay.log, self._tokens_since, tokens, needed)
        if account.proxy:
            self._proxy(name, account, relay, tokens)
        self._ask(f"{name} ended when asked to", relay.log, _ended_well, relay)

    def _proxy(self, name, account, relay, tokens):
        if account.proxy in self.bench.proxies:
            log = self.bench.proxies[account.proxy].log
            self._ask(f"{name} went through {account.proxy}", log, self._went_through, account)
            return
        cause = "config" if "login" in account.proxy else "network"
        self._ask(f"{name} is judged {cause}", relay.log, _judged, relay, cause)
        if account.mechanism == "XOAUTH2":
            self._ask(f"{name} fetched no token past the proxy", relay.log, self._tokens_since, tokens, 0)

    def _cell(self, relay, identifier, cell):
        mail = cell.body(identifier, SENDER)
        recipients = _recipients(identifier, cell.recipients)
        directory = relay.log.parent
        if cell.before:
            self._mishap(cell)
        heard = clients.ALL[cell.client](self._gate(relay, cell), mail, SENDER, recipients, directory)
        (directory / f"{identifier}.log").write_text(heard.output)
        if cell.refusal:
            _check_refusal(heard, cell.refusal)
            self._nothing_arrived(cell.account, recipients)
        else:
            if heard.code != 250:
                raise Failed(f"the device heard {heard.code} {heard.text}")
            self._owed.update(recipients)
            self._everything_arrived(cell, mail, recipients)

    def _mishap(self, cell):
        if cell.before == VOID_TOKEN:
            self.bench.tokens.void()
        # In both cases: a line signed in before would hide what this is about.
        self.bench.server(cell.account).restart()

    def _gate(self, relay, cell):
        tls = cell.door.partition(",")[0].lower()
        login = None if not cell.login else (DEVICE[0], "not the password") if cell.login == "wrong" else DEVICE
        return clients.Gate(
            port=relay.ports[cell.door],
            encryption="none" if tls == "clear" else tls,
            login=login,
            mechanism="plain" if cell.login == "wrong" else cell.login,
            ca_file=self.bench.authority.certificate,
        )

    def _everything_arrived(self, cell, mail, recipients):
        sink = self.bench.sink
        wait_for(lambda: all(sink.for_recipient(recipient) for recipient in recipients), "the mail to arrive", 10)
        server = self.bench.server(cell.account)
        certified = cell.account.shown != "nothing"
        encrypted = cell.account.encryption != "none"
        signed_in = cell.account.mechanism != "none"
        trace = server.trace(SENDER, signed_in=signed_in, certified=certified, encrypted=encrypted)
        protocol = "ESMTP" + ("" if cell.door.startswith("clear") else "S") + ("A" if cell.login else "")
        for delivery in {delivery for recipient in recipients for delivery in sink.for_recipient(recipient)}:
            if delivery.sender != SENDER:
                raise Failed(f"the envelope's sender became {delivery.sender!r}")
            mails.compare(delivery.data, mail, trace, protocol)

    def _nothing_arrived(self, account, recipients):
        wait_for(self.bench.server(account).settled, "the server's queue to empty", 10)
        for recipient in recipients:
            if self.bench.sink.for_recipient(recipient):
                raise Failed(f"the device heard a refusal, and {recipient} has the mail")

    def _went_through(self, account):
        mails, tokens = wait_for(lambda: self.bench.went_through(account), "the log of the proxy")
        if not mails or bool(tokens) != (account.mechanism == "XOAUTH2"):
            raise Failed(f"the proxy tells of {mails} connections to the server and {tokens} to the token endpoint")

    def _tokens_since(self, before, needed):
        fetched = len(self.bench.tokens.issued) - before
        if fetched != needed:
            raise Failed(f"{fetched} tokens were fetched")

    def _nothing_else_arrived(self):
        wait_for(self.bench.postfix.settled, "the server's queue to empty", 10)
        had = Counter(itertools.chain.from_iterable(delivery.recipients for delivery in self.bench.sink.all()))
        wrong = {address for address in had | self._owed if had[address] != self._owed[address]}
        if wrong:
            raise Failed(f"wrong number of copies for {sorted(wrong)[:10]}")

    def _no_secret_written(self):
        secrets = {secret.encode() for secret in self.bench.secrets()}
        for directory in self.bench.relays:
            written = (directory / "posthouse.log").read_bytes()
            if any(secret in written for secret in secrets):
                raise Failed(f"a secret stands in {directory}/posthouse.log")

    def _ask(self, question, logs, check, *subject):
        """Calls `check(*subject)`, which raises when the answer is no."""
        try:
            check(*subject)
        except (Failed, Trouble, mails.Difference) as reason:
            self._failure(question, logs, reason)
        else:
            self.passed += 1
            print(f"ok      {question}", flush=True)

    def _failure(self, question, logs, reason):
        self.failed += 1
        print(f"FAILED  {question}\n        {reason}\n        see {logs}", flush=True)


def _recipients(identifier, kind):
    if kind == "many":
        return [f"{identifier}-{number:02}@provider.test" for number in range(1, MANY + 1)]
    if kind == "one":
        return [f"{identifier}@provider.test"]
    odd = {"one refused": "refused", "one later": "later"}[kind]
    return [f"{identifier}-a@provider.test", f"{odd}-{identifier}@provider.test", f"{identifier}-b@provider.test"]


def _check_refusal(heard, refusal):
    said = f"the device heard {heard.code} {heard.text}"
    if not refusal.lowest <= heard.code <= refusal.highest:
        raise Failed(f"{said} instead of {refusal.lowest} to {refusal.highest}")
    if refusal.words.lower() not in heard.text.lower():
        raise Failed(f"{said} instead of words with {refusal.words!r}")


def _signed_in(server, account, before):
    # The log is written by another process and may come a moment later than the reply.
    wait_for(lambda: server.sign_ins(account.signs_in_by) > before, f"a sign-in by {account.signs_in_by} in the log", 5)


def _judged(relay, cause):
    said = [json.loads(line) for line in relay.log.read_text().splitlines()]
    causes = {line["cause"] for line in said if "attempt failed" in line["message"]}
    if causes != {cause}:
        raise Failed(f"the causes in the log are {sorted(causes)}")


def _ended_well(relay):
    code = relay.stop()
    if code != 0:
        raise Failed(f"posthouse ended with {code} after SIGTERM")


def main():
    """Prints a line for each cell; the exit code is 0 only when every expected cell was run and held."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--posthouse", type=Path, required=True, help="the program to test")
    arguments.add_argument("--directory", type=Path, required=True, help="an empty directory that postfix may enter")
    arguments = arguments.parse_args()
    # A polite end of this program is an end of everything it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with Bench(arguments.directory, arguments.posthouse) as bench:
        judge = Judge(bench)
        judge.matrix(cells())
        judge.afterwards()
    asked = judge.passed + judge.failed
    print(f"cells {asked}/{EXPECTED}")
    print(f"{judge.passed} passed, {judge.failed} failed")
    return 0 if judge.failed == 0 and asked == EXPECTED else 1


if __name__ == "__main__":
    sys.exit(main())
