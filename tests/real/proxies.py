"""Two proxies of our own: Dante for SOCKS5, tinyproxy for HTTP CONNECT with a login. /etc is not read.

Dante lets in whoever asks: it can check logins only against the system's own users. Each writes down every connection
it makes, and `connections` reads that.
"""

import re
import subprocess
from pathlib import Path

from world import Trouble, port_open, stop_process, wait_for

USER = "relay"
PASSWORD = "proxy-Pass.word_1"

DANTE = """
logoutput: {home}/danted.log
internal: 127.0.0.1 port = {port}
external: 127.0.0.1
clientmethod: none
socksmethod: none
user.privileged: root
user.unprivileged: nobody
client pass {{
  from: 127.0.0.0/8 to: 0.0.0.0/0
}}
socks pass {{
  from: 127.0.0.0/8 to: 0.0.0.0/0
  command: connect
  log: connect
}}
"""

TINYPROXY = """
User nobody
Group nogroup
Listen 127.0.0.1
Port {port}
LogFile "{home}/tinyproxy.log"
LogLevel Connect
Timeout 60
MaxClients 50
Allow 127.0.0.1
BasicAuth {user} {password}
"""


class _Proxy:
    """Started by the constructor, ended by `stop`."""

    def __init__(self, home: Path, port, name, configuration, command):
        home.mkdir(exist_ok=True)
        self.port, self.log = port, home / f"{name}.log"
        self._name = name
        self.log.touch()
        # tinyproxy opens it as its own user.
        self.log.chmod(0o666)
        configured = home / f"{name}.conf"
        configured.write_text(configuration.format(home=home, port=port, user=USER, password=PASSWORD))
        output = (home / f"{name}.start.log").open("ab")
        self._process = subprocess.Popen([*command, configured], stdout=output, stderr=output)
        # For `run` to find it by, should this program be killed.
        (home / f"{name}.pid").write_text(f"{self._process.pid}\n")
        try:
            wait_for(self._up, f"{name} to listen")
        except Trouble:
            self.stop()
            raise

    def stop(self):
        stop_process(self._process)

    def connections(self, port):
        """How often it has connected to this port, by its own log."""
        return len(re.findall(self.CONNECTED.format(port=port), self.log.read_text(errors="replace")))

    def _up(self):
        if self._process.poll() is not None:
            raise Trouble(f"{self._name} did not start; see {self.log.parent}")
        return port_open("127.0.0.1", self.port)


class Dante(_Proxy):
    """SOCKS5."""

    CONNECTED = r"pass\(1\): tcp/connect \[: .*\.{port}\b"

    def __init__(self, home, ports):
        home.mkdir()
        super().__init__(home, ports.take(), "danted", DANTE, ["danted", "-p", home / "danted.own.pid", "-f"])

    def settings(self):
        """The keys of an account that goes through it."""
        return {"proxy": f"socks5://127.0.0.1:{self.port}"}


class Tinyproxy(_Proxy):
    """HTTP CONNECT."""

    # A request it refuses stands in its log as well: count only where nothing else is refused.

    CONNECTED = r"Request .*: CONNECT \S+:{port} HTTP/1\.1"

    def __init__(self, home, ports):
        home.mkdir()
        super().__init__(home, ports.take(), "tinyproxy", TINYPROXY, ["tinyproxy", "-d", "-c"])

    def settings(self, password=PASSWORD):
        """The keys of an account that goes through it."""
        return {"proxy": f"http://{USER}@127.0.0.1:{self.port}", "proxy_password": password}
