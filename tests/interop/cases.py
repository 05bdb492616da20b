"""The cases: each is a scene with one real daemon, and proves one or more cells of the matrix.

A case is a generator that is given a Scene and yields the name of each feature as soon as it is proven. What raises
before a feature is yielded is why that feature fails. FEATURES has the rows of the matrix in their order.
"""
import json
import re
import signal
import time

from daemon import EXTENDED, IPV4_PREFIXES, LARGE, PLAIN, PLAIN6, STANDARD, Setup
from engine import DAEMON, DAEMON_ASN, SECOND, SECOND_ASN, WITNESS, WITNESS_ASN, Engine
from lab import RS4, RS6, Failed, wait_for
from witness import EXTENDED_MESSAGE, IPV4, Witness, four_octet, multiprotocol

DAEMON4, DAEMON6 = f"10.0.1.{DAEMON}", f"fd00:10:0:1::{DAEMON}"
WITNESS4 = f"10.0.1.{WITNESS}"
SECOND4 = f"10.0.1.{SECOND}"
OURS = "10.0.0.0/22"  # the hub's address space, which the route server announces itself

FEATURES = {}  # name -> (title, RFC)
CASES = []     # (function, features)


def feature(name, title, rfc):
    FEATURES[name] = (title, rfc)


def case(*names):
    def take(function):
        CASES.append((function, names))
        return function
    return take


def expect(condition, what):
    if not condition:
        raise Failed(what)


class Scene:
    """A lab with one engine, one daemon and, where wanted, a witness."""

    def __init__(self, lab, program, daemon_class, names):
        self.lab, self.program, self.daemon_class, self.names = lab, program, daemon_class, names
        self.engine = self.daemon = self.witness = self.second = None

    @property
    def is_a(self):
        return self.daemon_class.name

    def tries(self, name):
        """Is this feature of the case one that the daemon has?"""
        return name in self.names

    def raise_engine(self, keys="", address=DAEMON4, asn=DAEMON_ASN, **more):
        """keys: of the daemon's peer entry. Peers nva1 (the daemon) and nva2 (the witness)."""
        self.lab.add_peer("peer", DAEMON)
        self.lab.add_peer("witness", WITNESS)
        peers = [("nva1", address, asn, keys), ("nva2", WITNESS4, WITNESS_ASN, more.pop("witness_keys", ""))]
        if more.pop("second", False):
            self.lab.add_peer("second", SECOND)
            peers.append(("nva3", SECOND4, SECOND_ASN, ""))
        self.engine = Engine(self.lab, self.program, peers, **more).start()

    def raise_second(self):
        """A third neighbour, nva3: AS 65003 at 10.0.1.6."""
        self.second = Witness(self.lab, "second", SECOND4, SECOND_ASN, RS4).connect()
        return self.second

    def raise_traffic(self):
        """The NICs of vm1 and nva1: taps of the engine, moved to where the machines are. The daemon's host owns 20.0.0.1
        and forwards, whatever its daemon does."""
        lab = self.lab
        lab.add_namespace("vm1")
        for tap, namespace in (("fp-vm1", "vm1"), ("fp-nva1", "peer")):
            lab.ip("rs", f"link set {tap} down")
            lab.ip("rs", f"link set {tap} netns {lab.name}-{namespace} name nic0")
        lab.ip("vm1", "link set nic0 address 02:00:00:00:02:04 up")
        lab.ip("vm1", "address add 10.0.2.4/24 dev nic0")
        lab.ip("vm1", "route add default via 10.0.2.1")
        lab.ip("peer", "link set nic0 address 02:00:00:00:00:14 up")
        lab.ip("peer", "address add 20.0.0.1/32 dev lo")
        lab.ip("peer", "route add 10.0.2.0/24 via 10.0.1.1 dev nic0 onlink src 20.0.0.1")
        for key in ("all", "nic0", "default"):
            lab.run("peer", ["sysctl", "-qw", f"net.ipv4.conf.{key}.rp_filter=0", "net.ipv4.ip_forward=1"])

    def start_pings(self, target, source="vm1"):
        """20 packets a second from there, after the first was answered."""
        wait_for(15, f"an answer from {target}",
                 lambda: " 0% packet loss" in self.lab.run(source, ["ping", "-c", "1", "-W", "1", target], check=False))
        return self.lab.start(source, ["ping", "-i", "0.05", "-W", "1", target], "ping")

    def stop_pings(self, process):
        """How many went unanswered."""
        self.lab.end(process, signal.SIGINT)
        sent, got = re.search(r"(\d+) packets transmitted, (\d+) received", self.lab.read("ping.out")).groups()
        expect(int(sent) > 50, f"only {sent} packets sent")
        # The last one may be on its way when ping is told to end.
        return max(0, int(sent) - int(got) - 1)

    def raise_daemon(self, **setup):
        self.daemon = self.daemon_class(self.lab, Setup(**setup)).start()
        return self.daemon

    def raise_witness(self, **more):
        self.witness = Witness(self.lab, "witness", WITNESS4, WITNESS_ASN, RS4, **more).connect()
        return self.witness

    def up(self):
        self.engine.wait_state("nva1")
        self.daemon.wait_established()


# --- Sessions --------------------------------------------------------------------------------------------------------

feature("session-ipv4", "session over IPv4", "4271")
feature("standard-communities", "standard communities", "1997")
feature("extended-communities", "extended communities", "4360")
feature("large-communities", "large communities", "8092")
feature("as-told", "what it sees is what `advertised` says", "4271")
feature("route-refresh", "route refresh", "2918")
feature("shutdown-from-it", "shutdown communication, from it", "9003")
feature("shutdown-from-us", "shutdown communication, from us", "9003")


def same_as_advertised(scene):
    """Every route of the daemon's view stands in `fingerpost advertised` of the same file, with the same path and next
    hop, and none is missing. The witness's routes are told to the twin as those of a modelled router."""
    fabric = scene.engine.fabric.read_text() + """routers:
  - name: nva2-os
    nic: nva2
    asn: 65002
    originate: [30.0.0.0/24, 30.0.1.0/24, "2600:30::/48"]
    neighbors: [{route_server: rs1}]
  - {name: nva1-os, nic: nva1, asn: 65001, neighbors: [{route_server: rs1}]}
"""
    twin = scene.lab.write("twin.yaml", fabric)
    said = json.loads(scene.lab.run("rs", [scene.program, "advertised", twin, "rs1", "nva1", "--json"]))
    told = {row["network"]: row for row in said["RouteServiceRole_IN_0"]}
    if "ipv6" not in scene.daemon.setup.families:
        told = {prefix: row for prefix, row in told.items() if ":" not in prefix}
    seen = wait_for(10, lambda: f"the prefixes {sorted(told)}: {scene.daemon.prefixes()}",
                    lambda: scene.daemon.prefixes() if set(scene.daemon.prefixes()) == set(told) else None)
    for prefix in seen:
        there = scene.daemon.route(prefix)
        path = [int(asn) for asn in re.findall(r"\d+", told[prefix]["asPath"])]
        expect(there["as_path"] == path, f"{prefix}: AS_PATH {there['as_path']} at the daemon, {path} advertised")
        expect(there["next_hop"] == told[prefix]["nextHop"],
               f"{prefix}: next hop {there['next_hop']} at the daemon, {told[prefix]['nextHop']} advertised")


@case("session-ipv4", "standard-communities", "extended-communities", "large-communities", "as-told", "route-refresh",
      "shutdown-from-us")
def plain(scene):
    """
        daemon 10.0.1.4 AS 65001 ──┐
                                   ├── engine 10.0.0.4 AS 65515
        witness 10.0.1.5 AS 65002 ─┘

    Routes of both kinds go both ways: the daemon's are read on the wire by the witness, the witness's in the daemon.
    """
    scene.raise_engine()
    families = ("ipv4",) if scene.is_a == "OpenBGPD" else ("ipv4", "ipv6")  # its IPv6 next hop would be ::1
    daemon = scene.raise_daemon(families=families)
    scene.up()
    witness = scene.raise_witness()
    route = witness.wait_route(PLAIN)
    expect(route.as_path == [65515, DAEMON_ASN] and route.next_hop == RS4, f"{PLAIN}: {route.as_path} {route.next_hop}")
    if "ipv6" in families:
        expect(witness.wait_route(PLAIN6).next_hop == RS6, f"{PLAIN6}: {witness.route(PLAIN6).next_hop}")
    witness.announce("30.0.0.0/24", communities=["65002:7", "65002:65535"], large=["65002:4294967295:9"],
                     extended=["0002fdea00000007"])
    there = daemon.wait_route("30.0.0.0/24")
    expect(there["as_path"] == [65515, WITNESS_ASN], f"AS_PATH at the daemon: {there['as_path']}")
    expect(daemon.route(OURS)["as_path"] == [65515], "the hub's own address space")
    yield "session-ipv4"

    found = witness.wait_route(STANDARD).communities
    expect(found == ["65001:100", "65001:200"], f"at the witness: {found}")
    expect(there["communities"] == ["65002:7", "65002:65535"], f"at the daemon: {there['communities']}")
    yield "standard-communities"

    found = witness.wait_route(EXTENDED).extended
    expect(found == ["0002fde900000064"], f"at the witness: {found}")
    expect(there["extended"] == ["rt:65002:7"], f"at the daemon: {there['extended']}")
    yield "extended-communities"

    found = witness.wait_route(LARGE).large
    expect(found == ["65001:1:2"], f"at the witness: {found}")
    expect(there["large"] == ["65002:4294967295:9"], f"at the daemon: {there['large']}")
    yield "large-communities"

    witness.announce(["30.0.1.0/24"])
    witness.announce(["2600:30::/48"])
    same_as_advertised(scene)
    yield "as-told"

    if scene.tries("route-refresh"):
        before = scene.engine.session("nva1")["updates_out"]
        daemon.ask_refresh()
        wait_for(15, "all routes sent again", lambda: scene.engine.session("nva1")["updates_out"] > before)
        expect(set(daemon.prefixes()) >= {OURS, "30.0.0.0/24"}, f"after the refresh: {daemon.prefixes()}")
        expect(scene.engine.session("nva1")["established"] == 1, "the session lived through it")
        yield "route-refresh"

    # The witness takes the daemon's part of the other direction: it hears the NOTIFICATION itself.
    scene.engine.stop()
    wait_for(10, "the session's end at the daemon", lambda: not daemon.established())
    expect(witness.notification and witness.notification[:2] == (6, 2), f"Cease/2: {witness.notification}")
    yield "shutdown-from-us"


@case("shutdown-from-it")
def shutdown_from_it(scene):
    """
        daemon ── engine      "maintenance at 22:00", or the words that it always says, must stand in the engine's log
    """
    scene.raise_engine()
    daemon = scene.raise_daemon(families=("ipv4",))
    scene.up()
    said = daemon.shut("maintenance at 22:00")
    scene.engine.says(f'Cease/Administrative Shutdown (6/2): "{said}"')
    yield "shutdown-from-it"


feature("session-ipv6", "session over IPv6", "2545")


@case("session-ipv6")
def over_ipv6(scene):
    """
        daemon fd00:10:0:1::4 ── fd00:10::4 engine      routes of both families on one IPv6 session
    """
    scene.raise_engine(address=DAEMON6)
    families = ("ipv6",) if scene.is_a == "OpenBGPD" else ("ipv4", "ipv6")  # its IPv4 next hop would be 127.0.0.1
    daemon = scene.raise_daemon(local=DAEMON6, neighbor=RS6, families=families)
    scene.up()
    witness = scene.raise_witness()
    expect(witness.wait_route(PLAIN6).as_path == [65515, DAEMON_ASN], "path of the IPv6 route")
    witness.announce("2600:30::/48")
    expect(daemon.wait_route("2600:30::/48")["next_hop"] == RS6, "next hop of the IPv6 route")
    if "ipv4" in families:
        witness.wait_route(PLAIN)
        witness.announce("30.0.0.0/24")
        expect(daemon.wait_route("30.0.0.0/24")["next_hop"] == RS4, "next hop of the IPv4 route")
    yield "session-ipv6"


feature("session-link-local", "session between link-local addresses", "4291")


@case("session-link-local")
def over_link_local(scene):
    """
        daemon fe80::4%eth0 ── fe80::1%br0 engine      next hops stay global
    """
    scene.lab.ip("rs", "-6 address add fe80::1/64 dev br0 nodad")
    scene.raise_engine(address="fe80::4", keys=', transport: {local_addresses: ["fe80::1"], interface: br0}')
    scene.lab.ip("peer", "-6 address add fe80::4/64 dev eth0 nodad")
    scene.lab.ip("peer", "-6 address add fd00:10::104/64 dev eth0 nodad")  # next hops must be on the link for BIRD
    daemon = scene.raise_daemon(local="fe80::4", neighbor="fe80::1", families=("ipv6",))
    scene.up()
    witness = scene.raise_witness()
    witness.wait_route(PLAIN6)
    witness.announce("2600:30::/48")
    expect(daemon.wait_route("2600:30::/48")["next_hop"] == RS6, "next hop of the IPv6 route")
    yield "session-link-local"


feature("active", "we connect, it waits", "4271")
feature("passive", "it connects, we wait", "4271")


def one_way(scene, connect, passive, direction):
    scene.raise_engine(keys=f", transport: {{connect: {connect}}}")
    scene.raise_daemon(passive=passive, families=("ipv4",))
    scene.up()
    scene.engine.says(f"nva1 {DAEMON4} Established: established on the {direction} connection")


@case("active")
def active(scene):
    """
        daemon (passive) <── engine (connect: active)
    """
    one_way(scene, "active", True, "outgoing")
    yield "active"


@case("passive")
def passive(scene):
    """
        daemon ──> engine (connect: passive)
    """
    one_way(scene, "passive", False, "incoming")
    yield "passive"


# --- Keys and distance ------------------------------------------------------------------------------------------------

feature("md5", "TCP MD5, right key", "2385")
feature("md5-wrong", "TCP MD5, wrong key, changed without a restart", "2385")


@case("md5-wrong", "md5")
def md5(scene):
    """
        daemon (key s3cret) ── engine (key other, then s3cret after SIGHUP)
    """
    scene.lab.write("key", "other\n", 0o600)
    scene.raise_engine(keys=", key_file: key")
    scene.raise_daemon(key="s3cret", families=("ipv4",))
    time.sleep(4)
    row = scene.engine.session("nva1")
    expect(row["established"] == 0 and row["state"] != "Established", f"with two keys: {row['state']}")
    scene.lab.write("key", "s3cret\n", 0o600)
    scene.engine.hang_up()
    scene.engine.says("key files read again: 1, keys changed: 1")
    scene.up()
    yield "md5-wrong"
    expect(scene.raise_witness().wait_route(PLAIN).as_path == [65515, DAEMON_ASN], "routes on a signed session")
    yield "md5"


feature("gtsm", "TTL security (GTSM)", "5082")


@case("gtsm")
def gtsm(scene):
    """
        daemon (TTL 255 both ways) ── engine (ttl_security_hops: 1)
        witness: from TTL 64 it must get no session
    """
    scene.raise_engine(keys=", transport: {ttl_security_hops: 1}",
                       witness_keys=", transport: {ttl_security_hops: 1, connect: passive}")
    scene.raise_daemon(ttl_security=True, families=("ipv4",))
    scene.up()
    try:
        scene.raise_witness()
        raise AssertionError("a session came up from TTL 64")
    except Failed:
        scene.engine.says("further away than ttl_security_hops allows")
    yield "gtsm"


# --- Capabilities -----------------------------------------------------------------------------------------------------

feature("two-octet", "peer with 2-octet AS numbers", "6793")


@case("two-octet")
def two_octet(scene):
    """
        daemon (2-octet AS) ── engine ── witness (announces a path over AS 4200000001)
    """
    scene.raise_engine()
    daemon = scene.raise_daemon(two_octet=True, families=("ipv4",))
    scene.up()
    witness = scene.raise_witness()
    expect(witness.wait_route(PLAIN).as_path == [65515, DAEMON_ASN], "its own path")
    witness.announce("30.0.0.0/24", path=[WITNESS_ASN, 4200000001])
    path = daemon.wait_route("30.0.0.0/24")["as_path"]
    # A daemon that speaks 2 octets to us may still merge AS4_PATH (RFC 6793 4.2.3), and shows the real number then.
    expect(path in ([65515, WITNESS_ASN, 23456], [65515, WITNESS_ASN, 4200000001]), f"path at the daemon: {path}")
    yield "two-octet"


feature("extended-message", "extended messages", "8654")


@case("extended-message")
def extended_message(scene):
    """
        witness ── (an UPDATE of 8,100 octets: 2,000 communities) ── engine ── daemon
    """
    scene.raise_engine()
    daemon = scene.raise_daemon(extended_message=True, families=("ipv4",))
    scene.up()
    witness = scene.raise_witness(capabilities=[multiprotocol(IPV4), four_octet(WITNESS_ASN), (EXTENDED_MESSAGE, b"")])
    expect(EXTENDED_MESSAGE in witness.peer_capabilities, "the engine offers it")
    many = [f"65002:{n}" for n in range(2000)]
    witness.announce("30.0.0.0/24", communities=many)
    there = daemon.wait_route("30.0.0.0/24")
    # Some show only the first of so many. The route itself is the proof: no shorter message could carry it.
    expect(there["communities"] and set(there["communities"]) <= set(many), f"at the daemon: {there['communities'][:9]}")
    yield "extended-message"


# --- Failure ----------------------------------------------------------------------------------------------------------

feature("bfd", "BFD, 50 ms x 3", "5880, 5883")


feature("bfd-flapping", "the same, while the link flaps", "5880, 5883")


@case("bfd", "bfd-flapping")
def bfd(scene):
    """
        daemon ──x── engine      the link is cut: BFD must end the session long before the hold time of 30 s
    """
    scene.raise_engine(keys=", bfd: {interval_ms: 50, multiplier: 3, multihop: true}")
    scene.raise_daemon(bfd=True, families=("ipv4",))
    scene.up()
    wait_for(15, lambda: f"BFD up at the engine: {scene.engine.session('nva1')}",
             lambda: scene.engine.session("nva1").get("bfd", {}).get("state") == "Up")
    witness = scene.raise_witness()
    witness.wait_route(PLAIN)
    time.sleep(1)
    expect(scene.engine.session("nva1")["bfd"]["went_down"] == 0, "no failure while nothing failed")
    scene.lab.ip("rs", "link set peer down")
    witness.wait_gone(PLAIN, 10)
    scene.engine.says("BFD")
    scene.lab.ip("rs", "link set peer up")
    scene.engine.wait_state("nva1", seconds=60)
    witness.wait_route(PLAIN)
    yield "bfd"
    for _ in range(8):  # the link flaps faster than a session comes up
        scene.lab.ip("rs", "link set peer down")
        time.sleep(0.25)
        scene.lab.ip("rs", "link set peer up")
        time.sleep(0.4)
    scene.engine.wait_state("nva1", seconds=90)
    wait_for(60, lambda: f"BFD up again: {scene.engine.session('nva1')}",
             lambda: scene.engine.session("nva1").get("bfd", {}).get("state") == "Up")
    witness.wait_route(PLAIN, 30)

    def is_calm():
        """For two seconds: on a busy machine a first try may see a failure that was one."""
        before = scene.engine.session("nva1")["bfd"]["went_down"]
        time.sleep(2)
        after = scene.engine.session("nva1")["bfd"]
        return after["went_down"] == before and after["state"] == "Up"

    wait_for(60, lambda: f"no failure after the flapping: {scene.engine.session('nva1')}", is_calm)
    witness.wait_route(PLAIN, 30)
    expect(witness.route(PLAIN), "the route is there to stay")
    yield "bfd-flapping"


# --- Limits -----------------------------------------------------------------------------------------------------------

feature("max-prefix", "limit of prefixes", "4486")


@case("max-prefix")
def max_prefix(scene):
    """
        daemon (more than 10 prefixes) ── engine (limit 10): Cease / Maximum Number of Prefixes Reached
    """
    scene.raise_engine(keys=", max_prefixes: {limit: 10, action: close}")
    scene.raise_daemon(more=30, families=("ipv4",))
    scene.engine.says("6/1", 30)
    row = scene.engine.session("nva1")
    expect(row["state"] != "Established" and row["learned"] == 0, f"{row['state']}, {row['learned']} learned")
    yield "max-prefix"
