"""Daphne, the server of the Channels project: what is done behind uvicorn in `channels`, behind this one."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from tests.third_party.walks import channels

SETTINGS, URLS = channels.SETTINGS, channels.URLS


def walk() -> None:
    channels.behind(serving, drops_headers=True)


@contextmanager
def serving() -> Iterator[str]:
    """Serve as long as the block lasts. Yield host and port."""
    from daphne.server import Server
    from twisted.internet import reactor

    listening = Event()
    server = Server(
        channels.application(),
        endpoints=["tcp:port=0:interface=127.0.0.1"],
        signal_handlers=False,
        ready_callable=listening.set,
    )
    thread = Thread(target=server.run)
    thread.start()
    try:
        assert listening.wait(20)
        yield f"127.0.0.1:{server.listening_addresses[0][1]}"
    finally:
        reactor.callFromThread(reactor.stop)
        thread.join()
