#!/bin/bash
# Real traffic through the engine and an appliance that is a Linux router, over both families: ping, TCP both ways,
# the hops that traceroute shows, and a link of the appliance that is smaller than the others.
#
#   vm1 ──tap── engine ──veth, af_packet── vm2
#                 └──veth, af_packet── nva (forwards, MTU 1400)
#
#   vm1 and vm2 are in spokes that reach each other through the appliance in the hub alone.
title=traffic
fingerpost=$1
names="fabric vm1 vm2 nva"
# shellcheck source=tests/system/namespaces.sh
. "$(dirname "$0")/namespaces.sh"
needs iperf3 traceroute

# --- The network ------------------------------------------------------------------------------------------------------

cat > "$run/fabric.yaml" << END
fabric: traffic
engine: {control_socket: $run/control}
vnets:
  - name: hub
    address_space: [10.0.0.0/16, "fd00:10::/48"]
    subnets: [{name: nva, prefixes: [10.0.1.0/24, "fd00:10:0:1::/64"]}]
  - name: spoke1
    address_space: [10.1.0.0/16, "fd00:11::/48"]
    subnets: [{name: vms, prefixes: [10.1.0.0/24, "fd00:11::/64"], route_table: by-nva}]
  - name: spoke2
    address_space: [10.2.0.0/16, "fd00:12::/48"]
    subnets: [{name: vms, prefixes: [10.2.0.0/24, "fd00:12::/64"], route_table: by-nva}]
peerings:
  - {vnets: [hub, spoke1], hub: {allow_forwarded_traffic: true}, spoke1: {allow_forwarded_traffic: true}}
  - {vnets: [hub, spoke2], hub: {allow_forwarded_traffic: true}, spoke2: {allow_forwarded_traffic: true}}
route_tables:
  - name: by-nva
    routes:
      - {prefix: 0.0.0.0/0, next_hop_type: VirtualAppliance, next_hop: 10.0.1.4}
      - {prefix: "::/0", next_hop_type: VirtualAppliance, next_hop: "fd00:10:0:1::4"}
nics:
  - {name: vm1, subnet: spoke1/vms, addresses: [10.1.0.4, "fd00:11::4"], mac: "02:00:00:00:01:04", port: p-vm1}
  - {name: vm2, subnet: spoke2/vms, addresses: [10.2.0.4, "fd00:12::4"], mac: "02:00:00:00:02:04", port: p-vm2}
  - {name: nva, subnet: hub/nva, addresses: [10.0.1.4, "fd00:10:0:1::4"], mac: "02:00:00:00:00:04", port: p-nva,
     ip_forwarding: true}
ports:
  - {name: p-vm1, device: net_tap, options: {iface: fp-vm1}}
  - {name: p-vm2, device: net_af_packet, options: {iface: fp-vm2}}
  - {name: p-nva, device: net_af_packet, mtu: 1400, options: {iface: fp-nva}}
END

# A guest's own half of a link: what hardware would have cut into segments the kernel cuts itself (docs/live.md).
make_guest() {
    local name=$1 mac=$2 four=$3 six=$4
    in_ns "$name" sysctl -qw net.ipv6.conf.eth0.accept_dad=0 net.ipv6.conf.eth0.accept_ra=0
    in_ns "$name" ip link set eth0 gso_max_segs 1 address "$mac" up
    in_ns "$name" ip address add "$four.4/24" dev eth0
    in_ns "$name" ip -6 address add "${six}4/64" dev eth0 nodad
    in_ns "$name" ip route add default via "$four.1"
    in_ns "$name" ip -6 route add default via "${six}1"
}

make_network() {
    local name
    make_namespaces
    for name in vm2 nva; do
        in_ns fabric ip link add "fp-$name" type veth peer name eth0 netns "$prefix-$name"
        in_ns fabric ip link set "fp-$name" up
    done
}

start_fabric() {
    start_engine engine fabric "$run/fabric.yaml" || fail "the engine ended"
    in_ns fabric ip link set fp-vm1 netns "$prefix-vm1"
    in_ns vm1 ip link set fp-vm1 name eth0
}

make_network
start_fabric
make_guest vm1 02:00:00:00:01:04 10.1.0 fd00:11::
make_guest vm2 02:00:00:00:02:04 10.2.0 fd00:12::
make_guest nva 02:00:00:00:00:04 10.0.1 fd00:10:0:1::
# The appliance answers for each hop that it is, and does not tell guests to find a shorter way.
in_ns nva sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.send_redirects=0 \
    net.ipv4.conf.eth0.send_redirects=0 net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0

# --- Ping -------------------------------------------------------------------------------------------------------------

reaches() {
    local tries
    for tries in $(seq 20); do
        in_ns "$1" ping -c 2 -i 0.1 -W 1 "$2" > "$run/ping.out" 2>&1 && return
        sleep 0.2
    done
    fail "$1 does not reach $2 (try $tries)"
}

for to in 10.1.0.1 fd00:11::1 10.2.0.4 fd00:12::4; do reaches vm1 $to; done
reaches vm2 10.1.0.4
reaches vm2 fd00:11::4

# --- The hops ---------------------------------------------------------------------------------------------------------

# Each subnet's gateway where the fabric takes one off the TTL, and the appliance where that does.
hops() {
    local expected=$1 found
    shift
    found=$(in_ns vm1 traceroute -n -q 1 -w 5 -N 1 "$@" | sed -n '2,$s/^ *[0-9]* *\([0-9a-f.:*]*\).*/\1/p' | tr '\n' ' ')
    [ "$found" = "$expected " ] || fail "traceroute $*: $found, not $expected"
    echo "traceroute $*: $found"
}
hops "10.1.0.1 10.0.1.4 10.0.1.1 10.2.0.4" 10.2.0.4
hops "10.1.0.1 10.0.1.4 10.0.1.1 10.2.0.4" -I 10.2.0.4
hops "10.1.0.1 10.0.1.4 10.0.1.1 10.2.0.4" -T -p 5201 10.2.0.4
hops "fd00:11::1 fd00:10:0:1::4 fd00:10:0:1::1 fd00:12::4" -6 fd00:12::4

# --- A small link on the way ------------------------------------------------------------------------------------------

# Told once, the sender knows: no packet disappears without a word.
tells_mtu() {
    in_ns vm1 ping -c 3 -i 0.2 -W 2 -M do -s "$2" "$1" > "$run/mtu.out" 2>&1 && fail "$1: $2 bytes went through"
    grep -Eiq "(mtu|mtu=|mtu =) ?=? ?1400" "$run/mtu.out" || fail "$1: nobody said what fits"
    in_ns vm1 ip route get "$1" | grep -q 'mtu 1400' || fail "$1: the kernel did not take it"
}
tells_mtu 10.2.0.4 1472
tells_mtu fd00:12::4 1452
in_ns vm1 ping -c 2 -i 0.2 -W 2 -M do -s 1372 10.2.0.4 > /dev/null || fail "1400 bytes do not go through"
in_ns vm1 ping -c 2 -i 0.2 -W 2 -M do -s 1352 fd00:12::4 > /dev/null || fail "1400 bytes of IPv6 do not go through"
in_ns vm2 ping -c 2 -i 0.2 -W 2 -M dont -s 1472 10.1.0.4 > /dev/null || fail "what may be cut is not"

# --- TCP --------------------------------------------------------------------------------------------------------------

in_ns vm2 iperf3 -s > "$run/iperf3.out" 2>&1 &
pids+=($!)
for tries in $(seq 50); do in_ns vm2 ss -ltn 2> /dev/null | grep -q 5201 && break; sleep 0.1; done

# Two megabytes, whatever the rate.
moves() {
    in_ns vm1 iperf3 -J -n 2M --connect-timeout 5000 -c "$@" > "$run/iperf3.err" 2>&1 || fail "iperf3 $* (try $tries)"
    python3 - "$run/iperf3.err" << 'END'
import json, sys
end = json.load(open(sys.argv[1]))["end"]
assert end["sum_received"]["bytes"] >= 500_000, end  # the rest was under way when the client hung up
print(f'{end["sum_received"]["bytes"]} bytes, {end["sum_received"]["bits_per_second"] / 1e6:.0f} Mbit/s, '
      f'{end["sum_sent"].get("retransmits")} sent again')
END
}
for to in 10.2.0.4 fd00:12::4; do
    moves $to
    moves $to -R
done
# Past the appliance nothing went: each packet that vm1 sent to vm2 came from the appliance's NIC as well.
"$fingerpost" show counters --socket "$run/control" --json | python3 -c '
import json, sys
counters = json.load(sys.stdin)
nics = {nic["nic"]: nic for nic in counters["nics"]}
answered = sum(counters["dropped"].values()) + counters["forwarded"] + counters["answered"]
assert counters["received"] == answered, counters
assert nics["nva"]["forwarded"] > 0.9 * (nics["vm1"]["forwarded"] + nics["vm2"]["forwarded"]), nics
'
