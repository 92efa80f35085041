"""Code that runs in other threads and processes."""
import os
import socket
import sys
import threading


def double(number):
    return number * 2


def triple(number):
    return number * 3


def half(number):
    return number // 2


def serve(numbers):
    found = []
    thread = threading.Thread(target=lambda: found.extend(double(number) for number in numbers))
    thread.start()
    thread.join()
    return found


def echo(connection):
    while data := connection.recv(100):
        connection.sendall(data.upper())
    connection.close()


def main():
    print(triple(int(sys.argv[1])))


def forked():
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writer, str(half(8)).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    return int(os.read(reader, 100))


if __name__ == "__main__":
    main()
