#!/usr/bin/env python3
"""Metrics of the running engine by HTTP, read by a parser that allows nothing beyond the format. Prints TAP.

test_metrics.py FINGERPOST SOURCES
"""
import http.client
import json
import math
import pathlib
import re
import socket
import subprocess
import sys
import time

from live_engine import Engine, Peer, in_folder, nlri, run_cases, wait_for

FINGERPOST, SOURCES = sys.argv[1:3]
ADDRESS = ("127.0.0.1", 9460)
LISTEN = 'metrics_listen: "127.0.0.1:9460"'
NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
SUFFIXES = {"summary": ("_sum", "_count"), "counter": ("",), "gauge": ("",)}
CASES = []
case = in_folder(CASES)


# --- The format -------------------------------------------------------------------------------------

def read_value(line, at):
    """A label's value behind its first quote: the text, and where its last quote stands."""
    text = ""
    while line[at] != '"':
        if line[at] == "\\":
            text += {"\\": "\\", '"': '"', "n": "\n"}[line[at + 1]]
            at += 2
        else:
            text += line[at]
            at += 1
    return text, at


def read_labels(line, at):
    """What stands in braces: the labels, and where it ends."""
    labels = {}
    while line[at] != "}":
        name = LABEL.match(line, at).group()
        assert not name.startswith("__") and name not in labels, line
        at += len(name)
        assert line[at:at + 2] == '="', line
        labels[name], at = read_value(line, at + 2)
        at += 1
        assert line[at] in ",}" and line[at:at + 2] != ",}", line
        at += line[at] == ","
    return labels, at + 1


def read_sample(line):
    name = NAME.match(line).group()
    at = len(name)
    labels = {}
    if line[at] == "{":
        labels, at = read_labels(line, at + 1)
        assert labels, line
    assert line[at] == " " and " " not in line[at + 1:], line
    value = float(line[at + 1:])
    assert math.isfinite(value), line
    return name, labels, value


def parse(text):
    """{name: {labels: value}}; each family once, with HELP and TYPE before its samples, no series twice."""
    assert text.endswith("\n") and "\r" not in text and "\t" not in text
    families, samples, family, helped = {}, {}, None, None
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            helped, words = line[7:].split(" ", 1)
            assert NAME.fullmatch(helped) and helped not in families and words.endswith("."), line
        elif line.startswith("# TYPE "):
            family, kind = line[7:].split(" ")
            assert family == helped and kind in SUFFIXES, line
            assert family.startswith("fingerpost_") and family.endswith("_total") == (kind == "counter"), line
            families[family] = kind
        else:
            name, labels, value = read_sample(line)
            assert name in [family + suffix for suffix in SUFFIXES[families[family]]], line
            assert value >= 0, line
            series = samples.setdefault(name, {})
            key = tuple(sorted(labels.items()))
            assert key not in series, "told twice: " + line
            series[key] = value
    return families, samples


def get(method="GET", path="/metrics", client=None, **more):
    client = client or http.client.HTTPConnection(*ADDRESS, timeout=60)
    client.request(method, path, **more)
    answer = client.getresponse()
    return answer, answer.read()


def scrape():
    answer, body = get()
    assert answer.status == 200 and answer.getheader("Content-Type").startswith("text/plain; version=0.0.4"), \
        answer.getheaders()
    return parse(body.decode("utf-8", "strict"))


def value(samples, metric, **labels):
    found = [number for key, number in samples[metric].items() if labels.items() <= dict(key).items()]
    assert len(found) == 1, (metric, labels, samples[metric])
    return found[0]


# --- Cases ------------------------------------------------------------------------------------------

PORTS = """ports:
  - {name: p-vm, device: net_tap, options: {iface: 'm"\\é{}'}}
load_balancers:
  - {name: lb1, subnet: hub/nva, frontend: 10.77.1.100, backends: [nva1], probe: {protocol: Tcp, port: 179}}
"""
VM = "  - {name: vm, subnet: hub/nva, addresses: [10.77.1.9], port: p-vm}\n"


@case
def every_number_is_that_of_the_report_and_every_name_is_documented(folder):
    with Engine(FINGERPOST, folder, engine=f"{LISTEN}, events: {{}}", keys=", bfd: {interval_ms: 300}", nics=VM,
                more=PORTS) as engine:
        peer = Peer(4)
        peer.announce(nlri(1), nlri(2))
        wait_for("routes", lambda: value(scrape()[1], "fingerpost_session_learned_prefixes", peer="nva1",
                                         instance="0") == 2)
        wait_for("a group beside the load balancer's",
                 lambda: len(scrape()[1]["fingerpost_group_member_up"]) == 2)
        families, samples = scrape()
        report = engine.status()
        for row in report["sessions"]:
            labels = {"route_server": "rs1", "instance": str(row["instance"]), "peer": row["peer"],
                      "address": row["address"]}
            assert value(samples, "fingerpost_session_up", **labels) == (row["state"] == "Established"), row
            assert value(samples, "fingerpost_session_state", state=row["state"], **labels) == 1, row
            assert value(samples, "fingerpost_session_learned_prefixes", **labels) == row["learned"], row
        assert sum(samples["fingerpost_session_state"].values()) == len(report["sessions"]) == 4
        assert value(samples, "fingerpost_session_messages_in_total", peer="nva1", instance="0", type="open") == 1
        assert value(samples, "fingerpost_routes") == report["programmed"]["routes"]
        assert value(samples, "fingerpost_fib_bytes", use="lookup") > 0
        assert value(samples, "fingerpost_control_late_seconds_count") > 0
        assert 0 < report["late_ms_most"] and value(samples, "fingerpost_control_late_most_seconds") > 0
        assert {dict(key)["nic"] for key in samples["fingerpost_nic_received_packets_total"]} == \
            {"nva1", "nva2", "vm", "(none)"} == {row["nic"] or "(none)" for row in report["nics"]}
        assert list(samples["fingerpost_group_member_up"].values()) == [1, 1], samples["fingerpost_group_member_up"]
        assert value(samples, "fingerpost_backend_up", load_balancer="lb1", nic="nva1") == 1
        assert value(samples, "fingerpost_build_info", version="0.1.0", fabric="live-test") == 1
        assert value(samples, "fingerpost_port_info", port="p-vm", device="net_tap",
                     options='iface=m"\\é{}') == 1, samples["fingerpost_port_info"]
        assert value(samples, "fingerpost_port_link_up", port="p-vm") in (0, 1)
        total = sum(samples["fingerpost_dropped_packets_total"].values())
        assert len(samples["fingerpost_dropped_packets_total"]) > 25
        assert value(samples, "fingerpost_received_packets_total") == total + sum(
            value(samples, f"fingerpost_{way}_packets_total") for way in ("forwarded", "answered"))
        engine.stop()
    words = pathlib.Path(SOURCES, "docs", "live.md").read_text()
    documented = set(re.findall(r"`(fingerpost_[a-z_]+)`", words))
    assert documented == set(families), documented ^ set(families)


@case
def other_requests_are_refused_and_connections_can_be_kept(folder):
    with Engine(FINGERPOST, folder, engine=LISTEN) as engine:
        client = http.client.HTTPConnection(*ADDRESS, timeout=60)
        assert get("HEAD")[1] == b""
        assert get(client=client)[1] and get("GET", "/", client=client)[0].status == 200
        assert client.sock is not None, "the connection was kept"
        assert get("GET", "/../etc/passwd")[0].status == 404
        answer, _ = get("POST", body="x" * 100)
        assert answer.status == 405 and answer.getheader("Allow") == "GET, HEAD"
        assert get("GET", "/" + "x" * 40000)[0].status in (400, 414, 431)
        assert get(headers={"X": "y" * 40000})[0].status in (400, 413, 431)
        for nonsense in (b"GET\r\n\r\n", b"GET /metrics HTTP/9.9\r\n\r\n", b"\r\n" * 1000):
            with socket.create_connection(ADDRESS) as bad:
                bad.sendall(nonsense)
                bad.shutdown(socket.SHUT_WR)
                bad.settimeout(60)
                try:
                    while bad.recv(65536):
                        pass
                except ConnectionResetError:
                    pass
        other = subprocess.run([FINGERPOST, "run", engine.fabric], capture_output=True, text=True, timeout=60,
                               check=False)
        assert other.returncode == 2 and other.stderr.count("\n") == 1, other
        assert "live.yaml:3: engine.metrics_listen: 127.0.0.1:9460: the port is taken" in other.stderr, other.stderr
        scrape()
        engine.stop()


def ask_and_not_read():
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(ADDRESS)
    client.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
    return client


@case
def who_does_not_read_holds_up_nobody(folder):
    vms = "".join(f"  - {{name: vm{i}, subnet: hub/nva, addresses: [10.77.1.{i}]}}\n" for i in range(10, 250))
    with Engine(FINGERPOST, folder, engine=f"{LISTEN}, control_socket: {folder}/sock",
                nics=vms) as engine:
        peer = Peer(4)
        hungry = [ask_and_not_read() for _ in range(5)]  # of 8 places
        with socket.create_connection(ADDRESS) as slow:
            slow.sendall(b"GET /metr")
            samples = scrape()[1]
            assert len(samples["fingerpost_nic_received_packets_total"]) == 243, "more than one piece"
            peer.announce(nlri(1))
            show = [FINGERPOST, "show", "peers", "--socket", f"{folder}/sock", "--json"]
            wait_for("the route", lambda: any(row["learned"] for row in json.loads(subprocess.run(
                show, capture_output=True, check=True, timeout=60).stdout)["sessions"]))
        # What one gets in the end is the whole of it, each piece made as it was taken.
        hungry.append(ask_and_not_read())
        time.sleep(1)
        hungry[-1].settimeout(60)
        body = b""
        while not body.endswith(b"\r\n0\r\n\r\n"):
            piece = hungry[-1].recv(65536)
            assert piece, "an end without the last chunk"
            body += piece
        text, rest = b"", body.split(b"\r\n\r\n", 1)[1]
        while not rest.startswith(b"0\r\n"):
            size, rest = rest.split(b"\r\n", 1)
            text, rest = text + rest[:int(size, 16)], rest[int(size, 16) + 2:]
        assert parse(text.decode())[0] == scrape()[0]
        for client in hungry:
            client.close()
        scrape()
        engine.stop()


if __name__ == "__main__":
    sys.exit(run_cases(CASES))
