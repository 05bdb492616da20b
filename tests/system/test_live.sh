#!/bin/bash
# The live demos in their short form: real BIRD, real interfaces, one NVA or one circuit killed. A demo itself holds its
# figures against what must be (every flow of the dead NVA moves, no other does, answers take the way of their requests,
# all return); here it must say so, and leave nothing behind. Exit 77: cannot run here, and why.
#
# test_live.sh FINGERPOST DEMO…
#
#   vm1 ── engine ── vm2        flows vm1 <-> vm2 cross nva1 or nva2
#          │    │
#        nva1  nva2  (BIRD)
set -euo pipefail

fingerpost=$1
shift

skip() { echo "skipped: $*"; exit 77; }
[ "$(id -u)" = 0 ] || skip "needs root for network namespaces"
for program in ip ping bird birdc python3; do
    command -v $program > /dev/null || skip "$program is not installed"
done
ip netns add fp-probe-$$ 2> /dev/null || skip "network namespaces cannot be made here"
ip netns del fp-probe-$$
[ -c /dev/net/tun ] || skip "/dev/net/tun is missing"

output=$(mktemp)
trap 'rm -f "$output"' EXIT
fail() { cat "$output"; echo "FAILED: $*" >&2; exit 1; }

# play DEMO: its output is in $output; it names its namespaces by its pid
play() {
    flows=400
    [[ $1 != *hybrid ]] || flows=100 # one way at a time, so fewer do
    "$1" --quick --fingerpost "$fingerpost" --flows $flows --rate 2000 > "$output" 2>&1 &
    local pid=$!
    wait $pid || fail "$1 ended with $?"
    if ip netns list | grep "^fp-$pid-"; then fail "network namespaces were left behind"; fi
    cat "$output"
}

# The last packet to what is dead, or the first by another way. Detection by TCP takes milliseconds, however busy the
# machine; a hold timer would take thirty seconds, that of the hybrid demo six.
converged_before() {
    local ms
    ms=$(sed -n "s/.*$1 \([0-9]*\).*/\1/p" "$output")
    [ "$ms" -lt "$2" ] || fail "convergence took $ms ms"
}

for demo in "$@"; do
    play "$demo"
    case $demo in
    *hybrid)
        grep -q "at the end: circuit $flows, VPN 0" "$output" || fail "no line about flows by the circuit"
        converged_before 'first packet by VPN' 5500 ;;
    *)
        grep -q 'needlessly 0,' "$output" || fail "no line about flows moved needlessly"
        grep -q 'Established' "$output" || fail "BIRD's view is not shown"
        converged_before 'last packet to nva2' 10000 ;;
    esac
done
