"""A BMP station: reads what a monitored router sends, by the figures of RFC 7854."""
import ipaddress
import json
import socket
import struct

ROUTES, STATISTICS, PEER_DOWN, PEER_UP, INITIATION, TERMINATION = range(6)
PRE, POST, OUT = 0, 0x40, 0x50


class Station:
    """Listens; tables are {(distinguisher, peer, flags): {prefix: (med, next hop)}}, "loc" for the Loc-RIB."""

    def __init__(self, port=0, receive_buffer=None):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if receive_buffer:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen()
        self.port = self.listener.getsockname()[1]
        self.socket = None

    def accept(self, seconds=60):
        self.listener.settimeout(seconds)
        self.socket = self.listener.accept()[0]
        self.held = b""
        self.counts = [0] * 6
        self.tables, self.peers, self.ends, self.downs, self.ups = {}, {}, set(), {}, []
        self.name, self.statistics, self.closed = None, {}, False
        return self

    def reset(self):
        """Closes as a process that dies with unread data does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.listener.close()
        if self.socket:
            self.socket.close()

    def read(self, seconds=0.05):
        """What has come by now."""
        self.socket.settimeout(seconds)
        try:
            data = self.socket.recv(1 << 18)
            self.closed = not data
        except TimeoutError:
            data = b""
        except ConnectionResetError:
            data, self.closed = b"", True
        self.held += data
        while len(self.held) >= 6:
            version, size, kind = struct.unpack(">BIB", self.held[:6])
            assert version == 3 and 6 <= size < 70000, self.held[:64].hex()
            if len(self.held) < size:
                break
            message, self.held = self.held[6:size], self.held[size:]
            self.take(kind, message)
        return len(data)

    def until(self, condition, what="", seconds=60):
        import time
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline and not self.closed, (what, self.closed, self.counts, self.peers)
            self.read()

    def take(self, kind, message):
        self.counts[kind] += 1
        if kind == INITIATION:
            self.name = dict(self.tlvs(message))
        elif kind == TERMINATION:
            self.name["end"] = dict(self.tlvs(message))
        else:
            self.take_peer(kind, message)

    @staticmethod
    def tlvs(data):
        while data:
            kind, size = struct.unpack(">HH", data[:4])
            yield kind, data[4:4 + size]
            data = data[4 + size:]

    def take_peer(self, kind, message):
        peer_type, flags, distinguisher, address, asn, _, seconds, _ = struct.unpack(">BBQ16sIIII", message[:42])
        name = "loc" if peer_type == 3 else str(ipaddress.ip_address(address if flags & 0x80 else address[12:]))
        key, body = (distinguisher, name), message[42:]
        if kind == PEER_UP:
            assert key not in self.peers, (key, "is up already")
            local, local_port, remote_port = struct.unpack(">16sHH", body[:20])
            first = struct.unpack(">H", body[36:38])[0]
            second = struct.unpack(">H", body[20 + first + 16:20 + first + 18])[0]
            assert body[38] == 1 and body[20 + first + 18] == 1, "OPENs"
            self.peers[key] = {"asn": asn, "local": str(ipaddress.ip_address(local[12:])), "ports": (local_port, remote_port),
                               "texts": dict(self.tlvs(body[20 + first + second:])), "type": peer_type, "time": seconds}
            self.ups.append(key)
        elif kind == PEER_DOWN:
            del self.peers[key]
            self.downs[key] = (body[0], body[1:])
            for table in [table for table in self.tables if table[:2] == key]:
                del self.tables[table]
        elif kind == STATISTICS:
            assert key in self.peers
            self.statistics[key] = {k: int.from_bytes(v[-8:], "big") for k, v in self.tlvs(body[4:])}
        else:
            assert key in self.peers, (key, "is not up")
            self.take_update(key + (flags & 0x7f,), body)

    def take_update(self, key, message):
        assert message[18] == 2 and struct.unpack(">H", message[16:18])[0] == len(message)
        withdrawn = struct.unpack(">H", message[19:21])[0]
        length = struct.unpack(">H", message[21 + withdrawn:23 + withdrawn])[0]
        attributes = message[23 + withdrawn:23 + withdrawn + length]
        routes = self.tables.setdefault(key, {})
        if len(message) == 23 or (len(message) == 29 and attributes[1] == 15):
            self.ends.add(key + (1 if len(message) == 23 else 2,))
        for prefix in self.prefixes(message[21:21 + withdrawn]):
            del routes[prefix]
        found = dict(self.attributes(attributes))
        for prefix in self.prefixes(message[23 + withdrawn + length:]):
            med = struct.unpack(">I", found[4])[0] if 4 in found else None
            routes[prefix] = (med, socket.inet_ntoa(found[3]))

    @staticmethod
    def prefixes(data):
        while data:
            size = (data[0] + 7) // 8
            yield f"{ipaddress.ip_address(data[1:1 + size] + bytes(4 - size))}/{data[0]}"
            data = data[1 + size:]

    @staticmethod
    def attributes(data):
        while data:
            wide = data[0] & 0x10
            size = struct.unpack(">H", data[2:4])[0] if wide else data[2]
            start = 4 if wide else 3
            yield data[1], data[start:start + size]
            data = data[start + size:]


def json_rows(path):
    """Whole lines of a file that another program is writing."""
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file.read().split("\n")[:-1] if line]
