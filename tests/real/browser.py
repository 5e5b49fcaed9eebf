"""The browser of a person who agrees to everything: follows redirects, keeps cookies, sends the forms it is shown.

It has no JavaScript; the pages of the issuer need none. Where it ends up is told, not shown.
"""

import html.parser
import http.cookiejar
import ssl
import urllib.error
import urllib.parse
import urllib.request

from world import Trouble

# A sign-in takes three forms at most; more of them would go round in a circle.
PAGES = 8


def trusting(ca_file):
    """TLS that trusts this authority alone."""
    return ssl.create_default_context(cafile=str(ca_file))


class Browser:
    """Fresh, with no cookies."""

    def __init__(self, ca_file):
        self._stop = _StopBefore()
        self._opener = urllib.request.build_opener(
            # No proxy of the environment: all of it is on this machine.
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=trusting(ca_file)),
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar(_LocalCookies())),
            self._stop,
        )

    def visit(self, address):
        """Opens the address and does what the pages ask for; returns the last page's text."""
        page = self._open(address)
        for _ in range(PAGES):
            form = _Form.of(page)
            if not form:
                return page
            page = self._open(form.action, urllib.parse.urlencode(form.fields).encode())
        raise Trouble(f"the browser goes round in a circle: {page[:300]}")

    def visit_until(self, address, redirect):
        """The same up to a redirect to an address that begins so, which is not opened but returned."""
        self._stop.prefix = redirect
        try:
            page = self.visit(address)
        except _Stopped as stopped:
            return stopped.address
        finally:
            self._stop.prefix = None
        raise Trouble(f"nothing led to {redirect}: {page[:300]}")

    def _open(self, address, form=None):
        try:
            with self._opener.open(address, form, timeout=30) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            raise Trouble(f"{address} answered {error.code}: {error.read().decode()[:300]}") from None
        except OSError as error:
            raise Trouble(f"{address} cannot be opened: {error}") from None


class _Stopped(Exception):
    def __init__(self, address):
        super().__init__(address)
        self.address = address


class _StopBefore(urllib.request.HTTPRedirectHandler):
    prefix = None

    def redirect_request(self, request, fp, code, message, headers, address):
        if self.prefix and address.startswith(self.prefix):
            raise _Stopped(address)
        return super().redirect_request(request, fp, code, message, headers, address)


class _LocalCookies(http.cookiejar.DefaultCookiePolicy):
    """Python holds `localhost` to be no domain and would not send its cookies back."""

    def return_ok_domain(self, cookie, request):
        return True

    def set_ok_domain(self, cookie, request):
        return True


class _Form(html.parser.HTMLParser):
    """The first form of a page, with all its fields as they stand."""

    def __init__(self):
        super().__init__()
        self.action, self.fields = None, {}

    @classmethod
    def of(cls, page):
        form = cls()
        form.feed(page)
        return form if form.action else None

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form" and not self.action:
            self.action = attributes["action"]
        elif tag == "input" and attributes.get("name"):
            self.fields[attributes["name"]] = attributes.get("value") or ""
