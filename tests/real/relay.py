"""Posthouse itself as a child process: its configuration file, its start, its end, what it wrote.

Every relay has the same doors for devices and one account. All it prints goes to one file beside its configuration.
"""

import json
import subprocess
from pathlib import Path

from mails import RELAY
from world import Trouble, port_open, stop_process, wait_for

DEVICE = ("scanner", "local pass/word+1")

# name of the door: (tls, auth). What a device meets at each is the table in clients.Gate.
DOORS = {
    "clear": ("none", "none"),
    "clear, login": ("none", "required"),
    "STARTTLS": ("starttls", "none"),
    "STARTTLS, login": ("starttls", "required"),
    "implicit": ("implicit", "none"),
    "implicit, login": ("implicit", "required"),
}


class Relay:
    """Started by the constructor, which waits until every door is open; ended by `stop`."""

    def __init__(self, program, home: Path, ports, certificate, account):
        home.mkdir()
        self.log = home / "posthouse.log"
        self.ports = {door: ports.take() for door in DOORS}
        written = home / "posthouse.toml"
        written.write_text(configuration(self.ports, certificate, account, home / "data"))
        # Passwords stand in it, and a program may rightly look at that.
        written.chmod(0o600)
        self._output = self.log.open("wb")
        command = [program, "serve", "--config", written, "--log-format", "json"]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._output, stderr=self._output)
        # For `run` to find it by, should this program be killed.
        (home / "posthouse.pid").write_text(f"{self._process.pid}\n")
        try:
            wait_for(self._up, f"Posthouse to open its doors; its log is {self.log}", 10)
        except Trouble:
            self.stop()
            raise

    def stop(self):
        """Asks it to end and returns its exit code."""
        try:
            return stop_process(self._process)
        finally:
            self._output.close()

    def _up(self):
        if self._process.poll() is not None:
            said = self.log.read_text(errors="replace")[-400:]
            raise Trouble(f"posthouse serve ended with {self._process.returncode}: {said}")
        return all(port_open("127.0.0.1", port) for port in self.ports.values())


def configuration(ports, certificate, account, data):
    """The text of a configuration file with these doors, where `ports` has them, and this account."""
    lines = [f"hostname = {toml(RELAY)}", ""]
    for number, (door, (tls, auth)) in enumerate((door, DOORS[door]) for door in ports):
        lines += [
            "[[listeners]]",
            f'name = "door{number}"',
            f'bind = ["127.0.0.1:{ports[door]}"]',
            f'tls = "{tls}"',
            f'auth = "{auth}"',
        ]
        if tls != "none":
            lines += [f"certificate = {toml(certificate[0])}", f"key = {toml(certificate[1])}"]
        lines.append("")
    if any(DOORS[door][1] == "required" for door in ports):
        lines += [f"[devices.{DEVICE[0]}]", f"password = {toml(DEVICE[1])}", ""]
    lines.append("[accounts.office]")
    lines += [f"{key} = {toml(value)}" for key, value in account.items()]
    # Without a queue, so that the client hears what the provider says.
    lines += ["", "[delivery]", "queue = false", 'wait = "15s"', "", "[storage]", f"directory = {toml(data)}"]
    return "\n".join(lines) + "\n"


def toml(value):
    """A TOML value; JSON's strings and numbers are TOML's as well."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    return json.dumps(str(value) if isinstance(value, Path) else value)
