"""What a case wants of a real BGP daemon, in words that are no daemon's own; and what the daemons have in common."""
import dataclasses
import signal

from lab import RS4, wait_for

# What every daemon announces: plain, and with each kind of community. Route target 65001:100 is 0002fde900000064.
PLAIN, STANDARD, LARGE, EXTENDED = "20.0.0.0/24", "20.0.1.0/24", "20.0.2.0/24", "20.0.3.0/24"
PLAIN6 = "2600:20::/48"
IPV4_PREFIXES = [PLAIN, STANDARD, LARGE, EXTENDED]


@dataclasses.dataclass
class Setup:
    asn: int = 65001
    local: str = "10.0.1.4"
    local6: str = "fd00:10:0:1::4"
    neighbor: str = RS4
    neighbor_asn: int = 65515
    families: tuple = ("ipv4", "ipv6")
    key: str = ""
    two_octet: bool = False
    add_path: str = ""            # "send", "receive"
    extended_message: bool = False
    extended_next_hop: bool = False
    ttl_security: bool = False
    graceful_restart: bool = False
    restart_time: int = 30        # seconds that it asks for
    restart_notification: bool = False  # RFC 8538, with graceful_restart
    kernel: bool = False          # its routes go to the kernel, which forwards by them
    long_lived: int = 0           # seconds of long-lived graceful restart; 0: not offered
    enhanced_refresh: bool = False
    max_prefixes: int = 0
    bfd: bool = False
    role: str = ""                # its own: "customer", "peer", …
    more: int = 0                 # so many prefixes 21.0.N.0/24 besides
    passive: bool = False

    @property
    def link_local(self):
        return self.neighbor.startswith("fe80:")

    def scoped(self, address):
        """A link-local address with its link, as most daemons want it."""
        return f"{address}%eth0" if address.startswith("fe80:") else address

    def own_next_hop(self):
        return self.local if ":" not in self.local else "10.0.1.4"

    def more_prefixes(self):
        return [f"21.{n >> 8}.{n & 255}.0/24" for n in range(self.more)]


class Daemon:
    """One that runs in namespace `namespace` of the lab. Answers are asked from its own command line tool."""

    name = ""
    programs = ()

    def __init__(self, lab, setup, namespace="peer"):
        self.lab, self.setup, self.namespace = lab, setup, namespace
        self.process = None

    # --- Life: each daemon has its own configure() and start() ---

    def configure(self):
        raise NotImplementedError

    def launch(self, again=False):
        """Starts the process. again: it was there before, and may try a graceful restart."""
        raise NotImplementedError

    def start(self):
        self.configure()
        self.launch()
        return self

    def kill(self):
        """As a crash does: no last word."""
        self.lab.end(self.process, signal.SIGKILL)

    def stop(self):
        self.lab.end(self.process)

    # --- Questions ---

    def established(self):
        raise NotImplementedError

    def route(self, prefix):
        """{"as_path", "communities", "large", "extended", "next_hop"} of what the route server told, or None."""
        raise NotImplementedError

    def prefixes(self):
        """Everything that the route server told."""
        raise NotImplementedError

    def ask_refresh(self):
        """Makes it ask the route server for everything again (RFC 2918)."""
        raise NotImplementedError

    def shut(self, text):
        """Ends the session with Cease / Administrative Shutdown and this text; returns the text that it really says."""
        raise NotImplementedError

    def reset(self, hard):
        """Ends the session with Cease / Administrative Reset, within a Hard Reset or not, and begins it anew."""
        raise NotImplementedError

    def wait_route(self, prefix, seconds=20):
        return wait_for(seconds, f"{prefix} at {self.name}", lambda: self.route(prefix))

    def wait_established(self, seconds=30):
        wait_for(seconds, f"session of {self.name}", self.established)
