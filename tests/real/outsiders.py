"""From outside an allow-list nothing can be sent: a relay and devices in network namespaces of their own.

Started in a fresh namespace (`unshare --net`), which becomes the relay's. The devices live in a second one, behind a veth
pair, and are played by a child of this program. Neither namespace has a name, so both are gone with the last process in
them, however this program ends; the child ends with its standard input. Needs root and iproute2.
"""

import argparse
import base64
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from sink import Sink
from world import Trouble, run_tool, stop_process, wait_for

# The relay, a device inside the allow-list and one outside, by address family.
RELAY = {"IPv4": "10.99.0.1", "IPv6": "fd00:99::1"}
INSIDE = {"IPv4": "10.99.1.7", "IPv6": "fd00:99::1:7"}
OUTSIDE = {"IPv4": "10.99.2.7", "IPv6": "fd00:99::2:7"}
LISTENERS = {"addresses": 2501, "wildcard": 2502, "six": 2503, "login": 2504, "local": 2505}
SINK = 2500
LOGIN = ("scanner", "local pass/word+1")
TURNED_AWAY = "554 5.7.1 You are not allowed to use this relay"
# The questions asked, as a number: what silently went away shall be missed.
EXPECTED = 34

CONFIGURATION = f"""
hostname = "relay.test"
delivery = {{ queue = false }}
[accounts.office]
host = "127.0.0.1"
port = {SINK}
encryption = "none"
mechanism = "none"
address = "scanner@example.com"

[[listeners]]
name = "addresses"
bind = ["{RELAY['IPv4']}:2501", "[{RELAY['IPv6']}]:2501"]
allow = ["10.99.1.0/24", "fd00:99::1:0/112"]

[[listeners]]
name = "wildcard"
bind = ["0.0.0.0:2502", "[::]:2502"]
allow = ["::ffff:10.99.1.0/120", "fd00:99::1:7"]

[[listeners]]
name = "six"
bind = ["[::]:2503"]
allow = ["10.99.1.0/24", "fd00:99::1:0/112"]

[[listeners]]
name = "login"
bind = ["{RELAY['IPv4']}:2504", "[{RELAY['IPv6']}]:2504"]
allow = ["0.0.0.0/0", "::/0"]
auth = "required"
auth_in_clear = true

[[listeners]]
name = "local"
bind = ["127.0.0.1:2505", "[::1]:2505"]
messages_per_hour = 3

[devices.{LOGIN[0]}]
password = "{LOGIN[1]}"
"""


class Failed(Exception):
    """What was asked for did not happen."""


def conversation(job):
    """One connection as a device makes it; returns every line it heard, or the name of the error that ended it."""
    family = socket.AF_INET6 if ":" in job["target"] else socket.AF_INET
    heard = []
    try:
        with socket.socket(family, socket.SOCK_STREAM) as connection:
            connection.settimeout(20)
            if job["source"]:
                connection.bind((job["source"], 0))
            connection.connect((job["target"], job["port"]))
            with connection.makefile("rb") as lines:
                if job["stubborn"]:
                    connection.sendall("".join(f"{line}\r\n" for line in job["says"]).encode())
                    return [line.decode().strip() for line in lines]
                heard.append(reply(lines))
                for line in job["says"]:
                    if heard[-1][:1] not in "23":
                        break
                    connection.sendall(f"{line}\r\n".encode())
                    # What follows DATA is answered at its end.
                    if line == "." or not heard[-1].startswith("354"):
                        heard.append(reply(lines))
    except OSError as error:
        heard.append(type(error).__name__)
    return heard


def reply(lines):
    """The last line of one reply."""
    while line := lines.readline():
        if line[3:4] != b"-":
            return line.decode().strip()
    raise ConnectionResetError


def says(recipient, login=None):
    """What a device says to send one mail."""
    lines = ["EHLO device.test"]
    if login:
        lines.append("AUTH PLAIN " + base64.b64encode("\0".join(("", *login)).encode()).decode())
    lines += ["MAIL FROM:<scanner@example.com>", f"RCPT TO:<{recipient}>", "DATA"]
    return [*lines, "Subject: A page", "", "A page.", ".", "QUIT"]


def be_the_devices():
    """The child: one job a line, until there are no more."""
    for line in sys.stdin:
        print(json.dumps(conversation(json.loads(line))), flush=True)


class World:
    """Both namespaces, the sink, the relay, and the devices; taken down by `close`."""

    def __init__(self, program, home: Path):
        self.home, self._program = home, program
        self.log = home / "posthouse.log"
        self.sink = self.relay = None
        command = ["unshare", "--net", sys.executable, __file__, "--devices"]
        self.devices = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            self._connect()
            self.sink = Sink(SINK)
            self._start()
        except BaseException:
            self.close()
            raise

    def _connect(self):
        ours, theirs = os.readlink("/proc/self/ns/net"), f"/proc/{self.devices.pid}/ns/net"
        wait_for(lambda: os.readlink(theirs) != ours, "the devices to have a namespace of their own")
        there = ["nsenter", f"--net={theirs}", "ip"]
        run_tool(["ip", "link", "add", "relay", "type", "veth", "peer", "name", "lan", "netns", self.devices.pid])
        for tool, link, addresses in (
            (["ip"], "relay", RELAY.values()),
            (there, "lan", (*INSIDE.values(), *OUTSIDE.values())),
        ):
            for address in addresses:
                prefix = ["64", "nodad"] if ":" in address else ["16"]
                run_tool([*tool, "address", "add", f"{address}/{prefix[0]}", "dev", link, *prefix[1:]])
            run_tool([*tool, "link", "set", "lo", "up"])
            run_tool([*tool, "link", "set", link, "up"])

    def _start(self):
        configuration = self.home / "posthouse.toml"
        configuration.write_text(CONFIGURATION + f'[storage]\ndirectory = "{self.home / "data"}"\n')
        configuration.chmod(0o600)
        command = [self._program, "serve", "--config", configuration, "--log-format", "json"]
        with self.log.open("wb") as output:
            self.relay = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        # For `run` to find it by, should this program be killed.
        (self.home / "posthouse.pid").write_text(f"{self.relay.pid}\n")
        wait_for(lambda: self.logged("listening", '"local"') == 2, f"Posthouse to listen; its log is {self.log}", 10)

    def logged(self, *words):
        """How many lines of the log hold all of these."""
        lines = self.log.read_text(errors="replace").splitlines()
        return sum(all(word in line for word in words) for line in lines)

    def device(self, source, target, listener, recipient, login=None, stubborn=False):
        """What a device of the other namespace hears."""
        self.devices.stdin.write(json.dumps(job(source, target, listener, recipient, login, stubborn)) + "\n")
        self.devices.stdin.flush()
        return json.loads(self.devices.stdout.readline())

    def program_here(self, target, listener, recipient):
        """What a program beside the relay hears."""
        return conversation(job(None, target, listener, recipient))

    def close(self):
        """Ends the relay, whose exit code it returns, and the devices."""
        try:
            return stop_process(self.relay) if self.relay else None
        finally:
            self.devices.stdin.close()
            self.devices.wait(20)
            self.devices.stdout.close()
            if self.sink:
                self.sink.stop()


def job(source, target, listener, recipient, login=None, stubborn=False):
    port = LISTENERS[listener]
    return {"source": source, "target": target, "port": port, "says": says(recipient, login), "stubborn": stubborn}


class Judge:
    """Asks, and keeps the score."""

    def __init__(self, world):
        self.world = world
        self.passed = self.failed = 0
        self._number = 0
        self._owed = []

    def ask(self, question, check):
        try:
            check()
        except (Failed, Trouble, OSError, ValueError) as trouble:
            self.failed += 1
            print(f"FAILED {question}: {trouble}", flush=True)
        else:
            self.passed += 1
            print(f"ok     {question}", flush=True)

    def goes(self, send):
        """The mail is taken, and is behind the relay."""
        recipient = self._recipient()
        heard = send(recipient)
        if len(heard) < 2 or not heard[-2].startswith("250"):
            raise Failed(f"the device heard {heard}")
        self._owed.append(recipient)
        if len(self.world.sink.for_recipient(recipient)) != 1:
            raise Failed("the mail is not behind the relay")

    def does_not(self, send, expected, logged=()):
        """The device hears this and no more, nothing is behind the relay, and the log has a new line with these words."""
        before = self.world.logged(*logged)
        recipient = self._recipient()
        heard = send(recipient)
        if not heard or not heard[-1].startswith(expected):
            raise Failed(f"the device heard {heard}")
        if self.world.sink.for_recipient(recipient):
            raise Failed("the mail went through")
        if logged:
            wait_for(lambda: self.world.logged(*logged) > before, f"a line of the log with {logged}")

    def nothing_else(self):
        arrived = sorted(recipient for delivery in self.world.sink.all() for recipient in delivery.recipients)
        if arrived != sorted(self._owed):
            raise Failed(f"owed {sorted(self._owed)}, arrived {arrived}")

    def _recipient(self):
        self._number += 1
        return f"cell{self._number}@example.com"


def judge_all(judge, world):
    for family in RELAY:
        relay, inside, outside = RELAY[family], INSIDE[family], OUTSIDE[family]
        for name in ("addresses", "wildcard"):

            def turned_away(source, stubborn=False, name=name, relay=relay):
                words = ("turned away", f'"{name}"', f'"{source}"')
                # Whoever has sent what nobody reads may meet a reset in place of the words.
                expected = (TURNED_AWAY, "ConnectionResetError", "BrokenPipeError") if stubborn else TURNED_AWAY
                judge.does_not(lambda to: world.device(source, relay, name, to, stubborn=stubborn), expected, words)

            judge.ask(
                f"{family}, listener {name}: from inside the list it goes",
                lambda: judge.goes(lambda to: world.device(inside, relay, name, to)),
            )
            judge.ask(f"{family}, listener {name}: from outside nothing does", lambda: turned_away(outside))
            judge.ask(
                f"{family}, listener {name}: nor when everything is said at once", lambda: turned_away(outside, True)
            )
        with_login(judge, world, family)
    in_other_clothes(judge, world)
    on_loopback(judge, world)
    judge.ask("what is too wide does not start", lambda: too_wide(world))
    judge.ask("in the end: every mail once, and no other", judge.nothing_else)


def with_login(judge, world, family):
    """A listener for everybody, with logins."""

    def send(source, login=None):
        return lambda to: world.device(source, RELAY[family], "login", to, login)

    for where, source in (("inside", INSIDE[family]), ("outside", OUTSIDE[family])):
        judge.ask(f"{family}, logins: none from {where}", lambda: judge.does_not(send(source), "530 5.7.0"))
        judge.ask(f"{family}, logins: a good one from {where}", lambda: judge.goes(send(source, LOGIN)))
    wrong = (LOGIN[0], "wrong")
    judge.ask(
        f"{family}, logins: a wrong one", lambda: judge.does_not(send(OUTSIDE[family], wrong), "535 5.7.8", ["WARN", "refused"])
    )


def in_other_clothes(judge, world):
    """IPv4 inside IPv6 sockets."""
    relay, inside, outside = (f"::ffff:{of['IPv4']}" for of in (RELAY, INSIDE, OUTSIDE))
    judge.ask(
        "mapped, from inside it goes", lambda: judge.goes(lambda to: world.device(inside, relay, "wildcard", to))
    )
    judge.ask(
        "mapped, from outside nothing does, and the log has the plain address",
        lambda: judge.does_not(
            lambda to: world.device(outside, relay, "wildcard", to), TURNED_AWAY, ["turned away", f'"{OUTSIDE["IPv4"]}"']
        ),
    )
    for target in (RELAY["IPv4"], relay):
        source = inside if ":" in target else INSIDE["IPv4"]
        judge.ask(
            f"[::] does not hear IPv4 ({target})",
            lambda: judge.does_not(lambda to: world.device(source, target, "six", to), "ConnectionRefusedError"),
        )
    judge.ask(
        "[::] hears IPv6", lambda: judge.goes(lambda to: world.device(INSIDE["IPv6"], RELAY["IPv6"], "six", to))
    )


def on_loopback(judge, world):
    """All of loopback on one listener is one device: three mails of it are all there may be."""
    for target in ("127.0.0.1", "::1", "::ffff:127.0.0.1"):
        judge.ask(
            f"{target} is the device on loopback",
            lambda: judge.goes(lambda to: world.program_here(target, "local", to)),
        )
    # Each question above has used up one of the three, whichever address it came from.
    def both():
        for target in ("127.0.0.1", "::1"):
            judge.does_not(lambda to, target=target: world.program_here(target, "local", to), "451 4.7.0")

    judge.ask("127.0.0.1 and ::1 share one limit", both)


def too_wide(world):
    configuration = world.home / "wide.toml"
    configuration.write_text(CONFIGURATION.replace('allow = ["10.99.1.0/24", ', 'allow = ["0.0.0.0/0", '))
    configuration.chmod(0o600)
    done = subprocess.run(
        [world._program, "serve", "--config", configuration], capture_output=True, text=True, timeout=20, check=False
    )
    if done.returncode != 78 or "too wide" not in done.stderr:
        raise Failed(f"exit code {done.returncode}: {done.stderr[-400:]}")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--devices", action="store_true")
    arguments.add_argument("--posthouse")
    arguments.add_argument("--directory", type=Path)
    given = arguments.parse_args()
    if given.devices:
        be_the_devices()
        return 0
    # So that `finally` is reached.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    home = given.directory / "outsiders"
    home.mkdir()
    world = World(given.posthouse, home)
    judge = Judge(world)
    try:
        judge_all(judge, world)
    finally:
        code = world.close()
    judge.ask("the relay ends with exit code 0", lambda: check_code(code))
    total = judge.passed + judge.failed
    print(f"outsiders {judge.passed}/{max(total, EXPECTED)}")
    return 0 if judge.failed == 0 and total == EXPECTED else 1


def check_code(code):
    if code != 0:
        raise Failed(f"it was {code}")


if __name__ == "__main__":
    sys.exit(main())
