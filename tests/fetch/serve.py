"""A small web server for one command: python3 serve.py HOW FOLDER COMMAND ...

Serves FOLDER to COMMAND as the mirror LINNET_MIRROR on a free port of this machine, keeps it from all others by a proxy
that does not exist, and ends with its exit status. HOW:
  range      as servers do, also from the middle of a file
  plain      always whole files
  cut        at most 4 MB, and then the connection breaks
  wrong      other bytes, as many
  long       more bytes, and does not say how many
  short      fewer bytes, and says so
  page       a page instead, as where one has to log in first
  elsewhere  from the middle of a file, but from another place
  interrupt  1 MB, and then COMMAND gets the signal that Ctrl-C sends
What was asked for is written to the file requests: METHOD PATH [RANGE].
"""
import http.server
import os
import re
import signal
import subprocess
import sys
import threading
import time

MB = 1 << 20


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, code, headers, body, announced):
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        if announced is not None:
            self.send_header("Content-Length", str(announced))
        self.end_headers()
        try:
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has seen enough
        self.close_connection = True

    def do_GET(self):
        asked = self.headers.get("Range")
        with open("requests", "a") as log:
            log.write(f"GET {self.path}{' ' + asked if asked else ''}\n")
        path = os.path.join(folder, self.path.lstrip("/"))
        if not os.path.isfile(path):
            return self.answer(404, {}, b"no such file", 12)
        with open(path, "rb") as file:
            body = file.read()
        first, code, headers = 0, 200, {}
        start = re.fullmatch(r"bytes=(\d+)-", asked or "")
        if start and how != "plain":
            first, code = int(start[1]), 206
            if first >= len(body):
                return self.answer(416, {"Content-Range": f"bytes */{len(body)}"}, b"", 0)
            told = first - 1 if how == "elsewhere" else first
            headers = {"Content-Range": f"bytes {told}-{len(body) - 1}/{len(body)}"}
        body = body[first:]
        announced = len(body)
        if how == "wrong":
            body = bytes(len(body))
        elif how == "long":
            body, announced = body + bytes(MB), None
        elif how == "short":
            body, announced = body[:1000], min(1000, len(body))
        elif how == "page":
            code, headers, body = 200, {}, b"<html>who are you?</html>"
            announced = len(body)
        elif how == "cut":
            body = body[: 4 * MB]
        elif how == "interrupt":
            body = body[:MB]
        self.answer_then_stop(code, headers, body, announced)

    def answer_then_stop(self, code, headers, body, announced):
        self.answer(code, headers, body, announced)
        if how != "interrupt":
            return
        self.wfile.flush()
        while not any(os.path.getsize(p) == len(body) for p in parts()):
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        child.wait()


def parts():
    return [os.path.join(root, n) for root, _, names in os.walk(".") for n in names if n.endswith(".part")]


how, folder, command = sys.argv[1], sys.argv[2], sys.argv[3:]
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
env = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
env.update(LINNET_MIRROR=f"http://127.0.0.1:{server.server_port}", https_proxy="http://127.0.0.1:1")
child = subprocess.Popen(command, env=env)
threading.Thread(target=server.serve_forever, daemon=True).start()
status = child.wait()
sys.exit(status if status >= 0 else 128 - status)
