"""The process that holds a student's code. grade.py starts it and asks; it answers.

It knows no test. It runs cells and calls functions when it is told to, and only plain
data (numbers, text, arrays, lists, tuples, dicts) passes in and out, as JSON. So nothing
that a submission redefines can reach a test, and nothing that it returns can pretend to
be equal to everything.
"""

import base64
import contextlib
import json
import os
import resource
import sys

import numpy as np

READABLE = "/usr", "/lib", "/lib64", "/etc", "/dev", "/sys", "/proc/cpuinfo"
REFUSED = (
    "os.exec os.fork os.forkpty os.kill os.killpg os.posix_spawn os.spawn os.system "
    "pty.spawn resource.prlimit resource.setrlimit socket.bind socket.connect socket.getaddrinfo subprocess.Popen "
    "_winapi.CreateProcess"
).split()
CHANGES = (
    "os.chmod os.chown os.link os.mkdir os.remove os.rename os.rmdir os.symlink "
    "os.truncate shutil.rmtree"
).split()
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
FILE_BYTES = 64 * 2**20
LONGEST_ERROR = 2000  # characters


def encode(value):
    """Plain data as what JSON can hold. Raises TypeError for anything else."""
    if isinstance(value, np.generic):
        value = np.asarray(value)
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "biuf":
            raise TypeError(f"an array of numbers was expected, got {value.dtype}")
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {"array": data, "type": value.dtype.str, "shape": value.shape}
    if isinstance(value, tuple | list):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [encode(item) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[encode(k), encode(v)] for k, v in value.items()]}
    if value is None or isinstance(value, bool | int | float | str):
        return {"plain": value}
    raise TypeError(f"numbers or an array were expected, got {type(value).__name__}")


def decode(coded):
    """What `encode` was given; 0-d arrays come back as NumPy numbers."""
    ((kind, content), *_) = coded.items()
    if kind == "array":
        numbers = np.frombuffer(base64.b64decode(content), np.dtype(coded["type"]))
        return numbers.reshape(coded["shape"]).copy()[()]
    if kind == "dict":
        return {decode(k): decode(v) for k, v in content}
    if kind == "plain":
        return content
    return {"tuple": tuple, "list": list}[kind](decode(item) for item in content)


def send(stream, message):
    """Write a message, and how long it is before it."""
    data = json.dumps(message).encode()
    stream.sendall(len(data).to_bytes(8, "big") + data)


def receive(stream, largest):
    """Read a message. Raises EOFError when the other side is gone, ValueError when the
    message is longer than ``largest`` bytes."""
    size = int.from_bytes(_read(stream, 8), "big")
    if size > largest:
        raise ValueError(f"expected at most {largest} bytes, got {size}")
    return json.loads(_read(stream, size))


def _read(stream, size):
    parts = []
    while size:
        part = stream.recv(min(size, 2**20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _confine(settings):
    """Take away what a submission has no need for: memory, time, most files, other
    processes, the network."""
    limits = {
        resource.RLIMIT_AS: settings["memory"],
        resource.RLIMIT_CPU: settings["seconds"],
        resource.RLIMIT_FSIZE: FILE_BYTES,
        resource.RLIMIT_CORE: 0,
    }
    for kind, limit in limits.items():
        resource.setrlimit(kind, (limit, limit))
    realpath, own = os.path.realpath, os.path.realpath(os.getcwd())
    code = [realpath(path) for path in sys.path if path]
    python = [realpath(path) for path in (sys.prefix, sys.base_prefix)]
    process = f"/proc/{os.getpid()}"

    def within(path, roots):
        return any(path == root or path.startswith(root + "/") for root in roots)

    def allowed(path, change):
        path = realpath(os.fsdecode(path))
        if within(path, [own, "/dev/null"]) or change:
            return within(path, [own, "/dev/null"])
        if within(path, settings["hidden"]) and not within(path, code):
            return False
        return within(path, [*code, *python, *READABLE, process])

    def hook(event, arguments):
        if event in REFUSED:
            raise PermissionError(f"{event} is not allowed here")
        paths = [x for x in arguments if isinstance(x, str | bytes | os.PathLike)]
        change = event in CHANGES
        if event == "open":
            change = bool(arguments[2] & WRITING)
        elif event in ("os.listdir", "os.scandir"):
            paths = paths or ["."]
        elif not change:
            return
        for path in paths[: 1 if event == "open" else 2]:
            if not allowed(path, change):
                raise PermissionError(f"{path} is not open to a submission")

    sys.addaudithook(hook)


class _Notebook:
    """The student's cells in IPython, as in a kernel."""

    def __init__(self):
        from IPython.core.interactiveshell import InteractiveShell
        from traitlets.config import Config

        class Shell(InteractiveShell):
            def enable_gui(self, gui=None):
                """Nothing: `%matplotlib inline` asks for it."""

            def _tee(self, channel):
                """Keep no history of what is printed: it may be without end."""
                return contextlib.nullcontext()

        config = Config()
        config.HistoryManager.enabled = False
        self.shell = Shell.instance(config=config)

    def run(self, source):
        result = self.shell.run_cell(source)
        error = result.error_before_exec or result.error_in_exec
        return {"error": _said(error)} if error else {}

    def get(self, name):
        if name not in self.shell.user_ns:
            return {"error": f"{name} is not defined"}
        value = self.shell.user_ns[name]
        return {"function": True} if callable(value) else {"value": encode(value)}

    def call(self, name, arguments, options, without):
        used = set()

        def watch(frame, event, _):
            module = frame.f_globals.get("__name__")
            called = f"{module}.{frame.f_code.co_qualname}"
            if event == "call" and called.startswith(tuple(without)):
                used.add(called)

        sys.setprofile(watch if without else None)
        try:
            value = self.shell.user_ns[name](*decode(arguments), **decode(options))
        finally:
            sys.setprofile(None)
        if used:
            return {"error": f"{name} uses {min(used)}, which the task rules out"}
        return {"value": encode(value)}


def _said(error):
    return f"{type(error).__name__}: {error}".removesuffix(": ")[:LONGEST_ERROR]


def main():
    """Answer questions from the socket whose number is the argument, until it closes."""
    import socket

    stream = socket.socket(fileno=int(sys.argv[1]))
    settings = receive(stream, 2**20)
    notebook = _Notebook()
    _confine(settings)
    send(stream, {})
    while True:
        question = receive(stream, 2**30)
        try:
            answer = getattr(notebook, question.pop("do"))(**question)
        except BaseException as error:  # SystemExit too
            answer = {"error": _said(error)}
        send(stream, answer)


if __name__ == "__main__":
    main()
