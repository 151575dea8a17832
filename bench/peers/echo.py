# SPDX-License-Identifier: MIT
"""An echo server beside threads that compute; what it does exactly is in README.md.

Runs on CPython 2.7 and 3 and on PyPy.
"""

import os
import socket
import sys
import threading
import time


def hog(counts, index):
    steps = range(1000)
    x = index
    while True:
        for _ in steps:
            x = (x * 1103515245 + 12345) & 0x7FFFFFFF
        counts[index] += 1


def echo(connection):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        data = connection.recv(64)
        if not data:
            return
        connection.sendall(data)


def serve(listener):
    while True:
        connection, _ = listener.accept()
        try:
            echo(connection)
        except socket.error:  # the client has gone
            pass
        connection.close()


def start(function, *arguments):
    thread = threading.Thread(target=function, args=arguments)
    thread.daemon = True
    thread.start()


def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main():
    counts = [0] * int(sys.argv[1])
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)
    say(str(listener.getsockname()[1]))
    start(serve, listener)
    for index in range(len(counts)):
        start(hog, counts, index)
    while sys.stdin.readline():
        say("%d %.6f" % (sum(counts), time.time()))
    os._exit(0)  # without waiting for the hogs


main()
