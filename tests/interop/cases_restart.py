"""Cases of what is said again, and of restarts. See cases.py."""
import signal
import struct
import time

from cases import OURS, PLAIN, WITNESS_ASN, case, expect, feature, wait_for
from daemon import IPV4_PREFIXES
from witness import (ENHANCED_REFRESH, GRACEFUL_RESTART, IPV4, LONG_LIVED, REFRESH, ROUTE_REFRESH, UPDATE, four_octet,
                     multiprotocol)


# --- Refresh and restart --------------------------------------------------------------------------------------------------

feature("enhanced-refresh", "enhanced route refresh", "7313")


@case("enhanced-refresh")
def enhanced_refresh(scene):
    """
        daemon ── asks for everything again ── engine: answers between BoRR and EoRR
    """
    scene.raise_engine()
    daemon = scene.raise_daemon(enhanced_refresh=True, families=("ipv4",))
    scene.up()
    expect(any("enhanced" in word for word in scene.engine.capabilities("nva1")), "agreed on")
    before = scene.engine.session("nva1")["updates_out"]
    daemon.ask_refresh()
    wait_for(15, "all routes sent again", lambda: scene.engine.session("nva1")["updates_out"] > before)
    time.sleep(1)
    expect(OURS in daemon.prefixes(), "what was sent between the two stays")
    expect(scene.engine.session("nva1")["established"] == 1, "the session lived through it")
    # On the wire, where the daemon cannot be asked: the same question by the witness.
    witness = scene.raise_witness(capabilities=[multiprotocol(IPV4), (ROUTE_REFRESH, b""), (ENHANCED_REFRESH, b""),
                                                four_octet(WITNESS_ASN)])
    witness.wait_route(OURS)
    witness.refresh()
    wait_for(10, "BoRR and EoRR", lambda: [body[2] for body in witness.received(REFRESH)] == [1, 2])
    yield "enhanced-refresh"


feature("restart-of-it", "graceful restart: it is killed and comes back", "4724")
feature("restart-no-loss", "the same: no packet lost", "4724")
feature("restart-of-us", "graceful restart: we are killed and come back", "4724")
feature("restart-of-us-no-loss", "the same: no packet lost between those whom we told of each other", "4724")


@case("restart-of-it", "restart-no-loss")
def restart_of_it(scene):
    """
        vm1 ── tap ── engine ── tap ── daemon's host (20.0.0.1), which goes on forwarding
                        └────── BGP ── daemon: kill -9, and back with the R bit
    """
    scene.raise_engine(keys=", graceful_restart: {}", ports=True)
    scene.raise_traffic()
    daemon = scene.raise_daemon(graceful_restart=True, families=("ipv4",))
    scene.up()
    witness = scene.raise_witness()
    witness.wait_route(PLAIN)
    ping = scene.start_pings("20.0.0.1")
    time.sleep(1)
    began = time.monotonic()
    daemon.kill()
    time.sleep(2)
    expect(witness.route(PLAIN), "the route stays while the daemon is away")
    daemon.launch(again=True)
    scene.engine.wait_state("nva1")
    daemon.wait_established()
    time.sleep(3)
    expect(set(IPV4_PREFIXES) <= {prefix for prefix, _ in witness.routes}, f"all routes after it: {witness.routes}")
    gone = [body for body in witness.received(UPDATE, began) if body[:2] != b"\0\0"]
    expect(not gone, "nothing was withdrawn from the others")
    yield "restart-of-it"
    lost = scene.stop_pings(ping)
    expect(lost == 0, f"{lost} packets lost")
    yield "restart-no-loss"


@case("restart-of-us", "restart-of-us-no-loss")
def restart_of_us(scene):
    """
        daemon ── engine: kill -9, and back with the R bit; the daemon keeps what it was told meanwhile
          └────── link ── witness: 30.0.0.1, which the daemon's host reaches by that, not through the engine
    """
    # Transparent: the next hop stays the witness, as the engine is on no way between the two.
    keys = ", graceful_restart: {}, bgp: {transparent: true}"
    scene.raise_engine(keys=keys, witness_keys=keys)
    forwards = scene.tries("restart-of-us-no-loss")
    daemon = scene.raise_daemon(graceful_restart=True, families=("ipv4",), kernel=forwards)
    scene.up()
    scene.raise_witness().announce("30.0.0.0/24")
    daemon.wait_route("30.0.0.0/24")
    if forwards:
        scene.lab.ip("witness", "address add 30.0.0.1/32 dev lo")
        ping = scene.start_pings("30.0.0.1", "peer")
        time.sleep(1)
    scene.lab.end(scene.engine.process, signal.SIGKILL)
    time.sleep(2)
    expect(daemon.route("30.0.0.0/24"), "kept while the engine is away")
    scene.engine.start(again=True)
    # It says that it will say End-of-RIB: who does not is not waited for.
    scene.raise_witness(capabilities=[
        multiprotocol(IPV4), four_octet(WITNESS_ASN),
        (GRACEFUL_RESTART, struct.pack("!HHBB", 120, *IPV4, 0x80))]).announce("30.0.0.0/24")
    scene.witness.end_of_rib()
    scene.up()
    wait_for(30, "the route confirmed", lambda: (daemon.route("30.0.0.0/24") or {"stale": True})["stale"] is False)
    expect(daemon.route(OURS), "our own prefix")
    yield "restart-of-us"
    if forwards:
        lost = scene.stop_pings(ping)
        expect(lost == 0, f"{lost} packets lost")
        yield "restart-of-us-no-loss"


feature("reset-from-it", "a NOTIFICATION of its own keeps its routes", "8538")
feature("hard-reset-from-it", "a Hard Reset of its own takes them", "8538")
feature("hard-reset-from-us", "a Hard Reset of ours takes ours", "8538")


def _withdrawn(witness, since):
    return [body for body in witness.received(UPDATE, since) if body[:2] != b"\0\0"]


def _raise_resets(scene):
    """Both ends offer to keep routes after a NOTIFICATION (N bit), so that only a Hard Reset takes them."""
    scene.raise_engine(keys=", graceful_restart: {}", witness_keys=", graceful_restart: {}")
    daemon = scene.raise_daemon(graceful_restart=True, restart_notification=True, restart_time=90, families=("ipv4",))
    scene.up()
    scene.raise_witness().wait_route(PLAIN)
    return daemon


def _reset(scene, hard):
    """When it began. The daemon's reset has come, and was of that kind."""
    began, last = time.monotonic(), [""]
    scene.daemon.reset(hard)

    def told():
        last[0] = scene.engine.session("nva1").get("last_error_received", "")
        return "Administrative Reset" in last[0] and ("Hard Reset" in last[0]) == hard
    wait_for(20, lambda: f"{'a hard' if hard else 'a plain'} reset: it said '{last[0]}'", told)
    return began


@case("reset-from-it", "hard-reset-from-it")
def resets_of_it(scene):
    """
        daemon ── Cease / Administrative Reset, plain and as Hard Reset ── engine ── witness
    """
    _raise_resets(scene)
    witness = scene.witness
    began = _reset(scene, hard=False)
    time.sleep(2)
    witness.still_up()
    expect(witness.route(PLAIN) and not _withdrawn(witness, began), "nothing was withdrawn from the others")
    yield "reset-from-it"
    if scene.tries("hard-reset-from-it"):  # GoBGP, which cannot, comes back after half a minute
        scene.up()
        time.sleep(1)
        began = _reset(scene, hard=True)
        wait_for(20, "withdrawals at the witness", lambda: _withdrawn(witness, began))
        yield "hard-reset-from-it"


@case("hard-reset-from-us")
def reset_of_us(scene):
    """
        daemon ── engine: stops with Cease / Hard Reset, and the daemon keeps nothing of what it was told
    """
    daemon = _raise_resets(scene)
    daemon.wait_route(OURS)
    scene.engine.stop()
    wait_for(10, "our routes to go, long before their time is over", lambda: not daemon.route(OURS))
    yield "hard-reset-from-us"


feature("long-lived", "long-lived graceful restart: it is gone for longer", "9494")

LLGR_STALE = "65535:6"


@case("long-lived")
def long_lived(scene):
    """
        daemon: kill -9, away for longer than its restart time of 2 s ── engine ── witness, who knows of stale routes
    """
    keys = ", graceful_restart: {long_lived_seconds: 3600}"
    scene.raise_engine(keys=keys, witness_keys=keys)
    daemon = scene.raise_daemon(graceful_restart=True, restart_time=2, long_lived=3600, families=("ipv4",))
    scene.up()
    family = struct.pack("!HBB", *IPV4, 0x80)
    witness = scene.raise_witness(capabilities=[
        multiprotocol(IPV4), four_octet(WITNESS_ASN), (GRACEFUL_RESTART, struct.pack("!H", 120) + family),
        (LONG_LIVED, family + b"\0\x0e\x10")])
    expect(LLGR_STALE not in witness.wait_route(PLAIN).communities, "fresh")
    began = time.monotonic()
    daemon.kill()
    wait_for(20, "the route to be stale", lambda: LLGR_STALE in witness.route(PLAIN).communities)
    expect(time.monotonic() - began > 1.9, "not before the restart time is over")
    daemon.launch(again=True)
    scene.engine.wait_state("nva1")
    wait_for(30, "the route to be fresh", lambda: LLGR_STALE not in witness.route(PLAIN).communities)
    gone = [body for body in witness.received(UPDATE, began) if body[:2] != b"\0\0"]
    expect(not gone, "nothing was withdrawn meanwhile")
    yield "long-lived"
