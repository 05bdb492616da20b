/*
 * How sessions are connected and signed: each mistake gets its exact message with its line, and
 * what is right is taken.
 */
#include "tests/fabric/files.h"

#include <criterion/criterion.h>

#include "engine/fabric/route_server.h"

#define COUNT(cases) (sizeof(cases) / sizeof(*(cases)))
#define PEER         "address: 10.0.1.4, asn: 65001}\n"
#define AT           "base.yaml:35: error: route_servers[rs1].peers[nva1]"

Test(load_transport, mistakes)
{
    static const struct files_case cases[] = {
        {{{PEER, "address: 10.0.1.4, asn: 65001, transport: {ttl_security_hops: 1, ttl: 8}}\n"}},
         AT ".transport.ttl: 8, but ttl_security_hops wants 255 in both directions; take one of "
            "the two out\n"},
        {{{PEER, "address: 10.0.1.4, asn: 65001, key_type: tcp_ao}\n"}},
         AT ".key_type: there is no key_file, so the session would not be signed\n"},
        {{{PEER, "address: 10.0.1.4, asn: 65001, transport: {interface: sixteencharacter}}\n"}},
         AT ".transport.interface: 'sixteencharacter' is no name of an interface (1 to 15 "
            "characters)\n"},
        {{{PEER, "address: 10.0.1.4, asn: 65001, transport: {local_addresses: [10.9.0.4]}}\n"}},
         AT ".transport.local_addresses: 1 given, but route server 'rs1' has 2 instances; each "
            "needs its own\n"},
        {{{PEER, "address: 10.0.1.4, asn: 65001, transport: {local_addresses: [10.9.0.4, "
                 "10.9.0.4]}}\n"}},
         AT ".transport.local_addresses: 10.9.0.4 stands twice; each instance has an address of "
            "its own\n"},
        {{{PEER, "address: 10.0.1.4, asn: 65001, transport: {local_addresses: [\"fd00::4\", "
                 "10.0.1.4]}}\n"}},
         AT ".transport.local_addresses: 10.0.1.4 is the peer's own\n" AT
            ".transport.local_addresses: fd00::4 is not of the address family of the peer's "
            "10.0.1.4\n"},
        {{{PEER, "address: \"fe80::5\", asn: 65001, transport: {local_addresses: [\"fd00::4\", "
                 "\"fe80::2\"]}}\n"}},
         AT ".address: fe80::5 is link-local: it needs transport.interface and "
            "transport.local_addresses, which say on which link and from where\n" AT
            ".transport.local_addresses: fd00::4 and the peer's fe80::5 must both be link-local, "
            "or neither of them\n"},
        {{{PEER, "address: 10.0.1.4, asn: 65001, transport: {connect: never}}\n"}},
         AT ".transport.connect: 'never' is not one of: either, active, passive\n"},
    };
    files_expect(cases, COUNT(cases));
}

/* Our end of a session: what the peer asks for, else the instance, else its IPv6 counterpart. */
Test(load_transport, local_addresses)
{
    struct fabric *fabric = files_load_text(
        "vnets: [{name: hub, address_space: [10.0.0.0/16, \"fd00:10::/48\"], subnets: [{name: "
        "RouteServerSubnet, prefixes: [10.0.0.0/26, \"fd00:10::/64\"]}]}]\n"
        "route_servers:\n"
        "  - name: rs\n"
        "    vnet: hub\n"
        "    addresses: [10.0.0.4, 10.0.0.5]\n"
        "    peers:\n"
        "      - {name: a, address: 10.0.1.4, asn: 65001}\n"
        "      - {name: b, address: \"fd00:10:0:1::4\", asn: 65002}\n"
        "      - {name: c, address: \"fe80::5\", asn: 65003, transport: {local_addresses: "
        "[\"fe80::1\", \"fe80::2\"], interface: eth0, connect: passive}}\n",
        NULL);
    static const char *const wanted[3][2] = {
        {"10.0.0.4", "10.0.0.5"}, {"fd00:10::4", "fd00:10::5"}, {"fe80::1", "fe80::2"}};
    char text[LPM_ADDRESS_TEXT];

    cr_assert_not_null(fabric);
    for (uint32_t peer = 0; peer < 3; peer++)
        for (unsigned instance = 0; instance < 2; instance++) {
            struct lpm_address local = fabric_route_server_local(fabric, 0, instance, peer);
            struct speaker_peer_config config = fabric_route_server_peer(fabric, 0, instance, peer);

            cr_expect_str_eq(lpm_address_format(&local, text), wanted[peer][instance]);
            /* Next hops do not follow the session. */
            cr_expect(lpm_address_equal(&config.local_address,
                                        &fabric->route_servers[0].addresses[instance]));
            cr_expect_eq(config.passive, peer == 2);
        }
    fabric_free(fabric);
}
