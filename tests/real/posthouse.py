"""Posthouse as its administrator has it: one configuration, the commands, and the relay that runs or does not.

One listener in clear for devices and one account, `office`. Everything is private to one directory, the home directory
and with it the vault's key included. All that any of its programs ever printed is kept in files there.
"""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import clients
import mails
from relay import configuration
from world import Trouble, port_open, stop_process, wait_for

ACCOUNT = "office"
# A sign-in that waits for a person who does not come.
PATIENCE = 60


class Posthouse:
    """One installation. Use as a context manager: what still runs at the end is ended."""

    def __init__(self, program, home: Path, port, account):
        home.mkdir()
        self.home, self.port = home, port
        self.log = home / "posthouse.log"
        self.vault = home / "data/vault.json"
        self._program, self._relay, self._logins, self._commands = program, None, [], 0
        self._configuration = home / "posthouse.toml"
        self._configuration.write_text(configuration({"clear": port}, None, account, home / "data"))
        # Secrets stand in it, and a program may rightly look at that.
        self._configuration.chmod(0o600)
        self._environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "POSTHOUSE"))
        } | {"HOME": str(home)}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for login in self._logins:
            login.give_up()
        if self._relay:
            self.stop()

    def add(self, text):
        """More of the configuration, before it is used."""
        with self._configuration.open("a") as file:
            file.write(text)

    def serve(self):
        """Starts the relay and waits until devices can connect."""
        output = self.log.open("ab")
        command = [self._program, "serve", "--config", self._configuration, "--log-format", "json"]
        self._relay = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=self._environment
        )
        output.close()
        # For `run` to find it by, should this program be killed.
        (self.home / "posthouse.pid").write_text(f"{self._relay.pid}\n")
        wait_for(self._up, f"Posthouse to open its door; its log is {self.log}", 10)

    def stop(self):
        """Asks the relay to end; Trouble if it does not end well."""
        relay, self._relay = self._relay, None
        code = stop_process(relay)
        if code != 0:
            raise Trouble(f"posthouse ended with {code} after SIGTERM; see {self.log}")

    def kill(self):
        """Ends the relay the way a power cut does."""
        relay, self._relay = self._relay, None
        relay.send_signal(signal.SIGKILL)
        relay.wait(10)

    def run(self, *arguments, code=0):
        """Runs a command to its end and returns what it printed."""
        output = self._output(arguments)
        with output.open("wb") as file:
            done = subprocess.run(
                self._command(arguments),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=self._environment,
                timeout=PATIENCE,
                check=False,
            )
        printed = output.read_text(errors="replace")
        if done.returncode != code:
            raise Trouble(f"posthouse {' '.join(arguments)} ended with {done.returncode}: {printed[-600:]}")
        return printed

    def login(self, *arguments):
        """Begins a sign-in of the account and returns it as it goes on."""
        # On a desktop a browser would open that nobody looks at.
        arguments = ("login", ACCOUNT, "--no-browser", *arguments)
        self._logins.append(Login(self._command(arguments), self._output(arguments), self._environment))
        return self._logins[-1]

    def account(self):
        """What `posthouse accounts` says of the account."""
        [account] = json.loads(self.run("accounts", ACCOUNT, "--json"))["accounts"]
        return account

    def send(self, identifier, sender):
        """A device sends one mail; what it heard, the mail, and whom it is for."""
        mail, recipient = mails.plain(identifier, sender), f"{identifier}@provider.test"
        heard = clients.python_smtplib(clients.Gate(self.port), mail, sender, [recipient], self.home)
        return heard, mail, recipient

    def logged(self):
        """The lines of the relay's log."""
        # The last one may be cut off by a kill.
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.endswith("}")]

    def written(self):
        """Every file any of its programs wrote, but for the configuration and the key."""
        return [path for path in self.home.rglob("*") if path.is_file() and path != self._configuration]

    def _command(self, arguments):
        return [self._program, *arguments, "--config", self._configuration]

    def _output(self, arguments):
        self._commands += 1
        return self.home / f"{self._commands:02}-{arguments[0]}.log"

    def _up(self):
        if self._relay.poll() is not None:
            said = self.log.read_text(errors="replace")[-400:]
            raise Trouble(f"posthouse serve ended with {self._relay.returncode}: {said}")
        return port_open("127.0.0.1", self.port)


class Login:
    """`posthouse login` as it runs: the person reads what it prints, and types."""

    def __init__(self, command, output: Path, environment):
        self._output = output
        with output.open("wb") as file:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=file, stderr=subprocess.STDOUT, env=environment
            )

    def reads(self, pattern):
        """Waits until it has printed this, and returns it."""
        return wait_for(lambda: self._find(pattern), f"{pattern} in {self._output}", 20)

    def types(self, line):
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()

    def ends(self, code=0):
        """Waits for its end and returns all it printed."""
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise Trouble(f"posthouse login did not end; see {self._output}") from None
        finally:
            self._process.stdin.close()
        printed = self._output.read_text(errors="replace")
        if self._process.returncode != code:
            raise Trouble(f"posthouse login ended with {self._process.returncode}: {printed[-600:]}")
        return printed

    def give_up(self):
        """Ends it, if nobody came."""
        stop_process(self._process)
        self._process.stdin.close()

    def _find(self, pattern):
        printed = self._output.read_text(errors="replace")
        found = re.search(pattern, printed)
        if not found and self._process.poll() is not None:
            raise Trouble(f"posthouse login ended with {self._process.returncode}: {printed[-600:]}")
        return found and found.group()
