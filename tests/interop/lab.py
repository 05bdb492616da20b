"""Network namespaces, processes and their end.

    rs:   bridge br0 (the route server's addresses) ── peer:  eth0, a real BGP daemon
                                                    ├─ witness: eth0, a BGP speaker of this test (witness.py)
                                                    └─ …

All of them are on one link: 10.0.0.4 and fd00:10::4 are the route server, 10.0.1.N and fd00:10:0:1::N its peers. Nothing
outside of the namespaces is touched. Whatever happens, close() leaves no process, namespace or file.
"""
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

RS4, RS6 = "10.0.0.4", "fd00:10::4"
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    """What had to hold did not."""


def wait_for(seconds, what, predicate):
    """The first true value of predicate(). what: text, or a function that tells more at the end."""
    end = time.monotonic() + seconds
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"{what() if callable(what) else what}: not within {seconds} s")
        time.sleep(0.05)


def _die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Lab:
    def __init__(self, name):
        self.name = f"fpi-{os.getpid()}"
        self.title = name
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="fingerpost-interop-"))
        os.chmod(self.folder, 0o755)  # daemons drop to users of their own
        self.namespaces = []
        self.processes = []
        try:
            self._make_route_server()
        except BaseException:
            self.close()
            raise

    # --- Namespaces -----------------------------------------------------------------------------------------------

    def _make_route_server(self):
        self.add_namespace("rs")
        self.ip("rs", "link add br0 type bridge forward_delay 0")
        self.ip("rs", "link set br0 up")
        self.ip("rs", f"address add {RS4}/32 dev br0")
        self.ip("rs", f"-6 address add {RS6}/128 dev br0 nodad")
        self.ip("rs", "route add 10.0.1.0/24 dev br0")
        self.ip("rs", "-6 route add fd00:10:0:1::/64 dev br0")

    def add_namespace(self, name):
        full = f"{self.name}-{name}"
        subprocess.run(["ip", "netns", "add", full], check=True)
        self.namespaces.append(full)
        self.ip(name, "link set lo up")

    def add_peer(self, name, host):
        """A namespace with 10.0.1.HOST and fd00:10:0:1::HOST on the link of the route server."""
        self.add_namespace(name)
        self.ip("rs", f"link add {name} type veth peer name eth0 netns {self.name}-{name}")
        self.ip("rs", f"link set {name} master br0 up")
        self.ip(name, "link set eth0 up")
        self.ip(name, f"address add 10.0.1.{host}/24 dev eth0")
        self.ip(name, f"-6 address add fd00:10:0:1::{host}/64 dev eth0 nodad")
        self.ip(name, "route add 10.0.0.0/26 dev eth0")
        self.ip(name, "-6 route add fd00:10::/64 dev eth0")

    def inside(self, name, command):
        """command, to be run in a namespace. nsenter changes the network alone: "ip netns exec" remounts /sys."""
        return ["nsenter", f"--net=/run/netns/{self.name}-{name}", *map(str, command)]

    def ip(self, name, words):
        subprocess.run(self.inside(name, ["ip", *words.split()]), check=True)

    def socket_in(self, name, make):
        """make() in a namespace: a socket stays in the one that it was made in."""
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        other = os.open(f"/run/netns/{self.name}-{name}", os.O_RDONLY)
        try:
            if LIBC.setns(other, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
            return make()
        finally:
            LIBC.setns(own, CLONE_NEWNET)
            os.close(own)
            os.close(other)

    # --- Processes ------------------------------------------------------------------------------------------------

    def start(self, name, command, log, environment=None):
        """In the background, with standard output in LOG.out and standard error in LOG.err."""
        with open(self.folder / f"{log}.out", "ab") as out, open(self.folder / f"{log}.err", "ab") as err:
            process = subprocess.Popen(self.inside(name, command), stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                       cwd=self.folder, env={**os.environ, **(environment or {})},
                                       start_new_session=True, preexec_fn=_die_with_parent)
        self.processes.append(process)
        return process

    def run(self, name, command, check=True, timeout=20):
        """Its standard output."""
        done = subprocess.run(self.inside(name, command), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=timeout, cwd=self.folder)
        if check and done.returncode:
            raise Failed(f"{' '.join(map(str, command))}: {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def end(self, process, number=signal.SIGTERM, seconds=5):
        """Ends it and what it started: each has a process group of its own."""
        if process.poll() is None:
            process.send_signal(number)
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        return process.returncode

    # --- Files ----------------------------------------------------------------------------------------------------

    def write(self, name, text, mode=0o644):
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def read(self, name):
        path = self.folder / name
        return path.read_text(errors="replace") if path.exists() else ""

    def logs(self, lines=25):
        """The last lines of everything that was said, for a failure's diagnosis."""
        said = []
        for path in sorted(self.folder.iterdir()):
            if path.suffix in (".err", ".out", ".log") and path.is_file() and path.stat().st_size:
                last = [line for line in path.read_text(errors="replace").splitlines()
                        if not line.startswith('{"fabric"')][-lines:]
                said += [f"-- {path.name}:"] + [line[:300] for line in last]
        return said

    def close(self):
        for process in reversed(self.processes):
            self.end(process)
        for full in self.namespaces:
            # Daemons that put themselves into the background are in no group of ours, but still in the namespace.
            pids = subprocess.run(["ip", "netns", "pids", full], capture_output=True, text=True).stdout.split()
            for pid in pids:
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except (ProcessLookupError, ValueError):
                    pass
            subprocess.run(["ip", "netns", "del", full], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.folder, ignore_errors=True)
