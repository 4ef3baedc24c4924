# SPDX-License-Identifier: BSD-2-Clause
"""What passes by a device: TCP headers, read by a packet socket in a thread."""
import ctypes
import dataclasses
import socket
import struct
import threading
import time

ETH_P_ALL = 3
SO_ATTACH_FILTER = 26
OUTGOING = 4
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


@dataclasses.dataclass
class Segment:
    at: float
    out: bool  # leaves by this device
    src: str
    dst: str
    sport: int
    dport: int
    seq: int
    ack: int
    flags: int
    window: int
    length: int


# Keeps IPv4 and IPv6 TCP, and of each packet the first 128 bytes; (code, jt, jf, k).
# With only_flags, the byte of the flags must have one of them (IPv4 without options).
def _program(only_flags):
    drop, take = 11, 12  # the lines of these two ends

    def jump(line, code, k, yes, no):
        return (code, yes - line - 1, no - line - 1, k)

    return [
        (0x28, 0, 0, 12),                    # 0  the type of the frame
        jump(1, 0x15, 0x0800, 2, 6),         #    IPv4?
        (0x30, 0, 0, 14 + 9),                # 2  its protocol
        jump(3, 0x15, 6, 4, drop),
        (0x30, 0, 0, 14 + 20 + 13),          # 4  the flags
        jump(5, 0x45, only_flags, take, drop),
        jump(6, 0x15, 0x86dd, 7, drop),      #    IPv6?
        (0x30, 0, 0, 14 + 6),                # 7  its next header
        jump(8, 0x15, 6, 9, drop),
        (0x30, 0, 0, 14 + 40 + 13),          # 9  the flags
        jump(10, 0x45, only_flags, take, drop),
        (0x06, 0, 0, 0),
        (0x06, 0, 0, 128),
    ]


class Sniffer:
    """Segments seen at @dev of @ns, from making it until stop()."""

    def __init__(self, world, ns, dev=None, only_flags=0xff):
        with ns:
            self.s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.s.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
        self._attach(_program(only_flags))
        self.s.bind((dev or ns.dev, ETH_P_ALL))
        self.s.settimeout(0.05)
        self.segments = []
        self.running = True
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        world.at_end.append(self.stop)

    def _attach(self, program):
        code = b"".join(struct.pack("HBBI", *line) for line in program)
        self._code = ctypes.create_string_buffer(code)
        fprog = struct.pack("HL", len(program), ctypes.addressof(self._code))
        self.s.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, fprog)

    def _read(self):
        while True:
            try:
                data, meta = self.s.recvfrom(256)
            except socket.timeout:
                if not self.running:
                    return
                continue
            except OSError:
                return
            seg = parse(data[14:], time.monotonic(), meta[2] == OUTGOING)
            if seg:
                self.segments.append(seg)

    def stop(self):
        """Reads what is queued, and ends."""
        if self.running:
            self.running = False
            self.thread.join()
            self.s.close()
        return self.segments


def parse(data, at=0.0, out=False):
    """A Segment of an IP packet, or None."""
    if data[0] >> 4 == 4:
        hlen, total = (data[0] & 15) * 4, struct.unpack_from("!H", data, 2)[0]
        src, dst = socket.inet_ntoa(data[12:16]), socket.inet_ntoa(data[16:20])
    else:
        hlen, total = 40, 40 + struct.unpack_from("!H", data, 4)[0]
        src, dst = (socket.inet_ntop(socket.AF_INET6, data[i:i + 16]) for i in (8, 24))
    if len(data) < hlen + 20:
        return None
    sport, dport, seq, ack, off, flags, win = struct.unpack_from("!HHIIBBH", data, hlen)
    return Segment(at, out, src, dst, sport, dport, seq, ack, flags, win,
                   total - hlen - (off >> 4) * 4)


def checksum(data):
    if len(data) & 1:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def tcp_packet(src, dst, sport, dport, flags, seq=0, ack=0, window=8192, payload=b"",
               options=b""):
    """A whole IPv4 packet with good checksums."""
    s, d = socket.inet_aton(src), socket.inet_aton(dst)
    options += b"\0" * (-len(options) % 4)
    length = 20 + len(options) + len(payload)
    head = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xffffffff, ack & 0xffffffff,
                       (20 + len(options)) << 2, flags, window, 0, 0) + options + payload
    pseudo = s + d + struct.pack("!BBH", 0, 6, length)
    tcp = head[:16] + struct.pack("!H", checksum(pseudo + head)) + head[18:]
    return ip_packet(src, dst, 6, tcp)


def ip_packet(src, dst, protocol, payload):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0x4000, 64, protocol, 0,
                       socket.inet_aton(src), socket.inet_aton(dst))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def injector(ns):
    """A raw socket that sends whole IPv4 packets from @ns: .sendto(packet, (dst, 0))."""
    return ns.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
