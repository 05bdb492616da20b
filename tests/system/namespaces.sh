# shellcheck shell=bash disable=SC2154
# What the tests with engines in network namespaces share, to be sourced first. Set before:
#
#   title        who speaks in messages
#   fingerpost   the program
#   names        the namespaces, which are called fp-PID-NAME
#
# $run is a folder for the test's files. All of it goes when the script ends, however it does.
set -Eeuo pipefail

prefix=fp-$$
pids=()

skip() { echo "$title: skipped: $1"; exit 77; }
fail() { echo "$title: $*" >&2; exit 1; }

# needs PROGRAM…
needs() {
    local program
    [ "$(id -u)" = 0 ] || skip "needs root"
    for program in ip nsenter ping "$@"; do command -v "$program" > /dev/null || skip "$program is missing"; done
    [ -e /dev/net/tun ] || skip "no tun module here"
    ip netns add "$prefix-try" 2> /dev/null || skip "no network namespaces here"
    ip netns del "$prefix-try"
}

in_ns() { local name=$1; shift; nsenter --net="/run/netns/$prefix-$name" "$@"; }
make_namespaces() {
    local name
    for name in $names; do
        ip netns add "$prefix-$name"
        in_ns "$name" ip link set lo up
    done
}
remove_namespaces() { local name; for name in $names; do ip netns del "$prefix-$name" 2> /dev/null || true; done; }

# start_engine NAME NAMESPACE FABRIC [OPTION]…: what it says is in $run/NAME.err, its report in $run/NAME.out. False: it
# ended by itself. Its pid is the last of pids.
start_engine() {
    local name=$1 namespace=$2 tries=1200
    shift 2
    : > "$run/$name.err" # of a round before
    nsenter --net="/run/netns/$prefix-$namespace" "$fingerpost" run "$@" > "$run/$name.out" 2> "$run/$name.err" &
    pids+=($!)
    until grep -q ' running: ' "$run/$name.err"; do
        kill -0 "${pids[-1]}" 2> /dev/null || return 1
        tries=$((tries - 1))
        [ $tries -gt 0 ] || fail "engine $name did not start"
        sleep 0.05
    done
}

# The last one started is gone, without a word to anybody.
kill_last() {
    kill -KILL "${pids[-1]}"
    { wait "${pids[-1]}" || true; } 2> /dev/null
    unset 'pids[-1]'
}

# False: one of them did not end well.
stop_all() {
    local pid status=0
    for pid in "${pids[@]}"; do kill "$pid" 2> /dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2> /dev/null || status=1; done
    pids=()
    return $status
}

cleanup() {
    local status=$?
    trap - EXIT ERR
    set +e
    [ $status = 0 ] || [ $status = 77 ] || tail -n 20 "$run"/*.err >&2
    stop_all
    remove_namespaces
    rm -rf "$run"
    exit $status
}

run=$(mktemp -d /tmp/fingerpost-test.XXXXXX)
trap cleanup EXIT
trap 'echo "$title: line $LINENO failed: $BASH_COMMAND" >&2' ERR
