/*
 * What a file says by itself: YAML, keys, types, names. Each mistake gets its exact message with
 * its line.
 */
#include "tests/fabric/files.h"

#include <criterion/criterion.h>

#define COUNT(cases) (sizeof(cases) / sizeof(*(cases)))

Test(load_text, text_that_is_no_yaml)
{
    static const struct files_case cases[] = {
        {{{"[10.0.0.4, 10.0.0.5]", "[10.0.0.4, 10.0.0.5"}},
         "base.yaml:34: error: not YAML: did not find expected ',' or ']'\n"},
        {{{"fabric: base", "fabric: base\n"
                           "fabric: again"}},
         "base.yaml:2: error: the key 'fabric' is given twice, first in line 1\n"},
        {{{"fabric: base", "fabric: !!str base"}},
         "base.yaml:1: error: the tag 'tag:yaml.org,2002:str' is not understood; write the value "
         "without a tag\n"},
        {{{"fabric: base", "fabric: &a [*a]"}},
         "base.yaml:1: error: the alias '*a' stands inside its own anchor\n"},
        {{{"fabric: base", "fabric: *nowhere"}},
         "base.yaml:1: error: the alias '*nowhere' names no anchor above it\n"},
        {{{"fabric: base", "fabric: \"zero \\0 byte\""}},
         "base.yaml:1: error: a value must be at most 4096 bytes long and hold no zero byte\n"},
        {{{"fabric: base", "fabric: base\n"
                           "[a, b]: 1"}},
         "base.yaml:2: error: a key must be a single word\n"},
        {{{NULL, "---\n"
                 "fabric: second\n"}},
         "base.yaml:40: error: a file holds one document; use include: for several files\n"},
        {{{"fabric: base", "- fabric: base"}},
         "base.yaml:2: error: not YAML: did not find expected '-' indicator\n"},
        {{{"fabric: base", "\tfabric: base"}},
         "base.yaml:1: error: not YAML: found character that cannot start any token\n"},
        {{{"fabric: base", "fabric: \001"}},
         "base.yaml:1: error: not YAML: control characters are not allowed\n"},
    };

    files_expect(cases, COUNT(cases));
}

Test(load_text, keys_and_types)
{
    static const struct files_case cases[] = {
        {{{"address_space: [10.1.0.0/16]", "adress_space: [10.1.0.0/16]"}},
         "base.yaml:10: error: vnets[spoke]: the key 'address_space' is missing\n"
         "base.yaml:12: error: vnets[spoke]: unknown key 'adress_space'; did you mean "
         "'address_space'?\n"},
        {{{"fabric: base", "fabric: base\n"
                           "vnet: []"}},
         "base.yaml:2: error: unknown key 'vnet'; did you mean 'vnets'?\n"},
        {{{"fabric: base", "fabric: base\n"
                           "zebra: 1"}},
         "base.yaml:2: error: unknown key 'zebra'; known here: fabric, include, mode, quirks, "
         "engine, ecmp, internet, reserved_prefixes, vnets, peerings, route_tables, service_tags, "
         "hosts, nics, ports, route_servers, gateways, load_balancers, policies, routers, "
         "tunnels\n"},
        {{{"ip_forwarding: true, mac: \"02:00:00:00:00:14\"",
           "ip_forwarding: yes, mac: \"02:00:00:00:00:14\""}},
         "base.yaml:24: error: nics[nva1].ip_forwarding: 'yes' is not true or false\n"},
        {{{"subnet: spoke/vms, addresses: [10.1.0.4]",
           "subnet: spoke/vms, addresses: [10.1.0.400]"}},
         "base.yaml:26: error: nics[vm1].addresses: '10.1.0.400' is not an IPv4 or IPv6 address\n"},
        {{{"addresses: [10.1.0.4]", "addresses: 10.1.0.4"}},
         "base.yaml:26: error: nics[vm1].addresses: expected a list, found '10.1.0.4'\n"},
        {{{"addresses: [10.1.0.4]", "addresses: [[10.1.0.4]]"}},
         "base.yaml:26: error: nics[vm1].addresses: expected an IPv4 or IPv6 address, found a "
         "list\n"},
        {{{"addresses: [10.1.0.4]", "addresses: []"}},
         "base.yaml:26: error: nics[vm1].addresses: needs at least one entry\n"},
        {{{"addresses: [10.1.0.4], ", ""}},
         "base.yaml:26: error: nics[vm1]: the key 'addresses' is missing\n"},
        {{{"addresses: [10.1.0.4]", "addresses:"}},
         "base.yaml:26: error: not YAML: found unexpected ':'\n"},
        {{{"vlan: 12", "vlan: 4095"}},
         "base.yaml:24: error: nics[nva1].vlan: '4095' is not a whole number from 1 to 4094\n"},
        {{{"vlan: 12", "vlan: 0"}},
         "base.yaml:24: error: nics[nva1].vlan: '0' is not a whole number from 1 to 4094\n"},
        {{{"vlan: 12", "vlan: twelve"}},
         "base.yaml:24: error: nics[nva1].vlan: 'twelve' is not a whole number from 1 to 4094\n"},
        {{{"vlan: 12", "vlan: -1"}},
         "base.yaml:24: error: nics[nva1].vlan: '-1' is not a whole number from 1 to 4094\n"},
        {{{"vlan: 12", "vlan: 012"}},
         "base.yaml:24: error: nics[nva1].vlan: '012' is not a whole number from 1 to 4094\n"},
        {{{"asn: 65001}\n"
           "      - {name: nva2",
           "asn: 0}\n"
           "      - {name: nva2"}},
         "base.yaml:35: error: route_servers[rs1].peers[nva1].asn: '0' is not a whole number from "
         "1 to 4294967295\n"},
        {{{"asn: 65001}\n"
           "      - {name: nva2",
           "asn: 4294967296}\n"
           "      - {name: nva2"}},
         "base.yaml:35: error: route_servers[rs1].peers[nva1].asn: '4294967296' is not a whole "
         "number from 1 to 4294967295\n"},
        {{{"name: vm1", "name: vm/1"}},
         "base.yaml:26: error: nics[2].name: 'vm/1' is not a name (letters, digits, '.', '_', '-'; "
         "at most 80)\n"},
        {{{"name: vm1", "name: [vm1]"}},
         "base.yaml:26: error: nics[2].name: expected a name (letters, digits, '.', '_', '-'; at "
         "most 80), found a list\n"},
        {{{"{name: vm1, ", "{"}}, "base.yaml:26: error: nics[2]: the key 'name' is missing\n"},
        {{{"  - {name: vm1", "  - vm0\n"
                             "  - {name: vm1"}},
         "base.yaml:26: error: nics[2]: expected a mapping (one NIC), found 'vm0'\n"},
        {{{"address_space: [10.1.0.0/16]", "address_space: [10.1.2.3/16]"}},
         "base.yaml:12: error: vnets[spoke].address_space: '10.1.2.3/16' has bits set beyond its "
         "length; the prefix is 10.1.0.0/16\n"},
        {{{"address_space: [10.1.0.0/16]", "address_space: [10.1.0.0]"}},
         "base.yaml:12: error: vnets[spoke].address_space: '10.1.0.0' is not an IPv4 or IPv6 "
         "prefix like 10.0.0.0/8\n"},
        {{{"address_space: [10.1.0.0/16]", "address_space: [10.1.0.0/33]"}},
         "base.yaml:12: error: vnets[spoke].address_space: '10.1.0.0/33' is not an IPv4 or IPv6 "
         "prefix like 10.0.0.0/8\n"},
        {{{"address_space: [10.1.0.0/16]", "address_space: [\"fd00::1/64\"]"}},
         "base.yaml:12: error: vnets[spoke].address_space: 'fd00::1/64' has bits set beyond its "
         "length; the prefix is fd00::/64\n"},
        {{{"mac: \"02:00:00:00:00:14\"", "mac: \"02-00-00-00-00-14\""}},
         "base.yaml:24: error: nics[nva1].mac: '02-00-00-00-00-14' is not a MAC address like "
         "\"02:00:00:00:00:01\"\n"},
        {{{"mac: \"02:00:00:00:00:14\"", "mac: \"02:00:00:00:00:1\""}},
         "base.yaml:24: error: nics[nva1].mac: '02:00:00:00:00:1' is not a MAC address like "
         "\"02:00:00:00:00:01\"\n"},
        {{{"next_hop_type: Internet", "next_hop_type: internet"}},
         "base.yaml:22: error: route_tables[out].routes[0].next_hop_type: 'internet' is not one "
         "of: VirtualAppliance, VnetLocal, Internet, VirtualNetworkGateway, None\n"},
        {{{"options: {iface: fp-vm1}", "options: iface=fp-vm1"}},
         "base.yaml:28: error: ports[p1].options: expected a mapping of the driver's options, "
         "found 'iface=fp-vm1'\n"},
        {{{"options: {iface: fp-vm1}", "options: {iface: \"a,b\"}"}},
         "base.yaml:28: error: ports[p1].options: expected a value without a comma under a name "
         "without ',' and '=', found 'a,b'\n"},
        {{{"addresses: [10.0.0.4, 10.0.0.5]", "addresses: [10.0.0.4, 10.0.0.5, 10.0.0.6]"}},
         "base.yaml:33: error: route_servers[rs1].addresses: expected 1 to 2 entries, found 3\n"},
        {{{"fabric: base", "fabric: base\n"
                           "mode: aws"}},
         "base.yaml:2: error: mode: 'aws' is not one of: native, azure\n"},
        {{{"fabric: base", "fabric: base\n"
                           "quirks: {dampening: true}"}},
         "base.yaml:2: error: quirks: unknown key 'dampening'; did you mean 'damping'?\n"},
        {{{"fabric: base", "fabric: base\n"
                           "quirks: {no_md5: 1}"}},
         "base.yaml:2: error: quirks.no_md5: '1' is not true or false\n"},
        {{{"fabric: base", "fabric: base\n"
                           "ecmp: {balance: maglev, hash: 4-tuple}"}},
         "base.yaml:2: error: ecmp.balance: 'maglev' is not one of: hrw, strict\n"
         "base.yaml:2: error: ecmp.hash: '4-tuple' is not one of: 5-tuple, 3-tuple, 2-tuple, flow-label\n"},
        {{{"fabric: base", "fabric: base\n"
                           "engine: {metrics_listen: 127.0.0.1}"}},
         "base.yaml:2: error: engine.metrics_listen: '127.0.0.1' is not an address and port like "
         "127.0.0.1:9460 or [::1]:9460\n"},
        {{{"fabric: base", "fabric: base\n"
                           "engine: {cores: [1, 2048]}"}},
         "base.yaml:2: error: engine.cores: '2048' is not a whole number from 0 to 1023\n"},
        {{{"fabric: base", "fabric: base\n"
                           "engine: [1]"}},
         "base.yaml:2: error: engine: expected a mapping, found a list\n"},
        {{{"vnets: [hub, spoke]", "vnets: [hub]"}},
         "base.yaml:16: error: peerings[0].vnets: expected a list of exactly two VNets, found a "
         "list\n"},
        {{{"    spoke: {use_remote", "    spook: {use_remote"}},
         "base.yaml:18: error: peerings[0]: unknown key 'spook'; known here: vnets, in_sync, hub, "
         "spoke\n"},
        {{{"nics:\n", "nics: {}\n"
                      "ports2:\n"}},
         "base.yaml:23: error: nics: expected a list, found a mapping\n"},
    };

    files_expect(cases, COUNT(cases));
}

Test(load_text, names_and_references)
{
    static const struct files_case cases[] = {
        {{{"subnet: spoke/vms", "subnet: spoke/vmz"}},
         "base.yaml:26: error: nics[vm1].subnet: there is no subnet 'spoke/vmz'; did you mean "
         "'spoke/vms'?\n"},
        {{{"subnet: spoke/vms", "subnet: vms"}},
         "base.yaml:26: error: nics[vm1].subnet: there is no subnet 'vms' (subnets are written "
         "vnet/subnet)\n"},
        {{{"route_table: out", "route_table: oat"}},
         "base.yaml:8: error: vnets[hub].subnets[nva].route_table: there is no route table 'oat'; "
         "did you mean 'out'?\n"},
        {{{"port: p1", "port: p2"}},
         "base.yaml:26: error: nics[vm1].port: there is no port 'p2'; did you mean 'p1'?\n"},
        {{{"vnet: hub\n", "vnet: hob\n"}},
         "base.yaml:32: error: route_servers[rs1].vnet: there is no VNet 'hob'; did you mean "
         "'hub'?\n"},
        {{{"nic: nva1", "nic: nva9"}},
         "base.yaml:38: error: routers[r1].nic: there is no NIC 'nva9'; did you mean 'nva1'?\n"},
        {{{"{route_server: rs1}]}\n"
           "  - {name: r2",
           "{route_server: rs2}]}\n"
           "  - {name: r2"}},
         "base.yaml:38: error: routers[r1].neighbors[0].route_server: there is no route server "
         "'rs2'; did you mean 'rs1'?\n"},
        {{{"vnets: [hub, spoke]", "vnets: [hub, spoke7]"}},
         "base.yaml:16: error: peerings[0].vnets: there is no VNet 'spoke7'; did you mean "
         "'spoke'?\n"},
        {{{"name: vm1", "name: nva1"}},
         "base.yaml:26: error: nics: the name 'nva1' is used twice, first at base.yaml:24\n"},
        {{{"  - name: spoke\n", "  - name: hub\n"}},
         "base.yaml:10: error: vnets: the name 'hub' is used twice, first at base.yaml:3\n"},
        {{{"{name: GatewaySubnet", "{name: nva"}},
         "base.yaml:9: error: vnets[hub].subnets: the name 'nva' is used twice, first at "
         "base.yaml:8\n"},
        {{{"{name: nva2, address", "{name: nva1, address"}},
         "base.yaml:36: error: route_servers[rs1].peers: the name 'nva1' is used twice, first at "
         "base.yaml:35\n"},
        {{{"route_table: out", "route_table: out, service_endpoints: [Storage]"}},
         "base.yaml:8: error: vnets[hub].subnets[nva].service_endpoints: there is no service tag "
         "'Storage'\n"},
        {{{"asn: 65001}\n"
           "      - {name: nva2",
           "asn: 65001, import: p}\n"
           "      - {name: nva2"}},
         "base.yaml:35: error: route_servers[rs1].peers[nva1].import: there is no policy 'p'\n"},
    };

    files_expect(cases, COUNT(cases));
}
