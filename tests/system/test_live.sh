#!/bin/bash
# The live demo in its short form: real BIRD, real interfaces, one NVA killed. The demo itself holds its figures against
# what must be (every flow of the dead NVA moves, no other does, answers take the way of their requests, all
# return); here it must say so, and leave nothing behind. Exit 77: cannot run here, and why.
#
#   vm1 ── engine ── vm2        flows vm1 <-> vm2 cross nva1 or nva2
#          │    │
#        nva1  nva2  (BIRD)
set -euo pipefail

fingerpost=$1
demo=$2
flows=400

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

"$demo" --quick --fingerpost "$fingerpost" --flows $flows --rate 2000 > "$output" 2>&1 &
pid=$! # which names its namespaces
wait $pid || fail "the demo ended with $?"
grep -q 'needlessly 0,' "$output" || fail "no line about flows moved needlessly"
grep -q 'Established' "$output" || fail "BIRD's view is not shown"
if ip netns list | grep "^fp-$pid-"; then fail "network namespaces were left behind"; fi
# Detection by TCP takes milliseconds, however busy the machine; a hold timer would take thirty seconds.
converged=$(sed -n 's/.*last packet to nva2 \([0-9]*\).*/\1/p' "$output")
[ "$converged" -lt 10000 ] || fail "convergence took $converged ms"
cat "$output"
