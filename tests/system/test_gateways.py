#!/usr/bin/env python3
"""Gateways of the running engine, with BIRD as the routers on-premises in a namespace of its own. Prints TAP.

test_gateways.py FINGERPOST

    engine's namespace                           on-premises
    rs1  10.77.0.4, .5  (lo)
    er1  10.77.3.4, .5  (lo) --- gw0 === cpe0 --- 198.51.100.1, AS 65050: 172.20.0.0/16, 10.50.0.0/16
    vpn1 10.77.3.6, .7  (lo) --- 198.18.0.0/30 -- 198.51.100.2, AS 65080: 192.168.8.0/24, 10.50.0.0/16
"""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

from live_engine import Engine, Peer, Skip, enter_namespace, nlri, run_cases, wait_for

FINGERPOST = sys.argv[1]
CASES = []
GATEWAYS = """    branch_to_branch: true
gateways:
  - {name: er1, type: ExpressRoute, vnet: hub, addresses: [10.77.3.4, 10.77.3.5],
     neighbors: [{address: 198.51.100.1, asn: 65050}, {router: nowhere}]}
  - {name: vpn1, type: Vpn, vnet: hub, addresses: [10.77.3.6, 10.77.3.7], neighbors: [{router: cpe}]}
routers:
  - {name: cpe, asn: 65080, address: 198.51.100.2, neighbors: [{gateway: vpn1}]}
  - {name: nowhere, asn: 65099, neighbors: [{gateway: er1}]}
"""
BIRD = """log "{folder}/bird.log" all;
router id 198.51.100.1;
protocol device {{}}
protocol static er_routes {{ ipv4; route 172.20.0.0/16 blackhole; route 10.50.0.0/16 blackhole; }}
ipv4 table t8;
protocol static vpn_routes {{ ipv4 {{ table t8; }}; route 192.168.8.0/24 blackhole; route 10.50.0.0/16 blackhole; }}
template bgp site_a {{
  local 198.51.100.1 as 65050; multihop; hold time 30; keepalive time 10;
  connect retry time 1; connect delay time 1; error wait time 1, 2;
  ipv4 {{ import all; export where proto = "er_routes"; }};
}}
template bgp site_b {{
  local 198.51.100.2 as 65080; multihop; hold time 30; keepalive time 10;
  connect retry time 1; connect delay time 1; error wait time 1, 2;
  ipv4 {{ table t8; import all; export where proto = "vpn_routes"; }};
}}
protocol bgp er_0 from site_a {{ neighbor 10.77.3.4 as 65515; }}
protocol bgp er_1 from site_a {{ neighbor 10.77.3.5 as 65515; }}
protocol bgp vpn_0 from site_b {{ neighbor 10.77.3.6 as 65515; }}
protocol bgp vpn_1 from site_b {{ neighbor 10.77.3.7 as 65515; }}
"""


def run(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


class OnPremises:
    """A namespace that is there while its process is, and BIRD in it."""

    def __init__(self, folder):
        enter_namespace()
        self.folder = folder
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "600"])
        own = pathlib.Path("/proc/self/ns/net").readlink()
        theirs = pathlib.Path(f"/proc/{self.holder.pid}/ns/net")
        wait_for("a namespace", lambda: theirs.readlink() != own)
        run("ip", "link", "add", "gw0", "type", "veth", "peer", "name", "cpe0", "netns", str(self.holder.pid))
        for address in ("10.77.3.4", "10.77.3.5", "10.77.3.6", "10.77.3.7"):
            subprocess.run(["ip", "address", "add", address + "/32", "dev", "lo"], check=False, capture_output=True)
        run("ip", "address", "add", "198.18.0.1/30", "dev", "gw0")
        run("ip", "link", "set", "gw0", "up")
        run("ip", "route", "add", "198.51.100.0/24", "via", "198.18.0.2")
        for words in (("link", "set", "lo", "up"), ("address", "add", "198.18.0.2/30", "dev", "cpe0"),
                      ("link", "set", "cpe0", "up"), ("route", "add", "10.77.3.0/26", "via", "198.18.0.1"),
                      ("address", "add", "198.51.100.1/32", "dev", "lo"),
                      ("address", "add", "198.51.100.2/32", "dev", "lo"),
                      ("address", "add", "198.51.100.3/32", "dev", "lo")):
            self.run("ip", *words)
        pathlib.Path(folder, "bird.conf").write_text(BIRD.format(folder=folder))
        self.bird = self.start("bird", "-f", "-c", f"{folder}/bird.conf", "-s", f"{folder}/bird.ctl",
                               "-P", f"{folder}/bird.pid")

    def run(self, *words):
        return run("nsenter", "-t", str(self.holder.pid), "-n", *words)

    def start(self, *words):
        return subprocess.Popen(["nsenter", "-t", str(self.holder.pid), "-n", *words],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ask(self, *words):
        return subprocess.run(["birdc", "-s", f"{self.folder}/bird.ctl", *words], capture_output=True, text=True,
                              check=False).stdout

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in (self.bird, self.holder):
            process.kill()
            process.wait()
        subprocess.run(["ip", "link", "delete", "gw0"], check=False, capture_output=True)


def case(function):
    def in_folder():
        if not shutil.which("bird") or not shutil.which("nsenter"):
            raise Skip("needs bird and nsenter")
        with tempfile.TemporaryDirectory() as folder, OnPremises(folder) as site:
            function(folder, site)
    in_folder.__name__ = function.__name__
    CASES.append(in_folder)
    return function


def start(folder):
    return Engine(FINGERPOST, folder, engine=f"control_socket: {folder}/sock", more=GATEWAYS)


def ask(folder, *arguments):
    done = subprocess.run([FINGERPOST, *arguments, "--socket", f"{folder}/sock", "--json"], capture_output=True,
                          text=True, timeout=60, check=False)
    assert done.returncode == 0, (arguments, done.returncode, done.stdout[-500:], done.stderr[-500:])
    return json.loads(done.stdout)


def gateway_sessions(folder):
    return {(row["gateway"], row["instance"], row["peer"]): row["state"] for row in ask(folder, "show", "peers")["sessions"]
            if "gateway" in row}


def next_hops(folder, prefix, nic="nva2"):
    """Of the Active rows to prefix."""
    return sorted(address for row in ask(folder, "show", "routes", nic)["value"]
                  if row["addressPrefix"] == [prefix] and row["state"] == "Active" for address in row["nextHopIpAddress"])


def networks(folder, what, instance):
    """Of er1's session with the site."""
    rows = ask(folder, "show", what, "er1", "198.51.100.1").get(f"RouteServiceRole_IN_{instance}", [])
    return [row["network"] for row in rows]


ALL = {("er1", 0, "198.51.100.1"): "Established", ("er1", 1, "198.51.100.1"): "Established",
       ("vpn1", 0, "cpe"): "Established", ("vpn1", 1, "cpe"): "Established"}
ER, VPN = ["10.77.3.4", "10.77.3.5"], ["10.77.3.6", "10.77.3.7"]


@case
def gateways_have_sessions_with_routers_on_premises(folder, site):
    with start(folder) as engine:
        assert "router 'nowhere' has no address" in engine.log(), engine.log()
        wait_for(lambda: f"sessions: {gateway_sessions(folder)}", lambda: gateway_sessions(folder) == ALL, 60)
        wait_for("routes by ExpressRoute", lambda: next_hops(folder, "172.20.0.0/16") == ER)
        wait_for("routes by VPN", lambda: next_hops(folder, "192.168.8.0/24") == VPN)
        wait_for("ExpressRoute is preferred", lambda: next_hops(folder, "10.50.0.0/16") == ER)
        nva = Peer(4)
        nva.announce(nlri(1))

        def told():
            return site.ask("show", "route", "20.0.1.0/24", "protocol", "er_0", "all")
        wait_for(lambda: "the NVA's route at the site: " + told(), lambda: "65515 65001" in told())
        wait_for("the hub at the other instance's session", lambda: "BGP.as_path: 65515\n" in
                 site.ask("show", "route", "10.77.0.0/16", "protocol", "er_1", "all"))
        # What one gateway has learned gets to the other's branches.
        wait_for("transit", lambda: "65515 65050" in site.ask("show", "route", "172.20.0.0/16", "table", "t8", "all"))
        wait_for("what er1/1 learned", lambda: networks(folder, "learned", 1) == ["10.50.0.0/16", "172.20.0.0/16"])
        wait_for("what er1/0 advertises", lambda: {"10.77.0.0/16", "20.0.1.0/24", "192.168.8.0/24"} <=
                 set(networks(folder, "advertised", 0)))


@case
def traffic_goes_by_vpn_while_the_circuit_is_down(folder, site):
    with start(folder):
        wait_for("sessions", lambda: gateway_sessions(folder) == ALL, 60)
        wait_for("routes", lambda: next_hops(folder, "10.50.0.0/16") == ER)
        wait_for("routes of both instances", lambda: all(len(networks(folder, "learned", i)) == 2 for i in (0, 1)))
        # Instances of a gateway share what they have learned.
        site.ask("disable", "er_0")
        wait_for("the end of a session", lambda: gateway_sessions(folder)["er1", 0, "198.51.100.1"] != "Established")
        assert next_hops(folder, "10.50.0.0/16") == ER
        site.ask("disable", "er_1")
        wait_for("VPN", lambda: next_hops(folder, "10.50.0.0/16") == VPN)
        assert next_hops(folder, "172.20.0.0/16") == []
        site.ask("enable", "er_0")
        site.ask("enable", "er_1")
        wait_for("ExpressRoute again", lambda: next_hops(folder, "10.50.0.0/16") == ER, 60)


PORTS = """    port: p-er1
    kernel_table: 1001
ports:
  - {name: p-er1, device: net_tap, options: {iface: fp-er1}}
"""
SPOKE = """  - {name: spoke, region: uksouth, address_space: [10.78.0.0/16], subnets: [{name: vms, prefixes: [10.78.0.0/24]}]}
peerings: [{vnets: [hub, spoke], hub: {allow_gateway_transit: true}, spoke: {use_remote_gateways: true}}]
nics:
"""


def kernel_routes():
    return sorted(row["dst"] + " via " + row["gateway"] for row in
                  json.loads(run("ip", "-j", "route", "show", "table", "1001") or "[]"))


@case
def the_kernel_end_of_a_port_is_set_up_and_follows_the_fabric(folder, _site):
    if not pathlib.Path("/dev/net/tun").exists():
        raise Skip("no tun module here")
    for address in ("10.77.3.4", "10.77.3.5"):
        run("ip", "address", "del", address + "/32", "dev", "lo")
    more = """gateways:
  - name: er1
    type: ExpressRoute
    vnet: hub
    addresses: [10.77.3.4, 10.77.3.5]
    neighbors: [{address: 198.51.100.1, asn: 65050}]
""" + PORTS
    with Engine(FINGERPOST, folder, engine=f"control_socket: {folder}/sock", more=more) as engine:
        link = json.loads(run("ip", "-j", "address", "show", "dev", "fp-er1"))[0]
        local = {row["local"] for row in link["addr_info"] if row["family"] == "inet"}
        assert "UP" in link["flags"] and local == {"10.77.3.4", "10.77.3.5"}, link
        rules = run("ip", "rule")
        for rule in ("from 10.77.3.4 lookup 1001", "from 10.77.3.5 lookup 1001", "iif fp-er1 lookup 1001"):
            assert rule in rules, rules
        assert kernel_routes() == ["10.77.0.0/16 via 10.77.3.1"], kernel_routes()
        # Both instances are reached from within the fabric by the one NIC.
        flow = ask(folder, "show", "flow", "nva1", "10.77.3.5")
        assert (flow["verdict"], flow["to_nic"]) == ("forwarded", "er1/0"), flow
        text = pathlib.Path(engine.fabric).read_text()
        other = pathlib.Path(folder, "other.yaml")
        other.write_text(text.replace("nics:\n", SPOKE, 1))
        ask(folder, "apply", str(other))
        assert kernel_routes() == ["10.77.0.0/16 via 10.77.3.1", "10.78.0.0/16 via 10.77.3.1"], kernel_routes()
        ask(folder, "apply", engine.fabric)
        assert kernel_routes() == ["10.77.0.0/16 via 10.77.3.1"], kernel_routes()
        engine.stop()
    assert "lookup 1001" not in run("ip", "rule"), run("ip", "rule")


@case
def strangers_are_refused_and_a_stop_is_told(folder, site):
    with start(folder) as engine:
        wait_for("sessions", lambda: gateway_sessions(folder) == ALL, 60)
        code = "import socket; s = socket.create_connection(('10.77.3.4', 179), 10, ('198.51.100.3', 0)); "\
               "s.settimeout(10); assert not s.recv(1)"
        site.run(sys.executable, "-c", code)
        engine.says("er1/0 refused a connection from 198.51.100.3")
        report = engine.stop()
        assert sum(row.get("gateway") == "er1" and row["state"] == "Established" for row in report["sessions"]) == 2
        log = pathlib.Path(folder, "bird.log")
        wait_for(lambda: "a Cease: " + log.read_text(), lambda: "er_0: Received: Administrative shutdown" in log.read_text())


run_cases(CASES)
