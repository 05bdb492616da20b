#!/bin/bash
# Two hosts of one fabric, each an engine with the same file: guests of one reach those of the other by VXLAN, over
# IPv4 and IPv6, a guest behind a plain Linux vxlan device takes part, and a gateway of the fabric stands on one of them.
#
#   guest1 ──tap── host1: engine ──veth── bridge ──veth── host2: engine ──tap── guest2
#                                            └──veth── plain: vxlan device, itself the guest
title="two hosts"
fingerpost=$1
names="host1 host2 plain guest1 guest2 wire"
# shellcheck source=tests/system/namespaces.sh
. "$(dirname "$0")/namespaces.sh"
needs

make_network() {
    local name
    make_namespaces
    in_ns wire ip link add bridge type bridge
    in_ns wire ip link set bridge up
    for name in host1 host2 plain; do
        in_ns wire ip link add "$name" mtu 1700 type veth peer name under mtu 1700 netns "$prefix-$name"
        in_ns wire ip link set "$name" master bridge up
        in_ns "$name" ip link set under up
    done
}

# The vxlan device is the guest's own interface: its MAC and addresses are the NIC's. Segments are not left to
# hardware that a veth does not have.
make_plain() {
    local own=$1 remote=$2
    in_ns plain sysctl -qw net.ipv6.conf.under.accept_dad=0
    in_ns plain ip address add "$own/$3" dev under
    in_ns plain ip link add vx0 type vxlan id 7003 local "$own" remote "$remote" dstport 4789 dev under
    in_ns plain ip link set vx0 address 02:00:00:00:01:07 mtu 1500 up
    in_ns plain ip link set vx0 gso_max_segs 1
    in_ns plain ip address add 10.0.1.7/24 dev vx0
    in_ns plain ip -6 address add fd00:10:0:1::7/64 dev vx0 nodad
    in_ns plain ip route add default via 10.0.1.1 dev vx0
    in_ns plain ip -6 route add default via fd00:10:0:1::1 dev vx0
}

# $1, $2, $3: end points of the hosts
write_fabric() {
    cat << END
fabric: two-hosts
vnets:
  - name: hub
    address_space: [10.0.0.0/16, "fd00:10::/48"]
    subnets: [{name: nva, prefixes: [10.0.1.0/24, "fd00:10:0:1::/64"]}, {name: GatewaySubnet, prefixes: [10.0.3.0/26]}]
  - name: spoke
    address_space: [10.1.0.0/16, "fd00:11::/48"]
    subnets: [{name: vms, prefixes: [10.1.0.0/24, "fd00:11::/64"]}]
peerings: [{vnets: [hub, spoke], hub: {allow_gateway_transit: true}, spoke: {use_remote_gateways: true}}]
hosts: [{name: h1, vtep: "$1"}, {name: h2, vtep: "$2"}, {name: plain, vtep: "$3"}]
nics:
  - {name: vm1, subnet: spoke/vms, addresses: [10.1.0.4, "fd00:11::4"], mac: "02:00:00:00:01:04", port: p-vm1, host: h1}
  - {name: vm2, subnet: spoke/vms, addresses: [10.1.0.5, "fd00:11::5"], mac: "02:00:00:00:01:05", port: p-vm2, host: h2}
  - {name: box, subnet: hub/nva, addresses: [10.0.1.7, "fd00:10:0:1::7"], mac: "02:00:00:00:01:07", host: plain,
     underlay: {port: under1, vni: 7003}}
ports:
  - {name: p-vm1, device: net_tap, options: {iface: fp-guest}}
  - {name: p-vm2, device: net_tap, options: {iface: fp-guest}}
  - {name: p-er1, device: net_tap, options: {iface: fp-er1}, host: h2}
  - {name: under1, device: net_af_packet, options: {iface: under}, address: "$1", mtu: 1700}
  - {name: under2, device: net_af_packet, options: {iface: under}, address: "$2", mtu: 1700}
gateways: [{name: er1, type: ExpressRoute, vnet: hub, addresses: [10.0.3.4, 10.0.3.5], port: p-er1}]
END
}

start_host() {
    start_engine "h$1" "host$1" "$run/fabric.yaml" --host "h$1" --json || fail "engine h$1 ended"
}

attach_guest() {
    local number=$1 last=$2
    in_ns "host$number" ip link set fp-guest netns "$prefix-guest$number"
    in_ns "guest$number" ip link set fp-guest address "02:00:00:00:01:0$last" up
    in_ns "guest$number" ip address add "10.1.0.$last/24" dev fp-guest
    in_ns "guest$number" ip -6 address add "fd00:11::$last/64" dev fp-guest nodad
    in_ns "guest$number" ip route add default via 10.1.0.1 dev fp-guest
    in_ns "guest$number" ip -6 route add default via fd00:11::1 dev fp-guest
}

answers() {
    local from=$1 to=$2 size=$3
    in_ns "$from" ping -c 5 -i 0.2 -W 2 -s "$size" "$to" > "$run/ping" 2>&1 && grep -q ' 0% packet loss' "$run/ping"
}

# The first packets may come before neighbours of the underlay are known.
reaches() {
    local from=$1 to=$2 size=$3 tries
    for tries in 1 2 3; do
        answers "$from" "$to" "$size" && { echo "   $from -> $to, $size bytes: $(grep -o 'ttl=.*' "$run/ping" | head -n 1)"; return; }
    done
    cat "$run/ping" >&2
    fail "$from does not reach $to with $size bytes (try $tries)"
}

try_underlay() {
    local one=$1 two=$2 three=$3 length=$4
    make_network
    write_fabric "$one" "$two" "$three" > "$run/fabric.yaml"
    make_plain "$three" "$one" "$length"
    start_host 1
    start_host 2
    attach_guest 1 4
    attach_guest 2 5
    reaches guest1 10.1.0.5 56
    reaches guest2 fd00:11::4 56
    reaches guest1 10.1.0.5 1472
    reaches guest2 fd00:11::4 1452
    reaches guest1 10.0.1.7 56
    reaches plain fd00:11::4 1000
    reaches guest1 10.0.3.5 56 # the second instance of a gateway whose tap is on the other host
    stop_all || fail "an engine ended badly"
    python3 - "$run/h1.out" "$run/h2.out" << 'END' || fail "the counters do not add up"
import json, sys
for path in sys.argv[1:]:
    report = json.load(open(path))
    assert report["received"] == report["forwarded"] + report["answered"] + sum(report["dropped"].values()), report
    others = [nic for nic in report["nics"] if nic["nic"] == "other hosts"][0]
    assert others["forwarded"] >= 20, others
END
    remove_namespaces
}

echo "IPv4 underlay"
try_underlay 192.0.2.1 192.0.2.7 192.0.2.9 24
echo "IPv6 underlay"
try_underlay 2001:db8::1 2001:db8::7 2001:db8::9 64
