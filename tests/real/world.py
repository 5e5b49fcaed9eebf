"""What every part of this test stands on: a private directory, ports, certificates, bounded waiting.

Nothing here knows mail. Every wait polls a condition and ends with an exception that says what was waited for;
there is no fixed sleep that a result depends on.
"""

import socket
import subprocess
import time
from pathlib import Path


# What openssl makes keys of.
KEYS = {"ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["-newkey", "rsa:2048"]}


class Trouble(Exception):
    """Something of the test bench itself, or of a program under test, did not do what was waited for."""


def wait_for(condition, what, seconds=15.0, pause=0.02):
    """Polls `condition` until it returns something true and returns that."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise Trouble(f"waited {seconds:g} s for {what}")
        time.sleep(pause)


def port_open(address, port):
    """Whether something accepts connections there."""
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True


class Ports:
    """Hands out loopback ports nobody listens on, each only once."""

    def __init__(self):
        self._given = set()

    def take(self):
        while True:
            # Both loopback addresses in use here must be free; 0.0.0.0 asks for both at once.
            with socket.socket() as probe:
                probe.bind(("0.0.0.0", 0))
                port = probe.getsockname()[1]
            if port not in self._given:
                self._given.add(port)
                return port


class Authority:
    """A certificate authority of one afternoon: `ca.pem`, and leaf certificates on demand."""

    def __init__(self, directory: Path, name: str):
        directory.mkdir()
        self._directory = directory
        self.certificate = directory / "ca.pem"
        self._key = directory / "ca.key"
        extensions = "basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign\n"
        self._request("ca", name, extensions, [], KEYS["ec"])

    def issue(self, name: str, subject_alternative_names: str, purpose: str = "serverAuth", kind: str = "ec"):
        """Returns (certificate, key), for a server unless told otherwise; the kind of key is ec or rsa.

        Certificates carry their names only as SAN (RFC 9525).
        """
        extensions = (
            "basicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\n"
            f"extendedKeyUsage={purpose}\nsubjectAltName={subject_alternative_names}\n"
        )
        self._request(name, name, extensions, ["-CA", self.certificate, "-CAkey", self._key], KEYS[kind])
        return self._directory / f"{name}.pem", self._directory / f"{name}.key"

    def _request(self, file, common_name, extensions, issuer, key):
        config = self._directory / f"{file}.cnf"
        config.write_text(f"[req]\ndistinguished_name=dn\nprompt=no\n[dn]\nCN={common_name}\n[ext]\n{extensions}")
        run_tool(
            [
                "openssl",
                "req",
                "-x509",
                "-config",
                config,
                "-extensions",
                "ext",
                "-days",
                "2",
                "-nodes",
                *key,
                "-keyout",
                self._directory / f"{file}.key",
                "-out",
                self._directory / f"{file}.pem",
                *issuer,
            ]
        )


def run_tool(command, **options):
    """Runs a helper program to its end; its output is shown only when it fails."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60, **options)
    if done.returncode != 0:
        raise Trouble(f"{command[0]} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def stop_process(process, seconds=10.0):
    """SIGTERM to one child of ours, SIGKILL when it does not heed it; returns its exit code."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(seconds)
            raise Trouble(f"process {process.pid} did not end within {seconds:g} s of SIGTERM") from None
    return process.returncode
