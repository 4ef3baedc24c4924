# SPDX-License-Identifier: BSD-2-Clause
"""Well-known programs, each as server and as client, the other end on the kernel's TCP."""
import hashlib
import json
import os
import signal

from lib import Pair, check, equal, sh, wait_for
from registry import test, test_each

SIZE = 8 << 20
FAMILIES = [("over IPv4", "v4"), ("over IPv6", "v6")]


def sha(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def brackets(address):
    return f"[{address}]" if ":" in address else address


def fetch(start, address, port, path, to, *more):
    c = start("curl", "-sS", "--fail", "-o", to, *more,
              f"http://{brackets(address)}:{port}/{os.path.basename(path)}")
    c.wait()
    equal(sha(to), sha(path), "sha256 of what curl fetched")


# ---- curl and web servers --------------------------------------------------------------------


@test_each(FAMILIES)
def curl_fetches_from_a_kernel_server(v):
    with Pair() as p:
        path = p.file("page", SIZE)
        p.kernel("python3", "-m", "http.server", "-d", p.tmp, "--bind", getattr(p.peer, v), "8000")
        p.kernel_listening(8000)
        fetch(p.tcprun, getattr(p.peer, v), 8000, path, p.tmp + "/got")


@test()
def curl_uploads_to_a_kernel_server():
    with Pair() as p:
        path = p.file("page", SIZE)
        s = p.kernel_python("""
            s = listen("0.0.0.0", 8000)
            say("ready")
            c, _ = s.accept()
            f = c.makefile("rb")
            length = 0
            while (line := f.readline()) not in (b"\\r\\n", b""):
                if line.lower().startswith(b"content-length:"): length = int(line.split(b":")[1])
            c.sendall(b"HTTP/1.1 100 Continue\\r\\n\\r\\n")
            say(hashlib.sha256(f.read(length)).hexdigest())
            c.sendall(b"HTTP/1.1 204 Taken\\r\\n\\r\\n")
            c.close()
        """)
        s.expect("^ready")
        p.tcprun("curl", "-sS", "--fail", "-T", path, f"http://{p.peer.v4}:8000/page").wait()
        equal(s.wait().split()[-1], sha(path), "sha256 of what came")


@test_each(FAMILIES)
def python_http_server_serves_kernel_curl(v):
    with Pair() as p:
        path = p.file("page", SIZE)
        p.tcprun("python3", "-m", "http.server", "-d", p.tmp, "--bind", getattr(p.host, v), "8000")
        p.listening(8000)
        fetch(p.kernel, getattr(p.host, v), 8000, path, p.tmp + "/got")


NGINX = """
daemon off; master_process on; worker_processes {workers}; pid {tmp}/nginx.pid;
user root; error_log stderr warn;
events {{ worker_connections 256; }}
http {{
    access_log off; sendfile on; client_body_temp_path {tmp}/b; proxy_temp_path {tmp}/p;
    fastcgi_temp_path {tmp}/f; uwsgi_temp_path {tmp}/u; scgi_temp_path {tmp}/s;
    server {{ listen {v4}:80; listen [{v6}]:80; root {tmp};
              location /via/ {{ proxy_pass http://{behind}/; proxy_buffering off; }} }}
}}
"""


def nginx(p, start, ns, behind="127.0.0.1:1", workers=2):
    path = os.path.join(p.tmp, "nginx.conf")
    with open(path, "w") as f:
        f.write(NGINX.format(tmp=p.tmp, v4=ns.v4, v6=ns.v6, behind=behind, workers=workers))
    return start("nginx", "-c", path, "-p", p.tmp, "-e", "stderr")


@test_each(FAMILIES)
def nginx_serves_64_MiB_to_kernel_curl(v):
    with Pair() as p:
        path = p.file("page", 64 << 20)
        nginx(p, p.tcprun, p.host)
        p.listening(80)
        fetch(p.kernel, getattr(p.host, v), 80, path, p.tmp + "/got")


@test()
def nginx_stops_in_good_order():
    with Pair() as p:
        n = nginx(p, p.tcprun, p.host)
        p.listening(80)
        n.signal(signal.SIGQUIT)
        n.wait(20)
        wait_for(lambda: not p.states(80) or set(p.states(80)) == {"TIME_WAIT"},
                 "nginx's listeners to be gone")


@test()
def nginx_reloads_and_goes_on_serving():
    with Pair() as p:
        path = p.file("page", SIZE)
        n = nginx(p, p.tcprun, p.host)
        p.listening(80)

        def workers():
            return set(sh("pgrep", "-P", str(n.pid), check_status=False).split())
        before = wait_for(workers, "workers of nginx")
        n.signal(signal.SIGHUP)
        wait_for(lambda: workers() and not workers() & before, "new workers of nginx")
        fetch(p.kernel, p.host.v4, 80, path, p.tmp + "/got")


@test()
def nginx_is_a_client_of_a_kernel_server_as_a_proxy():
    with Pair() as p:
        path = p.file("page", 64 << 20)
        p.kernel("python3", "-m", "http.server", "-d", p.tmp, "--bind", p.peer.v4, "8000")
        p.kernel_listening(8000)
        nginx(p, p.tcprun, p.host, behind=f"{p.peer.v4}:8000")
        p.listening(80)
        c = p.kernel("curl", "-sS", "--fail", "-o", p.tmp + "/got",
                     f"http://{p.host.v4}/via/page")
        c.wait()
        equal(sha(p.tmp + "/got"), sha(path), "sha256 of what came through the proxy")


# ---- iperf3 ----------------------------------------------------------------------------------


def iperf3(server, client, listening, address, reverse):
    s = server("iperf3", "-s", "-1", "-J")
    listening(5201)
    c = client("iperf3", "-c", address, "-n", "64M", "-J", *(["-R"] if reverse else []))
    end = json.loads(c.wait(80))["end"]
    s.wait()
    # iperf3 stops counting while the last bytes are on their way
    check(end["sum_received"]["bytes"] >= 32 << 20, f"received only {end['sum_received']}")


@test_each([("and receives", False), ("and sends", True)])
def iperf3_is_a_server_of_a_kernel_client(reverse):
    with Pair() as p:
        iperf3(p.tcprun, p.kernel, p.listening, p.host.v4, reverse)


@test_each([("and sends", False), ("and receives", True)])
def iperf3_is_a_client_of_a_kernel_server(reverse):
    with Pair() as p:
        iperf3(p.kernel, p.tcprun, p.kernel_listening, p.peer.v4, reverse)


# ---- socat and openssl -----------------------------------------------------------------------


@test_each(FAMILIES)
def socat_takes_a_file_as_a_server(v):
    with Pair() as p:
        path, got = p.file("page", SIZE), p.tmp + "/got"
        kind = "TCP6" if v == "v6" else "TCP4"
        s = p.tcprun("socat", "-u", f"{kind}-LISTEN:7000,reuseaddr", f"CREATE:{got}")
        p.listening(7000)
        c = p.kernel("socat", "-u", f"OPEN:{path}", f"{kind}:{brackets(getattr(p.host, v))}:7000")
        c.wait()
        s.wait()
        equal(sha(got), sha(path), "sha256")


@test_each(FAMILIES)
def socat_sends_a_file_as_a_client(v):
    with Pair() as p:
        path, got = p.file("page", SIZE), p.tmp + "/got"
        kind = "TCP6" if v == "v6" else "TCP4"
        s = p.kernel("socat", "-u", f"{kind}-LISTEN:7000,reuseaddr", f"CREATE:{got}")
        p.kernel_listening(7000)
        c = p.tcprun("socat", "-u", f"OPEN:{path}", f"{kind}:{brackets(getattr(p.peer, v))}:7000")
        c.wait()
        s.wait()
        equal(sha(got), sha(path), "sha256")


@test()
def socat_echoes_with_half_close():
    with Pair() as p:
        path = p.file("page", SIZE)
        p.tcprun("socat", "TCP-LISTEN:7000,reuseaddr,fork", "EXEC:cat")
        p.listening(7000)
        with open(path, "rb") as f:
            c = p.kernel("socat", "-t", "30", "-", f"TCP:{p.host.v4}:7000", stdin=f)
        c.wait()
        equal(sha(c.base + ".out"), sha(path), "sha256 of the echo")


def certificate(p):
    sh("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
       "/CN=test", "-keyout", p.tmp + "/key", "-out", p.tmp + "/cert")
    return "-cert", p.tmp + "/cert", "-key", p.tmp + "/key"


@test()
def openssl_s_server_serves_kernel_curl():
    with Pair() as p:
        path = p.file("page", SIZE)
        p.tcprun("openssl", "s_server", "-quiet", "-accept", "4433", "-WWW", *certificate(p),
                 cwd=p.tmp)
        p.listening(4433)
        c = p.kernel("curl", "-sSk", "--http0.9", "-o", p.tmp + "/got",
                     f"https://{p.host.v4}:4433/page")
        c.wait()
        equal(sha(p.tmp + "/got"), sha(path), "sha256")


@test()
def openssl_s_client_fetches_from_a_kernel_s_server():
    with Pair() as p:
        path = p.file("page", SIZE)
        p.kernel("openssl", "s_server", "-quiet", "-accept", "4433", "-WWW", *certificate(p),
                 cwd=p.tmp)
        p.kernel_listening(4433)
        with open(p.tmp + "/request", "w+") as f:
            f.write("GET /page HTTP/1.0\r\n\r\n")
            f.seek(0)
            c = p.tcprun("openssl", "s_client", "-quiet", "-connect", f"{p.peer.v4}:4433", stdin=f)
            c.wait(status=None)
        with open(c.base + ".out", "rb") as f:
            body = f.read().split(b"\r\n\r\n", 1)[1]
        equal(hashlib.sha256(body).hexdigest(), sha(path), "sha256")


# ---- Python's asyncio, and many processes on one listener ------------------------------------


ECHO_SERVER = """
    import asyncio
    async def serve(r, w):
        while (b := await r.read(65536)):
            w.write(b)
            await w.drain()
        w.close()
    async def main():
        s = await asyncio.start_server(serve, A[0], 9000)
        say("ready")
        await s.serve_forever()
    asyncio.run(main())
"""

ECHO_CLIENTS = """
    import asyncio
    async def one(i):
        data = hashlib.sha256(b"%d" % i).digest() * 2000
        r, w = await asyncio.open_connection(A[0], 9000)
        async def send():
            w.write(data); await w.drain(); w.write_eof()
        got, _ = await asyncio.gather(r.read(-1), send())
        assert got == data, (i, len(got))
        w.close()
        await w.wait_closed()
    async def main():
        await asyncio.gather(*(one(i) for i in range(int(A[1]))))
        say("all equal")
    asyncio.run(main())
"""


@test_each(FAMILIES)
def asyncio_echo_server_serves_50_kernel_clients(v):
    with Pair() as p:
        s = p.python(ECHO_SERVER, getattr(p.host, v))
        s.expect("^ready")
        c = p.kernel_python(ECHO_CLIENTS, getattr(p.host, v), 50)
        equal(c.wait(), "all equal\n", "the clients")


@test_each(FAMILIES)
def asyncio_clients_50_of_them_are_served_by_the_kernel(v):
    with Pair() as p:
        s = p.kernel_python(ECHO_SERVER, getattr(p.peer, v))
        s.expect("^ready")
        c = p.python(ECHO_CLIENTS, getattr(p.peer, v), 50)
        equal(c.wait(), "all equal\n", "the clients")


@test()
def four_preforked_workers_share_one_listening_socket():
    with Pair() as p:
        p.python("""
            s = listen("::", 9100)
            for i in range(4):
                if os.fork() == 0:
                    while True:
                        c, _ = s.accept()
                        c.sendall(b"%d\\n" % os.getpid())
                        c.recv(1)  # the peer lets go: so that all workers are needed
                        c.close()
            say("ready")
            os.wait()
        """).expect("^ready")
        pids = set()
        for _ in range(5):
            held = [p.peer.connect(p.host.v4, 9100) for _ in range(4)]
            now = {c.recv(100) for c in held}
            equal(len(now), 4, "workers that served four clients at once")
            pids |= now
            for c in held:
                c.close()
        equal(len(pids), 4, "workers that served at all")


@test()
def four_preforked_workers_waiting_in_epoll_lose_and_double_no_connection():
    with Pair() as p:
        p.python("""
            s = listen("0.0.0.0", 9100, 256)
            s.setblocking(False)
            for i in range(4):
                if os.fork() == 0:
                    e = select.epoll()
                    e.register(s.fileno(), select.EPOLLIN | select.EPOLLEXCLUSIVE)
                    while True:
                        e.poll()
                        try: c, _ = s.accept()
                        except BlockingIOError: continue
                        c.setblocking(True)
                        c.sendall(c.recv(100))
                        c.close()
            say("ready")
            os.wait()
        """).expect("^ready")
        for i in range(200):
            c = p.peer.connect(p.host.v4, 9100)
            c.sendall(b"number %d" % i)
            equal(c.recv(100), b"number %d" % i, "the echo")
            equal(c.recv(100), b"", "the end")
            c.close()
