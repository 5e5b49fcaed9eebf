"""A token server: the client-credentials grant over HTTPS for Posthouse, introspection over HTTP for Dovecot.

It is strict where real ones are: the secret must arrive form-encoded in the body or, in HTTP Basic, form-encoded before
base64 (RFC 6749 §2.3.1); the scope must be the right one. Tokens are random and live for an hour.
"""

import base64
import http.server
import json
import secrets
import ssl
import threading
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote_plus


@dataclass(frozen=True)
class Client:
    """The one application this server knows, and whose mailbox its tokens open."""

    identifier: str
    secret: str
    scope: str
    mailbox: str


class TokenServer:
    """`/token` on the TLS port, `/introspect` on the other; `issued` lists every token handed out."""

    def __init__(self, ports, certificate, client: Client):
        self.client = client
        self.issued = []
        self._valid = set()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        self._secure, port = self._listen(ports.take(), context)
        self._plain, plain_port = self._listen(ports.take(), None)
        self.token_endpoint = f"https://localhost:{port}/token"
        self.introspection = f"http://127.0.0.1:{plain_port}/introspect"

    def stop(self):
        for server in (self._secure, self._plain):
            server.shutdown()
            server.server_close()

    def grant(self, form, authorization):
        """Answers a token request: (status, JSON)."""
        credentials = _basic(authorization) if authorization else (form.get("client_id"), form.get("client_secret"))
        if credentials != (self.client.identifier, self.client.secret):
            return 401, {"error": "invalid_client", "error_description": "Invalid client secret provided."}
        if form.get("grant_type") != "client_credentials":
            return 400, {"error": "unsupported_grant_type"}
        if form.get("scope") != self.client.scope:
            return 400, {"error": "invalid_scope"}
        token = self.issue()
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": 3600}

    def issue(self):
        """A fresh valid token."""
        token = secrets.token_urlsafe(48)
        self.issued.append(token)
        self._valid.add(token)
        return token

    def void(self):
        """Makes every token handed out so far worthless, as a changed password at a provider does."""
        self._valid.clear()

    def introspect(self, form):
        """RFC 7662 §2.2: whose token it is, or only that it is not active."""
        if form.get("token") in self._valid:
            return 200, {"active": True, "email": self.client.mailbox, "scope": self.client.scope}
        return 200, {"active": False}

    def _listen(self, port, context):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), _Handler)
        server.daemon_threads = True
        server.tokens, server.secure = self, context is not None
        if context:
            # The handshake belongs to the connection's own thread, not to the one that accepts.
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server, port


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        form = {name: values[0] for name, values in parse_qs(body, keep_blank_values=True).items()}
        if self.server.secure and self.path == "/token":
            status, answer = self.server.tokens.grant(form, self.headers.get("Authorization"))
        elif not self.server.secure and self.path == "/introspect":
            status, answer = self.server.tokens.introspect(form)
        else:
            status, answer = 404, {"error": "not_found"}
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        """Quiet: request lines are of no use here."""


def _basic(authorization):
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    identifier, _, secret = base64.b64decode(encoded).decode().partition(":")
    return unquote_plus(identifier), unquote_plus(secret)
