"""A BGP speaker of the test: says exactly the bytes that a case wants, and keeps every byte that it hears.

It knows messages and attributes, has no policy and no decision, so what it reports is what was on the wire.
"""
import ipaddress
import select
import socket
import struct
import threading
import time

from lab import Failed, wait_for

OPEN, UPDATE, NOTIFICATION, KEEPALIVE, REFRESH = 1, 2, 3, 4, 5
ORIGIN, AS_PATH, NEXT_HOP, MED = 1, 2, 3, 4
AGGREGATOR, COMMUNITIES, MP_REACH, MP_UNREACH, EXTENDED = 7, 8, 14, 15, 16
AS4_PATH, LARGE, ONLY_TO_CUSTOMER = 17, 32, 35
IPV4, IPV6 = (1, 1), (2, 1)
MD5_OPTION = 14  # TCP_MD5SIG of linux/tcp.h

# Capabilities by their code.
MULTIPROTOCOL, ROUTE_REFRESH, EXTENDED_NEXT_HOP, EXTENDED_MESSAGE, ROLE = 1, 2, 5, 6, 9
GRACEFUL_RESTART, FOUR_OCTET_AS, ADD_PATH, ENHANCED_REFRESH, LONG_LIVED = 64, 65, 69, 70, 71


def multiprotocol(family):
    return MULTIPROTOCOL, struct.pack("!HBB", family[0], 0, family[1])


def four_octet(asn):
    return FOUR_OCTET_AS, struct.pack("!I", asn)


def pack_prefix(prefix, path_id=None):
    network = ipaddress.ip_network(prefix)
    octets = network.network_address.packed[:(network.prefixlen + 7) // 8]
    return (b"" if path_id is None else struct.pack("!I", path_id)) + bytes([network.prefixlen]) + octets


def unpack_prefixes(data, family, add_path):
    at, found = 0, []
    while at < len(data):
        path_id = None
        if add_path:
            path_id, at = struct.unpack_from("!I", data, at)[0], at + 4
        length, at = data[at], at + 1
        size = (length + 7) // 8
        octets = data[at:at + size].ljust(4 if family == IPV4 else 16, b"\0")
        at += size
        found.append((f"{ipaddress.ip_address(octets)}/{length}", path_id))
    return found


def pack_attributes(attributes):
    """{type: (flags, bytes)} to bytes, in the order of types."""
    out = b""
    for kind, (flags, value) in sorted(attributes.items()):
        if len(value) > 255:
            out += struct.pack("!BBH", flags | 0x10, kind, len(value)) + value
        else:
            out += struct.pack("!BBB", flags & ~0x10, kind, len(value)) + value
    return out


def unpack_attributes(data):
    at, found = 0, {}
    while at < len(data):
        flags, kind = data[at], data[at + 1]
        if flags & 0x10:
            size, at = struct.unpack_from("!H", data, at + 2)[0], at + 4
        else:
            size, at = data[at + 2], at + 3
        found[kind] = (flags, data[at:at + size])
        at += size
    return found


class Route:
    """What an UPDATE says about a prefix: attributes {type: (flags, bytes)} and the next hop."""

    def __init__(self, attributes, next_hop, wide):
        self.attributes, self.next_hop, self.wide = attributes, next_hop, wide

    def value(self, kind):
        return self.attributes[kind][1] if kind in self.attributes else b""

    @property
    def as_path(self):
        data, at, path = self.value(AS_PATH), 0, []
        size = 4 if self.wide else 2
        while at < len(data):
            count = data[at + 1]
            path += struct.unpack_from(f"!{count}{'I' if self.wide else 'H'}", data, at + 2)
            at += 2 + count * size
        return path

    @property
    def communities(self):
        data = self.value(COMMUNITIES)
        return [f"{a}:{b}" for a, b in struct.iter_unpack("!HH", data)]

    @property
    def large(self):
        return [f"{a}:{b}:{c}" for a, b, c in struct.iter_unpack("!III", self.value(LARGE))]

    @property
    def extended(self):
        return [data.hex() for data, in struct.iter_unpack("!8s", self.value(EXTENDED))]


class Witness:
    """One session with the route server, at `address`. capabilities: [(code, bytes)] instead of the usual ones."""

    def __init__(self, lab, namespace, address, asn, remote, capabilities=None, families=(IPV4, IPV6), hold=90,
                 key=None, add_path=()):
        self.lab, self.namespace, self.address, self.asn, self.remote = lab, namespace, address, asn, remote
        self.families, self.hold, self.key = families, hold, key
        self.capabilities = capabilities
        if capabilities is None:
            self.capabilities = [multiprotocol(f) for f in families] + [(ROUTE_REFRESH, b""), four_octet(asn)]
        self.wide = any(code == FOUR_OCTET_AS for code, _ in self.capabilities)
        self.add_path_receive = set(add_path)  # families in which the route server sends path identifiers
        self.add_path_send = set()
        self.socket = None
        self._clear()

    def _clear(self):
        self.peer_capabilities = {}
        self.messages = []        # (time, type, body) of everything received
        self.routes = {}          # (prefix, path id) -> Route
        self.ends = []            # families whose End-of-RIB came
        self.notification = None  # (code, subcode, data)
        self.established = self.closed = False
        self.lock = threading.Lock()

    # --- Connection -----------------------------------------------------------------------------------------------

    def connect(self, seconds=10):
        """TCP, OPEN and KEEPALIVE both ways."""
        self._clear()
        last = [None]

        def attempt():
            try:
                self.socket = self.lab.socket_in(self.namespace, self._dial)
                return self._open()
            except OSError as error:
                last[0] = error
                return False
        wait_for(seconds, lambda: f"the witness's session: {last[0] or self.notification}", attempt)
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def _dial(self):
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.settimeout(3)
        if self.key:
            self._sign(sock, self.key)
        sock.bind((self.address, 0))
        sock.connect((self.remote, 179))
        return sock

    def _sign(self, sock, key):
        """struct tcp_md5sig: the other side's address, then the key."""
        packed = ipaddress.ip_address(self.remote).packed
        place = (struct.pack("=HH4s", socket.AF_INET, 0, packed) if len(packed) == 4
                 else struct.pack("=HHI16s", socket.AF_INET6, 0, 0, packed))
        sock.setsockopt(socket.IPPROTO_TCP, MD5_OPTION,
                        place.ljust(128, b"\0") + struct.pack("=BBHi80s", 0, 0, len(key), 0, key.encode()))

    def set_key(self, key):
        """A new key for the open connection."""
        self.key = key
        self._sign(self.socket, key)

    def _open(self):
        options = b"".join(bytes([code, len(data)]) + data for code, data in self.capabilities)
        options = bytes([2, len(options)]) + options if options else b""
        identifier = ipaddress.ip_address(self.address).packed[-4:]
        asn = self.asn if self.asn < 65536 else 23456
        self.send(OPEN, struct.pack("!BHH4sB", 4, asn, self.hold, identifier, len(options)) + options)
        self.socket.settimeout(10)
        while not self.established:
            kind, body = self._read()
            if kind == OPEN:
                self._take_open(body)
                self.send(KEEPALIVE, b"")
            elif kind == KEEPALIVE:
                self.established = True
            elif kind == NOTIFICATION:
                self.notification = (body[0], body[1], body[2:])
                return False
            elif kind is None:
                return False
        return True

    def _take_open(self, body):
        options = body[10:]
        at = 0
        while at < len(options):
            kind, size = options[at], options[at + 1]
            value, at = options[at + 2:at + 2 + size], at + 2 + size
            inner = 0
            while kind == 2 and inner < len(value):
                code, length = value[inner], value[inner + 1]
                self.peer_capabilities.setdefault(code, []).append(value[inner + 2:inner + 2 + length])
                inner += 2 + length

    def close(self):
        if self.socket:
            self.socket.close()
        self.closed = True

    # --- Messages -------------------------------------------------------------------------------------------------

    def send(self, kind, body):
        self.socket.sendall(b"\xff" * 16 + struct.pack("!HB", 19 + len(body), kind) + body)

    def _exactly(self, n):
        data = b""
        while len(data) < n:
            more = self.socket.recv(n - len(data))
            if not more:
                return None
            data += more
        return data

    def _read(self):
        head = self._exactly(19)
        if head is None:
            return None, b""
        size, kind = struct.unpack("!HB", head[16:])
        body = self._exactly(size - 19) if size > 19 else b""
        with self.lock:
            self.messages.append((time.monotonic(), kind, body))
        return kind, body

    def _listen(self):
        """The thread of an established session: reads, and keeps it alive."""
        interval, due = (self.hold / 3 if self.hold else 3600), 0.0
        while not self.closed:
            try:
                if time.monotonic() >= due:
                    self.send(KEEPALIVE, b"")
                    due = time.monotonic() + interval
                if not select.select([self.socket], [], [], 0.2)[0]:
                    continue
                kind, body = self._read()
            except (OSError, ValueError):  # the end of the connection, ours or the peer's
                kind = None
            if kind is None:
                break
            if kind == UPDATE:
                with self.lock:
                    self._take_update(body)
            elif kind == NOTIFICATION:
                self.notification = (body[0], body[1], body[2:])
        self.established, self.closed = False, True

    def _take_update(self, body):
        size = struct.unpack_from("!H", body)[0]
        withdrawn, rest = body[2:2 + size], body[2 + size:]
        size = struct.unpack_from("!H", rest)[0]
        attributes, announced = unpack_attributes(rest[2:2 + size]), rest[2 + size:]
        if not withdrawn and not announced and not attributes:
            self.ends.append(IPV4)
        for key in unpack_prefixes(withdrawn, IPV4, IPV4 in self.add_path_receive):
            self.routes.pop(key, None)
        if MP_UNREACH in attributes:
            value = attributes.pop(MP_UNREACH)[1]
            family = struct.unpack_from("!HB", value)
            if len(value) == 3 and not attributes:
                self.ends.append(family)
            for key in unpack_prefixes(value[3:], family, family in self.add_path_receive):
                self.routes.pop(key, None)
        if MP_REACH in attributes:
            value = attributes.pop(MP_REACH)[1]
            family, size = struct.unpack_from("!HB", value), value[3]
            hop = str(ipaddress.ip_address(value[4:4 + min(size, 16)]))
            for key in unpack_prefixes(value[5 + size:], family, family in self.add_path_receive):
                self.routes[key] = Route(attributes, hop, self.wide)
        if announced:
            hop = str(ipaddress.ip_address(attributes[NEXT_HOP][1]))
            for key in unpack_prefixes(announced, IPV4, IPV4 in self.add_path_receive):
                self.routes[key] = Route(attributes, hop, self.wide)

    # --- What cases say -------------------------------------------------------------------------------------------

    def attributes(self, path=None, communities=(), large=(), extended=(), more=None):
        path = [self.asn] if path is None else path
        code = "I" if self.wide else "H"
        found = {ORIGIN: (0x40, b"\0"),
                 AS_PATH: (0x40, bytes([2, len(path)]) + struct.pack(f"!{len(path)}{code}", *path) if path else b"")}
        if communities:
            parts = [part for text in communities for part in map(int, text.split(":"))]
            found[COMMUNITIES] = (0xC0, struct.pack(f"!{len(parts)}H", *parts))
        if large:
            parts = [part for text in large for part in map(int, text.split(":"))]
            found[LARGE] = (0xC0, struct.pack(f"!{len(parts)}I", *parts))
        if extended:
            found[EXTENDED] = (0xC0, b"".join(bytes.fromhex(text) for text in extended))
        found.update(more or {})
        return found

    def announce(self, prefixes, next_hop=None, path_id=None, **about):
        """One UPDATE. IPv4 in the old way, unless the next hop is IPv6; IPv6 in MP_REACH_NLRI."""
        prefixes = [prefixes] if isinstance(prefixes, str) else prefixes
        attributes = self.attributes(**about)
        nlri = b"".join(pack_prefix(p, path_id) for p in prefixes)
        family = IPV6 if ":" in prefixes[0] else IPV4
        if next_hop is None:
            host = self.address.rsplit("." if "." in self.address else ":", 1)[1]
            next_hop = f"fd00:10:0:1::{host}" if family == IPV6 else f"10.0.1.{host}"
        hop = ipaddress.ip_address(next_hop).packed
        if family == IPV4 and len(hop) == 4:
            attributes[NEXT_HOP] = (0x40, hop)
        else:
            reach = struct.pack("!HBB", *family, len(hop)) + hop + b"\0" + nlri
            attributes[MP_REACH] = (0x80, reach)
            nlri = b""
        data = pack_attributes(attributes)
        self.send(UPDATE, struct.pack("!HH", 0, len(data)) + data + nlri)

    def end_of_rib(self, family=IPV4):
        if family == IPV4:
            self.send(UPDATE, b"\0\0\0\0")
        else:
            data = pack_attributes({MP_UNREACH: (0x80, struct.pack("!HB", *family))})
            self.send(UPDATE, struct.pack("!HH", 0, len(data)) + data)

    def refresh(self, family=IPV4, subtype=0):
        self.send(REFRESH, struct.pack("!HBB", family[0], subtype, family[1]))

    # --- What cases ask -------------------------------------------------------------------------------------------

    def route(self, prefix, path_id=None):
        with self.lock:
            return self.routes.get((prefix, path_id))

    def paths(self, prefix):
        with self.lock:
            return [route for (p, _), route in self.routes.items() if p == prefix]

    def wait_route(self, prefix, seconds=15):
        return wait_for(seconds, f"{prefix} at the witness", lambda: self.route(prefix))

    def wait_gone(self, prefix, seconds=15):
        wait_for(seconds, f"{prefix} withdrawn from the witness", lambda: not self.paths(prefix))

    def received(self, kind, since=0.0):
        with self.lock:
            return [body for when, k, body in self.messages if k == kind and when >= since]

    def still_up(self):
        if not self.established or self.closed:
            raise Failed(f"the witness's session is gone: {self.notification}")
