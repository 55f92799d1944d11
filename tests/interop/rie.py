"""AWS's own emulator of Lambda (RIE), and a program as the function in it.

It starts the program at the first invocation, kills it at the function's timeout and starts another
then. Unlike the service it never freezes one, hands on no trace id, and answers an invocation that
ended in an error with 200 all the same.
"""

import contextlib
import http.client
import json
import os
import pathlib
import socket
import subprocess

from conftest import BUILD, SECONDS, free_port, process, wait_for


class Function:
    def __init__(self, emulator, port):
        self.emulator, self.port = emulator, port

    def invoke(self, event):
        """What a caller gets, an event being bytes, or anything to be sent as JSON: the status, and JSON
        where it is that, else text."""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2 * SECONDS)
        with contextlib.closing(c):
            body = event if isinstance(event, bytes) else json.dumps(event).encode()
            c.request("POST", "/2015-03-31/functions/function/invocations", body)
            answer = c.getresponse()
            text = answer.read().decode()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text

    def pid(self):
        """The program's, which runs."""
        found = []
        for thread in pathlib.Path(f"/proc/{self.emulator.pid}/task").iterdir():
            with contextlib.suppress(OSError):  # this thread has ended
                found += (thread / "children").read_text().split()
        (pid,) = found
        return int(pid)


@contextlib.contextmanager
def function(folder, *command, timeout=2 * SECONDS, env):
    """It, with a timeout in whole seconds and, besides the emulator's own, these variables. What it and
    the emulator say is in folder/function.log."""
    api, port, log = free_port(), free_port(), folder / "function.log"
    env = {"PATH": os.environ["PATH"], "AWS_LAMBDA_FUNCTION_TIMEOUT": str(timeout), **env}
    listen = ["--runtime-api-address", f"127.0.0.1:{api}", "--runtime-interface-emulator-address", f"127.0.0.1:{port}"]
    with process(BUILD / "interop/aws-lambda-rie", "--log-level", "error", *listen, *command, log=log, env=env, cwd=folder) as p:

        def listens():
            assert p.poll() is None, f"the emulator ended:\n{log.read_text()}"
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) == 0

        try:
            wait_for("listening emulator", listens)
            yield Function(p, port)
        finally:
            p.terminate()  # so that it ends the program, too
            with contextlib.suppress(subprocess.TimeoutExpired):
                p.wait(SECONDS)
