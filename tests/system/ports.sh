#!/bin/bash
# Kinds of ports between two engines: VXLAN goes over each of them, and a link that goes down, with its interface or
# the program at its other end, is told and comes back.
#
#   ports.sh FINGERPOST [af_xdp]    af_xdp alone, which not every kernel has
#
#   guest1 ──tap── host1: engine ══ memif, vhost + virtio_user, af_xdp, af_packet ══ host2: engine ──tap── guest2
title=ports
fingerpost=$1
kinds=${2:-all}
names="host1 host2 guest1 guest2"
# shellcheck source=tests/system/namespaces.sh
. "$(dirname "$0")/namespaces.sh"
needs

make_network() {
    make_namespaces
    in_ns host1 ip link add under mtu 1600 type veth peer name under mtu 1600 netns "$prefix-host2"
    in_ns host1 ip link set under up
    in_ns host2 ip link set under up
}

# The kernel's ends of two taps on one bridge.
join_taps() {
    in_ns host2 ip link set fp-under2 netns "$prefix-host1"
    in_ns host1 ip link add wire type bridge
    in_ns host1 ip link set wire up
    for tap in fp-under1 fp-under2; do in_ns host1 ip link set "$tap" address "02:00:00:00:99:0${tap: -1}" master wire up; done
}

ends=(192.0.2.1 192.0.2.7)
write_fabric() {
    cat << END
fabric: ports
vnets:
  - name: spoke
    address_space: [10.1.0.0/16]
    subnets: [{name: vms, prefixes: [10.1.0.0/24]}]
hosts: [{name: h1, vtep: "${ends[0]}"}, {name: h2, vtep: "${ends[1]}"}]
nics:
  - {name: vm1, subnet: spoke/vms, addresses: [10.1.0.4], mac: "02:00:00:00:01:04", port: p-vm1, host: h1}
  - {name: vm2, subnet: spoke/vms, addresses: [10.1.0.5], mac: "02:00:00:00:01:05", port: p-vm2, host: h2}
ports:
  - {name: p-vm1, device: net_tap, options: {iface: fp-guest}}
  - {name: p-vm2, device: net_tap, options: {iface: fp-guest}}
  - {name: under1, $1, address: "${ends[0]}"}
  - {name: under2, $2, address: "${ends[1]}"}
END
}

# false: it ended
start_host() {
    local number=$1 guest=guest$1 last=$(($1 + 3))
    start_engine "h$number" "host$number" "$run/fabric.yaml" --host "h$number" || return 1
    in_ns "host$number" ip link set fp-guest netns "$prefix-$guest"
    in_ns "$guest" ip link set fp-guest address "02:00:00:00:01:0$last" up
    in_ns "$guest" ip address add "10.1.0.$last/24" dev fp-guest
}

# The first packets may come before the far end is known.
reaches() {
    local tries
    for tries in $(seq 20); do
        in_ns guest1 ping -c 2 -i 0.1 -W 1 -s "$1" 10.1.0.5 > "$run/ping" 2>&1 && return
        sleep 0.2
    done
    cat "$run/ping" >&2
    fail "$kind: nobody answers (try $tries)"
}

# wait_for_line TEXT [TIMES]
wait_for_line() {
    local tries
    for tries in $(seq 100); do
        [ "$(grep -c "$1" "$run/h1.err")" -ge "${2:-1}" ] && return
        sleep 0.1
    done
    fail "$kind: no line \"$1\" (try $tries)"
}

try_kind() {
    kind=$1
    make_network
    write_fabric "$2" "$3" > "$run/fabric.yaml"
    if ! start_host 1 || ! start_host 2; then
        # What the driver says where the kernel has no such sockets, or no program may be loaded; nothing else is
        # an excuse.
        [ -n "${5:-}" ] && grep -Eq "$5" "$run"/*.err && skip "$(tail -q -n 1 "$run"/*.err | tail -n 1)"
        fail "$kind: an engine ended"
    fi
    [ "$kind" != tap ] || join_taps
    reaches "$4"
    echo "$kind: $(grep received "$run/ping")"
}

gateway_answers() {
    in_ns guest1 ping -c 5 -i 0.2 -W 2 10.1.0.1 > /dev/null || fail "$kind: the gateway does not answer $1"
}

# The other end is gone at once, and comes back.
lose_peer() {
    kill_last
    wait_for_line 'port under1: link down'
    gateway_answers "while another port is down"
    start_host 2 || fail "$kind: the engine does not start again"
    wait_for_line 'port under1: link up'
    reaches 56
}

end_kind() {
    stop_all || fail "$kind: an engine ended badly"
    remove_namespaces
}

if [ "$kinds" = af_xdp ]; then
    try_kind af_xdp "device: net_af_xdp, options: {iface: under}" "device: net_af_xdp, options: {iface: under}" 1000 \
        'port under[12] \(net_af_xdp\): .*(there is no such driver|Failed to (create|configure) (xsk|xdp) socket|Failed to create umem)'
    end_kind
    exit 0
fi
try_kind memif "device: net_memif, mtu: 2200, options: {role: server, socket: $run/memif, socket-abstract: no}" \
    "device: net_memif, mtu: 2200, options: {role: client, socket: $run/memif, socket-abstract: no}" 1472
lose_peer
end_kind
try_kind vhost "device: net_vhost, options: {iface: $run/vhost}" "device: virtio_user, options: {path: $run/vhost}" 1000
lose_peer
end_kind
try_kind af_packet "device: net_af_packet, mtu: 1600, options: {iface: under}" \
    "device: net_af_packet, mtu: 1600, options: {iface: under}" 1472
in_ns host2 ip link set under down
wait_for_line 'port under1: link down'
gateway_answers "while another port is down"
in_ns host2 ip link set under up
wait_for_line 'port under1: link up'
reaches 56
in_ns guest1 ip link del fp-guest
wait_for_line 'port p-vm1: link down'
in_ns guest2 ping -c 5 -i 0.2 -W 2 10.1.0.1 > /dev/null || fail "$kind: the gateway does not answer on the other host"
in_ns host2 ip link del under
wait_for_line 'port under1: link down' 2
end_kind
# This device fills in the checksums of tunnels over IPv6, and the other engine looks whether they are right.
ends=(2001:db8::1 2001:db8::7)
try_kind tap "device: net_tap, options: {iface: fp-under1}" \
    "device: net_tap, options: {iface: fp-under2}" 1001
end_kind
