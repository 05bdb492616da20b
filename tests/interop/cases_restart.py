"""Cases of what is said again, and of restarts. See cases.py."""
import time

from cases import OURS, WITNESS_ASN, case, expect, feature, wait_for
from witness import ENHANCED_REFRESH, IPV4, REFRESH, ROUTE_REFRESH, four_octet, multiprotocol


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
