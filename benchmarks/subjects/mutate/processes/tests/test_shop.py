import os
import pathlib
import socket
import subprocess
import sys
import threading

import pytest
import shop


def test_serve():
    assert shop.serve([1, 2]) == [2, 4]


@pytest.fixture(scope="module")
def server():
    listener = socket.create_server(("127.0.0.1", 0))

    def accept():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=shop.echo, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True, name="server").start()
    yield listener.getsockname()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def test_echo(server):
    with socket.create_connection(server) as connection:
        connection.sendall(b"abc")
        assert connection.recv(3) == b"ABC"


def test_main():
    done = subprocess.run([sys.executable, shop.__file__, "3"], capture_output=True, text=True, check=True)
    assert done.stdout == "9\n"


def test_forked():
    assert shop.forked() == 4
