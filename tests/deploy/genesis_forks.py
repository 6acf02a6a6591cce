"""The `genesis` program, loaded once and forked for each command: a page of examples starts it some seventy times, and
most of what that costs is reading the same modules again.

    python genesis_forks.py serve SOCKET        until killed; says `ready` when it is
    python -S -E genesis_forks.py ask SOCKET ARGUMENTS...     one command, in the files, folder and environment of here
"""

import array
import json
import os
import signal
import socket
import struct
import sys

LENGTH = struct.Struct(">I")


def ask(path: str, arguments: list[str]) -> int:
    """The exit code."""
    asked = json.dumps({"arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ)}).encode()
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(path)
        files = array.array("i", [0, 1, 2])
        server.sendmsg([LENGTH.pack(len(asked))], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
        server.sendall(asked)
        answer = server.recv(1)
    return answer[0] if answer else 1


def serve(path: str) -> None:
    """Every command in a fork of its own."""
    import importlib

    from genesis.cli.main import COMMANDS, main

    for target, _ in COMMANDS.values():
        importlib.import_module(str(target).partition(":")[0])
    for heavy in ("trio", "numpy", "httpx", "rich.table", "duckdb", "genesis.engine"):
        importlib.import_module(heavy)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        print("ready", flush=True)
        while True:
            asker, _ = listener.accept()
            head, files, _, _ = socket.recv_fds(asker, LENGTH.size, 3)
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _carry_out(asker, LENGTH.unpack(head)[0], files, main)
            for file in files:
                os.close(file)
            asker.close()


def _carry_out(asker: socket.socket, size: int, files: list[int], main: object) -> None:
    code = 1
    try:
        with asker.makefile("rb") as reader:
            asked = json.loads(reader.read(size))
        for number, file in enumerate(files):
            os.dup2(file, number)
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")
        os.chdir(asked["folder"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        sys.argv = ["genesis", *asked["arguments"]]
        code = int(main())  # type: ignore[operator]
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        # No file is closed on this way out, and what a command says of its failure goes to stderr.
        sys.stdout.flush()
        sys.stderr.flush()
        asker.sendall(bytes([code]))
        os._exit(code)


if __name__ == "__main__":
    word, place, *rest = sys.argv[1:]
    if word == "serve":
        serve(place)
    sys.exit(ask(place, rest))
