#!/usr/bin/python3
"""A small HTTP server with the faults that real ones have. The first part of a path says how it
behaves, the rest names a file below the directory in argv[1]. Prints its port; writes one line per
request (path, Range header) to the file in argv[2]."""
import http.server
import os
import sys
import time

ROOT, LOG = sys.argv[1], open(sys.argv[2], "a", buffering=1)
seen = {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def log_message(self, *_):
        pass

    def body(self, status, data, headers=(), length=None):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        path = self.path
        through = ""
        if path.startswith("http://"):  # asked as a proxy
            through = path.split("/")[2]
            path = "/" + path.split("/", 3)[3]
        _, mode, name = path.split("/", 2)
        wanted = self.headers.get("Range", "")
        LOG.write("%s %s %s %s\n" % (mode, name, wanted, through))
        n = seen[mode] = seen.get(mode, 0) + 1
        start = int(wanted[len("bytes="):].rstrip("-")) if wanted else 0
        try:
            with open(os.path.join(ROOT, name), "rb") as f:
                data = f.read()
        except OSError:
            return self.body(404, b"<html>no such file</html>")
        part = (206, data[start:], [("Content-Range", "bytes %d-%d/%d" % (start, len(data) - 1, len(data)))])
        if mode == "ok":
            return self.body(*part) if wanted else self.body(200, data)
        if mode == "norange":
            return self.body(200, data)
        if mode == "cut":  # half of what is left, then the line is dead; four times
            some = data[start:start + (len(data) - start) // 2 + 1] if n <= 4 else data[start:]
            extra = [("Content-Range", "bytes %d-%d/%d" % (start, len(data) - 1, len(data)))] if wanted else []
            return self.body(206 if wanted else 200, some, extra, len(data) - start)
        if mode == "dead":
            return self.body(200, data[:1000], (), len(data))
        if mode == "short":
            return self.body(200, data[:1000])
        if mode == "long":
            return self.body(200, data + b"more")
        if mode == "wrong":
            return self.body(200, b"x" * len(data))
        if mode == "shifted":  # another range than the one that was asked for, once
            if wanted:
                return self.body(206, data[10:], [("Content-Range", "bytes 10-%d/%d" % (len(data) - 1, len(data)))])
            return self.body(200, data)
        if mode == "busy" and n <= 2:
            return self.body(503, b"later", [("Retry-After", "1")])
        if mode == "busy":
            return self.body(200, data)
        if mode == "broken":
            return self.body(500, b"no")
        if mode == "moved":
            return self.body(302, b"", [("Location", "/ok/" + name)])
        if mode == "loop":
            return self.body(302, b"", [("Location", path)])
        if mode == "away":
            return self.body(302, b"", [("Location", "file:///etc/passwd")])
        if mode == "slow":
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            for at in range(0, len(data), 2000):
                self.wfile.write(data[at:at + 2000])
                time.sleep(0.1)
            return None
        return self.body(404, b"no such mode")


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        pass  # clients that go away are what is tested


server = Server(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
