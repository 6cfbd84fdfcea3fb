"""A headless Chromium, spoken to by its DevTools protocol: a page is taken when it shows what it should, not after a wait.

The protocol: https://chromedevtools.github.io/devtools-protocol
"""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

from everfit.errors import StackError

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
LOADED_SECONDS = 60.0
AT_FIRST = "localStorage.setItem('dagster-nav-collapsed', 'true')"
STILL_SECONDS = 1.0
STILL_AT_MOST_SECONDS = 10.0


class Page:
    """The browser's one page."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._ids = count(1)
        self.ask("Page.enable")
        self.ask("Page.addScriptToEvaluateOnNewDocument", source=AT_FIRST)

    def ask(self, method: str, **parameters: Any) -> Any:
        """The result of a DevTools command."""
        number = next(self._ids)
        self._connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            told = json.loads(self._connection.recv(timeout=LOADED_SECONDS))
            if told.get("id") == number:
                return told["result"]

    def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        return self.ask("Runtime.evaluate", expression=script, awaitPromise=True)["result"].get("value")

    def press(self, code: str) -> None:
        """A key with Alt, such as KeyE."""
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, code=code, key=code[-1].lower(), modifiers=1)

    def click(self, words: str) -> None:
        """What can be clicked and says exactly that.

        Raises:
            StackError: when the page holds no such thing.
        """
        found = (
            f"[...document.querySelectorAll('button, a, span, div')].filter(e => e.innerText?.trim() === {json.dumps(words)})"
        )
        if not self.evaluate(f"(e => e ? (e.click(), true) : false)({found}.pop())"):
            raise StackError(f"the page shows nothing to click that says {words!r}")

    def open(self, url: str, width: int, height: int) -> None:
        """Go to an address, in a window of that many pixels."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.ask("Page.navigate", url=url)

    def await_words(self, words: Sequence[str]) -> None:
        """Return when the page shows all of them.

        Raises:
            StackError: when it does not within a minute; the message says what it shows instead.
        """
        deadline = time.monotonic() + LOADED_SECONDS
        text = ""
        while missing := [word for word in words if word not in text]:
            if time.monotonic() > deadline:
                raise StackError(f"the page does not show {missing}; it shows {text[:300]!r}")
            time.sleep(0.2)
            text = self.evaluate("document.body ? document.body.innerText : ''") or ""

    def still(self) -> bytes:
        """The page as a PNG, once it looks the same twice."""
        before, now = b"", self._png()
        deadline = time.monotonic() + STILL_AT_MOST_SECONDS
        while before != now and time.monotonic() < deadline:
            time.sleep(STILL_SECONDS)
            before, now = now, self._png()
        return now

    def _png(self) -> bytes:
        return base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])


@contextmanager
def browsing() -> Iterator[Page]:
    """A browser with a profile of its own; both are gone when the block ends.

    Raises:
        StackError: when no Chromium is installed, or it does not start.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        root = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium has no sandbox for root
        command = [_program(), *FLAGS, *root, f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with connect(_address(Path(profile) / "DevToolsActivePort"), max_size=None) as connection:
                yield Page(connection)
        finally:
            process.terminate()
            process.wait()


def _program() -> str:
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None:
        raise StackError(
            f"no Chromium on PATH (looked for {', '.join(PROGRAMS)}); install one, on Debian `apt install chromium`"
        )
    return found


def _address(port_file: Path) -> str:
    """Where the page's DevTools listen; the browser writes its port when it is ready."""
    deadline = time.monotonic() + LOADED_SECONDS
    while not (port_file.exists() and "\n" in port_file.read_text()):
        if time.monotonic() > deadline:
            raise StackError("Chromium did not start; run it by hand to see why")
        time.sleep(0.1)
    port = port_file.read_text().splitlines()[0]
    pages = httpx.get(f"http://127.0.0.1:{port}/json/list", trust_env=False).json()
    return str(next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page"))
