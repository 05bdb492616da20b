#!/usr/bin/env python3
"""capture and trace-packet on a running engine: frames sent on a tap against the file and what is told of them; clients
that die or mean no good. Prints TAP.

test_capture.py FINGERPOST

  raw socket ── fp-vm1 (tap) ── engine ── fp-vm2 (tap)
"""
import array
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile

from live_engine import Skip, enter_namespace, run_cases, wait_for

FINGERPOST = sys.argv[1]
CASES = []
FABRIC = """
fabric: capture-test
engine: {{control_socket: {folder}/sock}}
vnets:
  - name: spoke
    address_space: [10.1.0.0/16]
    subnets: [{{name: vms, prefixes: [10.1.0.0/24]}}]
nics:
  - {{name: vm1, subnet: spoke/vms, addresses: [10.1.0.4], mac: "02:00:00:00:01:04", port: p1}}
  - {{name: vm2, subnet: spoke/vms, addresses: [10.1.0.5], mac: "02:00:00:00:01:05", port: p2}}
ports:
  - {{name: p1, device: net_tap, options: {{iface: fp-vm1}}}}
  - {{name: p2, device: net_tap, options: {{iface: fp-vm2}}}}
"""


class Stage:
    """An engine with two taps, and the socket that is vm1."""

    def __init__(self, folder):
        self.folder = folder
        path = pathlib.Path(folder, "fabric.yaml")
        path.write_text(FABRIC.format(folder=folder))
        self.err = open(pathlib.Path(folder, "engine.err"), "w+")
        self.engine = subprocess.Popen([FINGERPOST, "run", str(path), "--json"], stdout=subprocess.PIPE, stderr=self.err,
                                       text=True)
        wait_for(lambda: "the start: " + self.log(), self._runs, 60)
        for name in ("fp-vm1", "fp-vm2"):  # silent: no address, hence no word of the kernel's own
            pathlib.Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
            subprocess.run(["ip", "link", "set", name, "up"], check=True)
        self.vm1 = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.vm1.bind(("fp-vm1", 0))
        self.gateway = self.ask_gateway()

    def _runs(self):
        assert self.engine.poll() is None, "the engine ended: " + self.log()
        return " running: " in self.log()

    def log(self):
        return pathlib.Path(self.folder, "engine.err").read_text()

    def ask_gateway(self):
        """The MAC that answers ARP for 10.1.0.1."""
        own, any_mac = bytes.fromhex("020000000104"), bytes(6)
        request = (b"\xff" * 6 + own + b"\x08\x06\0\1\x08\0\6\4\0\1" + own + socket.inet_aton("10.1.0.4") + any_mac
                   + socket.inet_aton("10.1.0.1"))
        self.vm1.settimeout(0.2)

        def answer():
            self.vm1.send(request)
            try:
                reply = self.vm1.recv(100)
            except TimeoutError:
                return None
            return reply[6:12] if reply[12:14] == b"\x08\x06" and reply[21] == 2 else None
        return wait_for("the gateway", answer)

    def frame(self, destination, number, source="10.1.0.4", payload=b""):
        """UDP with the number in its ports."""
        udp = struct.pack(">HHHH", 5000, number, 8 + len(payload), 0) + payload
        head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), number, 0, 64, 17, 0, socket.inet_aton(source),
                           socket.inet_aton(destination))
        total = sum(struct.unpack(">10H", head))
        total = (total & 0xffff) + (total >> 16)
        head = head[:10] + struct.pack(">H", ~((total & 0xffff) + (total >> 16)) & 0xffff) + head[12:]
        return self.gateway + bytes.fromhex("020000000104") + b"\x08\0" + head + udp

    def stop(self):
        self.engine.send_signal(signal.SIGTERM)
        out = self.engine.communicate(timeout=60)[0]
        assert self.engine.returncode == 0, (self.engine.returncode, self.log())
        return json.loads(out)

    def close(self):
        if self.engine.poll() is None:
            self.engine.kill()
            self.engine.wait()
        self.vm1.close()
        self.err.close()


STAGES = []  # the one that all cases share: to start an engine takes longer than any of them


def case(function):
    def on_stage():
        if not STAGES:
            enter_namespace()
            if not os.path.exists("/dev/net/tun"):
                raise Skip("no tun module here")
            STAGES.append(Stage(FOLDER))
        function(STAGES[0])
    on_stage.__name__ = function.__name__
    CASES.append(on_stage)
    return function


def begin_all(stage, *wanted):
    """Captures that have begun or were refused, all at once: each (out, arguments...)."""
    begun = stage.log().count(" begins")
    clients = []
    for out, *arguments in wanted:
        path = out if out == "-" else f"{stage.folder}/{out}"
        clients.append(subprocess.Popen([FINGERPOST, "capture", *arguments, "--out", path, "--socket",
                                         f"{stage.folder}/sock", "--json"],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE))

    def ready():
        refused = sum(client.poll() not in (None, 0) for client in clients)
        return stage.log().count(" begins") - begun + refused >= len(clients)
    wait_for("captures that begin", ready)
    return clients


def begin(stage, *arguments, out="capture"):
    return begin_all(stage, (out, *arguments))[0]


def end_all(clients, *numbers):
    """Their documents, after these signals."""
    for number in numbers:
        for client in clients:
            client.send_signal(number)
    documents = []
    for client in clients:
        out, err = client.communicate(timeout=60)
        assert client.returncode == 0, (client.returncode, out[-300:], err[-300:])
        documents.append(json.loads(out))
    return documents


def end(client, *numbers):
    return end_all([client], *numbers)[0]


def packets(data):
    """(flags, comment, bytes) of each packet of a pcapng file that is whole."""
    found, at = [], 0
    while at < len(data):
        kind, length = struct.unpack("<II", data[at:at + 8])
        assert length % 4 == 0 and at + length <= len(data), "a block is cut"
        assert data[at + length - 4:at + length] == data[at + 4:at + 8]
        if kind == 6:
            size, wire = struct.unpack("<II", data[at + 20:at + 28])
            option, options = at + 28 + (size + 3) // 4 * 4, {}
            while option < at + length - 4:
                code, n = struct.unpack("<HH", data[option:option + 4])
                options[code] = data[option + 4:option + 4 + n]
                option += 4 + (n + 3) // 4 * 4
            assert size == wire
            found.append((options[2][0] & 3, options[1].decode(), data[at + 28:at + 28 + size]))
        at += length
    return found


def read(stage, name="capture"):
    """The packets, after libpcap has read as many."""
    path = pathlib.Path(stage.folder, name)
    found = packets(path.read_bytes())
    if shutil.which("tcpdump"):
        done = subprocess.run(["tcpdump", "-nr", str(path)], capture_output=True, text=True, timeout=60, check=True)
        assert len(done.stdout.splitlines()) == len(found), done.stdout
    return found


def pass_on(stage, line, *descriptors):
    """What the engine answers to a line with these."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        client.connect(f"{stage.folder}/sock")
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        client.sendmsg([line], rights)
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := client.recv(65536):
            answer += piece
        return [json.loads(row) for row in answer.splitlines()]


def received(stage):
    return pass_on(stage, b'{"command": "show", "what": "counters"}\n')[0]["answer"]["received"]


def send(stage, *frames):
    before = received(stage)
    for frame in frames:
        stage.vm1.send(frame)
    wait_for("frames", lambda: received(stage) >= before + len(frames))


@case
def the_file_has_what_was_sent_with_what_became_of_it(stage):
    *kept, piped = begin_all(stage, ("capture", "--nic", "vm1", "--direction", "in"),
                             ("out", "--nic", "vm2", "--direction", "out"), ("drops", "--reason", "source-check"),
                             ("-", "--nic", "vm1", "--direction", "drop"))
    frames = [stage.frame("10.1.0.5", number, payload=bytes([number]) * number) for number in range(1, 41)]
    foreign = stage.frame("10.1.0.5", 99, source="10.9.9.9")
    send(stage, *frames, foreign)
    answers = end_all(kept, signal.SIGINT)
    assert [answer["packets"] for answer in answers] == [41, 40, 1], answers
    assert all(answer["missed"] == 0 and answer["ended"] == "stopped" for answer in answers), answers
    found = read(stage)
    assert [data for _, _, data in found] == [*frames, foreign]
    assert {comment for _, comment, _ in found[:40]} == {"nic=vm1 direction=in verdict=forwarded to=vm2"}
    assert found[40][1] == "nic=vm1 direction=in verdict=dropped reason=source-check"
    gone = read(stage, "out")
    assert {(flags, comment) for flags, comment, _ in gone} == {(2, "nic=vm2 direction=out verdict=sent from=vm1")}
    for before, (_, _, after) in zip(frames, gone):
        assert after[:6] == bytes.fromhex("020000000105") and after[22] == 63 and after[26:] == before[26:]
    assert [data for _, _, data in read(stage, "drops")] == [foreign]
    piped.send_signal(signal.SIGINT)
    data, last = piped.communicate(timeout=60)
    assert piped.returncode == 0 and [row[2] for row in packets(data)] == [foreign], last
    assert json.loads(last)["packets"] == 1, last


@case
def ends_at_its_limits(stage):
    done, late = begin_all(stage, ("capture", "--nic", "vm1", "--count", "3", "--direction", "in"),
                           ("late", "--nic", "internet", "--seconds", "1"))
    send(stage, *[stage.frame("10.1.0.5", number) for number in range(5)])
    answer = end(done)
    assert answer["packets"] == 3 and answer["ended"] == "count" and len(read(stage)) == 3, answer
    answer = end(late)
    assert answer["ended"] == "seconds" and not read(stage, "late"), answer


@case
def a_client_that_is_killed_leaves_a_whole_file_and_room_for_others(stage):
    ends = stage.log().count(" ended (stopped)")
    for turn in range(2):  # together more than may run at a time
        names = [f"killed{turn}{number}" for number in range(3)]
        clients = begin_all(stage, *[(name, "--nic", "vm1") for name in names])
        send(stage, stage.frame("10.1.0.5", turn))
        for client in clients:
            client.kill()
            client.communicate()
        ends += len(names)
        wait_for("the ends", lambda: stage.log().count(" ended (stopped)") >= ends)
        assert [len(read(stage, name)) for name in names] == [1] * 3
    running = begin_all(stage, *[(f"many{number}",) for number in range(4)])
    refused = begin(stage, out="fifth")
    assert refused.wait(60) == 2 and b"as many as may" in refused.stderr.read()
    assert not os.path.exists(f"{stage.folder}/fifth")
    end_all(running, signal.SIGTERM)


@case
def what_is_asked_wrongly_is_told_what_there_is(stage):
    os.mkfifo(f"{stage.folder}/fifo")
    asked = [("vm1, vm2, internet", "--nic", "vm3", "--out", "{}"), ("no-route", "--reason", "bad-luck", "--out", "{}"),
             ("both, in, out, drop", "--direction", "up", "--out", "{}"),
             ("then drop", "--direction", "in", "--reason", "no-route", "--out", "{}"),
             ("--out FILE is needed", "--nic", "vm1"), ("number from 1", "--count", "0", "--out", "{}"),
             ("number from 1 to 3600", "--seconds", "3601", "--out", "{}"), ("fifo", "--out", f"{stage.folder}/fifo"),
             ("no regular file", "--out", "/dev/null"), (stage.folder, "--out", stage.folder)]
    clients = []  # all at once; each has a name of its own for the file that it must not leave
    for number, (_, *arguments) in enumerate(asked):
        own = [f"{stage.folder}/wrong{number}" if word == "{}" else word for word in arguments]
        clients.append(subprocess.Popen([FINGERPOST, "capture", *own, "--socket", f"{stage.folder}/sock"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True))
    for (told, *_), client in zip(asked, clients):
        error = client.communicate(timeout=60)[1]
        assert client.returncode == 2 and told in error, (client.returncode, told, error)
    assert not list(pathlib.Path(stage.folder).glob("wrong*"))
    out = f"{stage.folder}/some"
    pathlib.Path(out).write_text("x" * 5000)  # longer than a capture of nothing
    end(begin(stage, out="some"), signal.SIGINT)
    read(stage, "some")


@case
def descriptors_that_are_no_file_to_write_are_refused(stage):
    line = b'{"command": "capture", "nic": "vm1"}\n'
    path = f"{stage.folder}/file"
    file = os.open(path, os.O_CREAT | os.O_RDWR)
    folder = os.open(stage.folder, os.O_RDONLY)
    reading = os.open(path, os.O_RDONLY)
    ends = os.pipe()
    sockets = socket.socketpair()
    before = len(os.listdir(f"/proc/{stage.engine.pid}/fd"))
    for descriptors in ((), (folder,), (reading,), (ends[1],), (sockets[0].fileno(),), (file, file), (file,) * 60):
        answers = pass_on(stage, line, *descriptors)
        assert len(answers) == 1 and set(answers[0]) == {"error"}, (descriptors, answers)
    assert "60 came" in answers[0]["error"], answers
    # What comes with other requests, or with none, is closed again.
    assert "answer" in pass_on(stage, b'{"command": "show", "what": "peers"}\n', file, file)[0]
    assert pass_on(stage, b"half a line", file) == []
    answers = pass_on(stage, line, file)
    assert [set(row) for row in answers] == [{"answer"}] * 2 and answers[1]["answer"]["ended"] == "stopped", answers
    assert packets(pathlib.Path(path).read_bytes()) == []
    wait_for("no descriptor too many", lambda: len(os.listdir(f"/proc/{stage.engine.pid}/fd")) <= before)


def trace(stage, *arguments):
    """A client that traces, or was refused."""
    begun = stage.log().count("trace of")
    client = subprocess.Popen([FINGERPOST, "trace-packet", *arguments, "--socket", f"{stage.folder}/sock"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for("a trace", lambda: client.poll() is not None or stage.log().count("trace of") > begun)
    return client


def told(client, *numbers):
    """The lines of its packets and the last one, after these signals."""
    for number in numbers:
        client.send_signal(number)
    out, err = client.communicate(timeout=60)
    assert client.returncode == 0, (client.returncode, err)
    *rows, last = [json.loads(line) for line in out.splitlines()]
    return rows, last


def steps(row):
    return {step["stage"]: step for step in row["stages"]}


@case
def a_trace_tells_each_stage_and_what_became_of_the_packet(stage):
    before = pass_on(stage, b'{"command": "show", "what": "counters"}\n')[0]["answer"]
    everything = trace(stage, "--nic", "vm1", "--json", "--count", "100")
    drops = trace(stage, "--drops", "--json", "--count", "100")
    one = trace(stage, "--destination", "10.1.0.5", "--proto", "udp", "--dport", "8", "--json", "--count", "1")
    text = trace(stage, "--reason", "source-check", "--count", "1")
    frames = [stage.frame("10.1.0.5", 7), stage.frame("10.1.0.5", 8), stage.frame("10.1.0.5", 9, source="10.9.9.9"),
              stage.frame("10.1.0.77", 10), stage.frame("8.8.8.8", 11)]
    send(stage, *frames)
    rows, last = told(one)
    assert last == {"packets": 1, "missed": 0, "ended": "count"} and rows[0]["packet"]["destination_port"] == 8, rows
    out = text.communicate(timeout=60)[0]
    assert text.returncode == 0 and "(source-check, at admitted)" in out and "1 packets, 0 missed" in out, out
    rows, last = told(everything, signal.SIGINT)
    assert last == {"packets": 5, "missed": 0, "ended": "stopped"}, last
    assert [row["packet"]["destination_port"] for row in rows] == [7, 8, 9, 10, 11], rows
    first = steps(rows[0])
    assert (rows[0]["way"], rows[0]["verdict"], rows[0]["to_nic"]) == ("express", "forwarded", "vm2"), rows[0]
    assert first["received"]["port"] == "p1" and first["transmitted"]["port"] == "p2", first
    assert first["route"]["prefix"] == "10.1.0.0/16" and first["route"]["kind"] == "vnet", first
    assert first["address"]["prefix"] == "10.1.0.5/32" and first["address"]["nic"] == "vm2", first
    assert (first["rewritten"]["ttl_before"], first["rewritten"]["ttl"]) == (64, 63), first
    assert first["transmitted"]["destination_mac"] == "02:00:00:00:01:05", first
    ends = [(row["reason"], row["dropped_at"]) for row in rows[2:]]
    assert ends == [("source-check", "admitted"), ("next-hop-unreachable", "receiver"), ("port-down", "rewritten")], ends
    assert steps(rows[3])["icmp-error"]["type"] == 3, rows[3]
    after = pass_on(stage, b'{"command": "show", "what": "counters"}\n')[0]["answer"]
    for reason, _ in ends:
        assert after["dropped"][reason] == before["dropped"].get(reason, 0) + 1, after
    rows, last = told(drops, signal.SIGTERM)
    assert [row["reason"] for row in rows] == [reason for reason, _ in ends] and last["ended"] == "stopped", rows


@case
def traces_end_with_their_clients_and_are_refused_what_is_wrong(stage):
    ends = stage.log().count("trace of all NICs ended")
    running = [trace(stage) for _ in range(4)]
    refused = trace(stage)
    assert refused.wait(60) == 2 and "4 traces run already" in refused.stderr.read()
    for client in running:
        client.kill()
        client.communicate()
    wait_for("the ends", lambda: stage.log().count("trace of all NICs ended") == ends + 4)
    short = trace(stage, "--seconds", "1", "--json", "--source", "192.0.2.0/24")
    for word, *arguments in (("vm1, vm2, internet", "--nic", "vm3"), ("no-route", "--reason", "bad-luck"),
                             ("beyond its length", "--source", "10.1.0.1/8"), ("one family", "--source", "::/0",
                              "--destination", "0.0.0.0/0"), ("tcp, udp", "--proto", "moon"), ("65535", "--sport", "65536"),
                             ("not a number", "--dport", "dns"), ("from 1 to", "--count", "0"), ("from 1 to 3600",
                              "--seconds", "3601")):
        done = subprocess.run([FINGERPOST, "trace-packet", *arguments, "--socket", f"{stage.folder}/sock"],
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2 and word in done.stderr, (arguments, done)
    for line in (b'{"command": "trace-packet", "drops": 1}\n', b'{"command": "trace-packet", "source": 7}\n',
                 b'{"command": "trace-packet", "protocol": []}\n', b'{"command": "trace-packet", "source_port": "7"}\n'):
        assert set(pass_on(stage, line)[0]) == {"error"}, line
    assert told(short) == ([], {"packets": 0, "missed": 0, "ended": "seconds"})


@case
def an_apply_that_takes_the_nic_away_ends_them(stage):
    fabric, less = pathlib.Path(stage.folder, "fabric.yaml"), pathlib.Path(stage.folder, "less.yaml")
    less.write_text("".join(line for line in fabric.read_text().splitlines(True) if "name: vm2" not in line))
    captured = begin(stage, "--nic", "vm2", out="gone")
    traced, stays = trace(stage, "--nic", "vm2", "--json"), trace(stage, "--nic", "vm1", "--json")
    for path in (less, fabric):
        subprocess.run([FINGERPOST, "apply", str(path), "--socket", f"{stage.folder}/sock"], check=True, capture_output=True)
    assert end(captured)["ended"] == "nic-gone"
    assert told(traced) == ([], {"packets": 0, "missed": 0, "ended": "nic-gone"})
    assert told(stays, signal.SIGINT)[1]["ended"] == "stopped"


@case
def the_engine_ends_them_when_it_stops(stage):
    last = begin(stage, out="last")
    late = trace(stage, "--json", "--nic", "vm2")
    send(stage, stage.frame("10.1.0.5", 7))
    stage.stop()
    assert told(late) == ([], {"packets": 0, "missed": 0, "ended": "stopped"})
    answer = end(last)
    assert answer["ended"] == "stopped" and answer["packets"] == len(read(stage, "last")) >= 2, answer


os.environ.pop("LIVE_TEST_NAMESPACE", None)
with tempfile.TemporaryDirectory() as FOLDER:
    STATUS = run_cases(CASES)
    for left in STAGES:
        left.close()
sys.exit(STATUS)
