"""A webhook receiver on loopback that is down at times, and what it was told."""

import json
import random
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["Receiver", "receiver"]

OPENINGS = frozenset({"opened", "opened_and_resolved"})
ENDS = frozenset({"resolved", "opened_and_resolved", "reopened_and_resolved", "withdrawn"})
RETURNS = frozenset({"reopened", "reopened_and_resolved"})
UP_S, DOWN_S = (0.5, 3.0), (0.2, 1.5)
"""Shortest and longest time between two changes [s]."""

LOSES_ANSWER = 0.2
"""Share of messages that it takes without a word: the sender cannot know, and has to repeat them."""


class Receiver:
    """What arrived, by key; a message counts from the moment that it was read, answered or not."""

    def __init__(self, seed: int) -> None:
        self.is_down = False
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        self._heard: Counter[str] = Counter()
        self._openings: defaultdict[str, set[str]] = defaultdict(set)
        self._returns: defaultdict[str, set[str]] = defaultdict(set)
        self._incidents: set[str] = set()
        self._ended: set[str] = set()

    def hear(self, key: str, body: bytes) -> int | None:
        """Note a message; the status to answer, None to hang up."""
        with self._lock:
            if self.is_down:
                return 503
            self._heard[key] += 1
            document = json.loads(body)
            ids = [str(one["id"]) for one in document.get("data", {}).get("incidents", [])]
            self._incidents.update(ids)
            if document.get("type") in ENDS:
                self._ended.update(ids)
            for told, events in ((self._openings, OPENINGS), (self._returns, RETURNS)):
                if document.get("type") in events:
                    for one in ids:
                        told[one].add(key)
            return None if self._chance.random() < LOSES_ANSWER else 202

    @property
    def incidents(self) -> frozenset[str]:
        """Incidents that it was told of."""
        with self._lock:
            return frozenset(self._incidents)

    @property
    def ended(self) -> frozenset[str]:
        """Incidents of whose end it was told."""
        with self._lock:
            return frozenset(self._ended)

    @property
    def keys(self) -> frozenset[str]:
        """Keys of what arrived."""
        with self._lock:
            return frozenset(self._heard)

    @property
    def repeats_same_key(self) -> int:
        """Messages that arrived again under their key, which tells a receiver that it knows them."""
        with self._lock:
            return sum(count - 1 for count in self._heard.values())

    @property
    def repeats_new_key(self) -> int:
        """Openings of an incident that were told again as if they were news."""
        with self._lock:
            return sum(len(keys) - 1 for keys in self._openings.values())

    @property
    def returns(self) -> dict[str, int]:
        """How many times it was told of each incident, under a key of its own, that it had come back."""
        with self._lock:
            return {name: len(keys) for name, keys in self._returns.items()}


@contextmanager
def receiver(port: int, *, seed: int, is_shaky: bool) -> Iterator[Receiver]:
    """A receiver that listens, at times down if it is shaky.

    Args:
        port: Where; 0 for any.
    """
    state = Receiver(seed)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status = state.hear(self.headers.get("webhook-id", ""), body)
            if status is None:
                self.close_connection = True
                return
            self.send_response(status)
            if status == 503:
                self.send_header("Retry-After", "1")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    stop = threading.Event()
    threads = [threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)]
    if is_shaky:
        threads.append(threading.Thread(target=_shake, args=(state, stop, random.Random(seed)), daemon=True))
    for thread in threads:
        thread.start()
    try:
        yield state
    finally:
        stop.set()
        server.shutdown()
        for thread in threads:
            thread.join()
        server.server_close()


def _shake(state: Receiver, stop: threading.Event, chance: random.Random) -> None:
    while not stop.wait(chance.uniform(*UP_S)):
        state.is_down = True
        stop.wait(chance.uniform(*DOWN_S))
        state.is_down = False
