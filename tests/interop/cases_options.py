"""Cases of what two ends agree on beyond the basics: several paths, IPv6 next hops, roles. See cases.py."""
import struct
import time

from cases import DAEMON6, DAEMON_ASN, OURS, RS4, RS6, SECOND_ASN, WITNESS_ASN, case, expect, feature, wait_for
from daemon import IPV4_PREFIXES
from witness import ONLY_TO_CUSTOMER


# --- Several paths ------------------------------------------------------------------------------------------------------

feature("add-path-to-it", "several paths of a prefix, to it", "7911")
feature("add-path-from-it", "several paths of a prefix, from it", "7911")


@case("add-path-to-it")
def add_path_to_it(scene):
    """
        witness AS 65002 ── 30.0.0.0/24 ──┐
                                          ├── engine ── daemon: must see both paths
        second  AS 65003 ── 30.0.0.0/24 ──┘
    """
    scene.raise_engine(keys=", bgp: {add_path: send, send_max: 4, transparent: true}", second=True)
    daemon = scene.raise_daemon(add_path="receive", families=("ipv4",))
    scene.up()
    witness = scene.raise_witness()
    second = scene.raise_second()
    witness.announce("30.0.0.0/24")
    second.announce("30.0.0.0/24")
    wanted = {WITNESS_ASN, SECOND_ASN}

    def origins():
        return {path["as_path"][-1] for path in daemon.route("30.0.0.0/24", all_paths=True) or []}
    wait_for(20, lambda: f"both paths at the daemon: {origins()}", lambda: origins() == wanted)
    second.close()
    wait_for(20, lambda: f"one path withdrawn: {origins()}", lambda: origins() == {WITNESS_ASN})
    yield "add-path-to-it"


@case("add-path-from-it")
def add_path_from_it(scene):
    """
        daemon ── path identifiers on every prefix ── engine ── witness (takes none)
    """
    scene.raise_engine(keys=", bgp: {add_path: receive}")
    scene.raise_daemon(add_path="send", families=("ipv4",))
    scene.up()
    witness = scene.raise_witness()
    for prefix in IPV4_PREFIXES:
        expect(witness.wait_route(prefix).as_path == [65515, DAEMON_ASN], f"{prefix}: path")
    expect(any("add-path receive" in word for word in scene.engine.capabilities("nva1")), "agreed on")
    yield "add-path-from-it"


# --- Next hops and roles --------------------------------------------------------------------------------------------------

feature("ipv4-over-ipv6", "IPv4 routes with IPv6 next hop", "8950")


@case("ipv4-over-ipv6")
def ipv4_over_ipv6(scene):
    """
        daemon fd00:10:0:1::4 ── 20.0.0.0/24 by way of fd00:10:0:1::4 ── fd00:10::4 engine
    """
    scene.raise_engine(address=DAEMON6, keys=", bgp: {extended_next_hop: true}")
    scene.raise_daemon(local=DAEMON6, neighbor=RS6, extended_next_hop=True, families=("ipv4", "ipv6"))
    scene.up()
    witness = scene.raise_witness()
    for prefix in IPV4_PREFIXES:
        expect(witness.wait_route(prefix).next_hop == RS4, f"{prefix}: next hop at the witness")
    expect(any("next-hop" in word for word in scene.engine.capabilities("nva1")), "agreed on")
    yield "ipv4-over-ipv6"


feature("role", "roles that match", "9234")
feature("role-mismatch", "roles that do not match", "9234")


@case("role")
def role(scene):
    """
        daemon (rs-client) ── engine (rs)
    """
    scene.raise_engine(keys=", bgp: {role: rs}")
    daemon = scene.raise_daemon(role="rs-client", families=("ipv4",))
    scene.up()
    daemon.wait_route(OURS)
    expect(any("role" in word for word in scene.engine.capabilities("nva1")), "agreed on")
    yield "role"


@case("role-mismatch")
def role_mismatch(scene):
    """
        daemon (provider) ── engine (rs): OPEN Message Error / Role Mismatch
    """
    scene.raise_engine(keys=", bgp: {role: rs}")
    scene.raise_daemon(role="provider", families=("ipv4",))
    scene.engine.says("2/11")
    expect(scene.engine.session("nva1")["established"] == 0, "no session")
    yield "role-mismatch"


feature("otc-from-it", "Only to Customer on what it sends", "9234")
feature("otc-to-it", "no route with Only to Customer goes up to it", "9234")


@case("otc-from-it", "otc-to-it")
def otc(scene):
    """
        daemon (provider) ── 20.0.0.0/24, OTC 65001 ── engine (customer) ── witness (no role)
                          ──x── 30.0.0.0/24, OTC 65002 ──────────────────────
    """
    scene.raise_engine(keys=", bgp: {role: customer}")
    daemon = scene.raise_daemon(role="provider", families=("ipv4",))
    scene.up()
    witness = scene.raise_witness()
    for prefix in IPV4_PREFIXES:
        expect(witness.wait_route(prefix).value(ONLY_TO_CUSTOMER) == struct.pack("!I", DAEMON_ASN), f"{prefix}: OTC")
    yield "otc-from-it"
    witness.announce("30.0.0.0/24", more={ONLY_TO_CUSTOMER: (0xC0, struct.pack("!I", WITNESS_ASN))})
    witness.announce("30.0.1.0/24")
    daemon.wait_route("30.0.1.0/24")
    time.sleep(0.5)
    expect(daemon.route("30.0.0.0/24") is None, "what is for customers only does not reach a provider")
    yield "otc-to-it"
