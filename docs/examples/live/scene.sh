# shellcheck shell=bash
# What the live demos share, to be sourced: namespaces, processes in them, and their end. Set before:
#
#   title        who speaks in messages: "demo live"
#   namespaces   names of the network namespaces, which are called fp-PID-NAME
#   fingerpost   the program
#
# Nothing outside of the namespaces is touched, and all of it is taken down again, also after an interrupt or a failure.

[ "$(id -u)" = 0 ] || { echo "$title: needs root, for network namespaces: sudo ./$title" >&2; exit 2; }
for program in ip nsenter ping python3 bird birdc; do
    command -v $program > /dev/null || { echo "$title: $program is missing: apt install iproute2 iputils-ping python3 bird2" >&2; exit 2; }
done
[ -x "$fingerpost" ] || { echo "$title: no program $fingerpost: build it first, or name it by --fingerpost" >&2; exit 2; }

prefix=fp-$$
run=$(mktemp -d /tmp/fingerpost-live.XXXXXX)
declare -A pids=()
step_number=0
finished=false

step() { step_number=$((step_number + 1)); printf '\n== %d. %s\n' "$step_number" "$*"; }
indent() { sed 's/^/   /'; }
fail() { echo "$title: $*" >&2; exit 1; }
# nsenter changes the network alone: "ip netns exec" remounts /sys as well, which a chroot does not allow.
in_ns() { local name=$1; shift; nsenter --net="/run/netns/$prefix-$name" "$@"; }
now() { date +%s%N; }
# wait_for SECONDS WHAT COMMAND…
wait_for() {
    local tries=$(($1 * 20)) what=$2
    shift 2
    until "$@"; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || fail "$what: not within the time allowed"
        sleep 0.05
    done
}
# start NAME NAMESPACE COMMAND…: in the background, remembered for the cleanup
start() {
    local name=$1 namespace=$2
    shift 2
    nsenter --net="/run/netns/$prefix-$namespace" "$@" > "$run/$name.out" 2> "$run/$name.err" &
    pids[$name]=$!
}
# Waits for the end of one that was told to end; the shell would say "Killed" itself.
reap() {
    { wait "${pids[$1]}" || true; } 2> /dev/null
    unset "pids[$1]"
}
stop() {
    [ -n "${pids[$1]:-}" ] || return 0
    kill -TERM "${pids[$1]}" 2> /dev/null || true
    reap "$1"
}

cleanup() {
    local status=$? name
    trap - EXIT INT TERM ERR
    set +e
    if ! $finished && [ -s "$run/engine.err" ]; then
        echo "-- the engine's last lines:" >&2
        tail -n 15 "$run/engine.err" >&2
    fi
    for name in "${!pids[@]}"; do stop "$name"; done
    for name in "${namespaces[@]}"; do ip netns del "$prefix-$name" 2> /dev/null; done
    rm -rf "$run"
    exit "$status"
}
trap cleanup EXIT
trap 'echo "$title: interrupted" >&2; exit 130' INT TERM
trap 'echo "$title: line $LINENO failed: $BASH_COMMAND" >&2' ERR

make_namespaces() {
    local name
    for name in "${namespaces[@]}"; do
        ip netns add "$prefix-$name"
        in_ns "$name" ip link set lo up
    done
}

# number KEY < report
number() { python3 -c 'import json, sys
value = json.load(sys.stdin)
for key in sys.argv[1].split("."): value = value[key]
print("-" if value is None else value)' "$1"; }

engine_runs() {
    kill -0 "${pids[engine]}" 2> /dev/null || fail "the engine ended"
    grep -q ' running: ' "$run/engine.err"
}

# Ends the engine as a user would and shows what it counted.
stop_engine() {
    local status=0
    kill -TERM "${pids[engine]}"
    wait "${pids[engine]}" || status=$?
    unset 'pids[engine]'
    [ $status = 0 ] || fail "the engine ended with $status"
    python3 - "$run/engine.out" << 'END' | indent
import json, sys
report = json.load(open(sys.argv[1]))
dropped = report["dropped"]
assert report["received"] == report["forwarded"] + report["answered"] + sum(dropped.values()), report
print(f"received {report['received']} = forwarded {report['forwarded']} + answered {report['answered']} + dropped {sum(dropped.values())} {dropped}")
for row in report["next_hops"]:
    print(f"next hop {row['next_hop']}: {row['packets']} packets")
END
}
