"""The matrix: which daemons, what each cannot do and where that is written, and the page that shows it."""
import subprocess

import cases
import cases_options  # noqa: F401: their cases join the list
import cases_restart  # noqa: F401
from bird import Bird
from exabgp import ExaBgp
from frr import Frr
from gobgp import GoBgp
from openbgpd import OpenBgpd

DAEMONS = [Bird, Frr, GoBgp, ExaBgp, OpenBgpd]

NO_ROLE_GOBGP = "its README and docs/sources name no RFC 9234, and its OPEN does not offer capability 9"
NO_ROLE_EXABGP = "exabgp.conf(5) of 4.2 has no role among its capabilities"
NO_8538_BIRD = "its NEWS up to 2.0.12 names graceful restart (RFC 4724) and the long-lived one, not RFC 8538"
NO_8538_EXABGP = "exabgp.conf(5) of 4.2 has `graceful-restart TIME` and nothing about notifications"
RESETS = ("reset-from-it", "hard-reset-from-it", "hard-reset-from-us")
NO_RESTART_OPENBGPD = "bgpd.conf(5), `announce restart`: \"Currently only the End-of-RIB marker is supported\""

# (feature, daemon) -> why it cannot be tried, with the place in its documentation.
NOT_SUPPORTED = {
    ("role", "GoBGP"): NO_ROLE_GOBGP,
    ("role-mismatch", "GoBGP"): NO_ROLE_GOBGP,
    ("role", "ExaBGP"): NO_ROLE_EXABGP,
    ("role-mismatch", "ExaBGP"): NO_ROLE_EXABGP,
    **{(name, "GoBGP"): NO_ROLE_GOBGP for name in ("otc-from-it", "otc-to-it")},
    **{(name, "ExaBGP"): NO_ROLE_EXABGP for name in ("otc-from-it", "otc-to-it")},
    ("bfd-flapping", "GoBGP"): "it has no BFD: https://github.com/osrg/gobgp of 3.10, docs/sources, names none",
    ("bfd-flapping", "ExaBGP"): "it has no BFD of its own: exabgp.conf(5)",
    ("bfd-flapping", "OpenBGPD"): "it has no BFD of its own: bgpd.conf(5)",
    ("long-lived", "ExaBGP"): "exabgp.conf(5) of 4.2 has no long-lived graceful restart among its capabilities",
    ("long-lived", "OpenBGPD"): NO_RESTART_OPENBGPD,
    ("ipv4-over-ipv6", "OpenBGPD"): "bgpd.conf(5) of 7.7 has no `announce extended nexthop`: it came with 8.5",
    ("enhanced-refresh", "GoBGP"): "its README and docs/sources name no RFC 7313, and its OPEN does not offer capability 70",
    ("restart-of-it", "OpenBGPD"): NO_RESTART_OPENBGPD,
    ("restart-no-loss", "OpenBGPD"): NO_RESTART_OPENBGPD,
    ("restart-of-us", "OpenBGPD"): NO_RESTART_OPENBGPD,
    ("restart-of-us", "ExaBGP"): "it keeps no table of what it is told, so it has nothing to keep: README of 4.2",
    ("restart-of-us-no-loss", "OpenBGPD"): NO_RESTART_OPENBGPD,
    ("restart-of-us-no-loss", "ExaBGP"): "it keeps no table of what it is told, so it has nothing to keep: README of 4.2",
    ("restart-of-us-no-loss", "GoBGP"): "it does not forward: docs/sources/zebra.md leaves the kernel's routes to zebra",
    **{(name, "BIRD"): NO_8538_BIRD for name in RESETS},
    ("hard-reset-from-it", "GoBGP"): "its resets are plain: docs/sources/graceful-restart.md and cli-command-syntax.md "
                                     "name no Hard Reset",
    **{(name, "ExaBGP"): NO_8538_EXABGP for name in RESETS},
    **{(name, "OpenBGPD"): NO_RESTART_OPENBGPD for name in RESETS},
    ("session-link-local", "ExaBGP"): "exabgp.conf(5): local-address and the neighbor are addresses without a link",
    ("bfd", "GoBGP"): "it has no BFD: https://github.com/osrg/gobgp of 3.10, docs/sources, names none",
    ("bfd", "ExaBGP"): "it has no BFD of its own: exabgp.conf(5)",
    ("bfd", "OpenBGPD"): "it has no BFD of its own: bgpd.conf(5)",
    ("extended-message", "GoBGP"): "its README and docs/sources name no RFC 8654, and its OPEN does not offer capability 6",
    ("extended-message", "OpenBGPD"): "bgpd.conf(5) of 7.7 has no `announce extended`: it came with 8.1",
    ("route-refresh", "GoBGP"): "it keeps its Adj-RIB-In and never asks: `softresetin` of docs/sources/"
                                "cli-command-syntax.md runs the policy over what is kept",
    ("two-octet", "GoBGP"): "it always offers 4-octet AS numbers; docs/sources/configuration.md has no key for less",
}


def cells():
    """Every (feature, daemon), in the order of the page."""
    return [(feature, daemon) for feature in cases.FEATURES for daemon in DAEMONS]


def version(daemon):
    """As its package says; the daemons' own answers take five forms."""
    package = {"BIRD": "bird2", "FRR": "frr", "GoBGP": "gobgpd", "ExaBGP": "exabgp", "OpenBGPD": "openbgpd"}[daemon.name]
    said = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True)
    return said.stdout.split("-")[0] or "not installed"


HEAD = """# Interop: real BGP daemons against the engine

Each cell is a test: the daemon and `fingerpost run` in network namespaces of their own, often with a third speaker that
reads and writes the wire byte by byte. The scenes are drawn in [tests/interop/cases.py](../tests/interop/cases.py).

    sudo tests/interop/interop --fingerpost build/fingerpost                          # all cells, as TAP
    sudo tests/interop/interop --fingerpost build/fingerpost --only 'BIRD: md5*'      # some of them
    sudo tests/interop/interop --fingerpost build/fingerpost --table docs/interop.md  # and this page anew

**yes**: proven by the last run. **no**: tried and failed. A number stands where the daemon cannot do it; its documentation is
named below, by number.

"""


def _mark(feature, daemon, results, notes):
    reason = NOT_SUPPORTED.get((feature, daemon.name))
    if reason:
        if reason not in notes:
            notes.append(reason)
        return f"not supported by it ({notes.index(reason) + 1})"
    return {"yes": "yes", "no": "**no**", "absent": "not installed"}[results.get((feature, daemon.name), ("no",))[0]]


def markdown(results):
    notes = []
    lines = ["| feature | RFC | " + " | ".join(f"{d.name} {version(d)}" for d in DAEMONS) + " |",
             "|---|---|" + "---|" * len(DAEMONS)]
    for feature, (title, rfc) in cases.FEATURES.items():
        marks = [_mark(feature, daemon, results, notes) for daemon in DAEMONS]
        lines.append(f"| `{feature}`: {title} | {rfc} | " + " | ".join(marks) + " |")
    lines += ["", *(f"{number}. {note}." for number, note in enumerate(notes, 1))]
    return HEAD + "\n".join(lines) + "\n"
