/*
 * What comes with a problem: one clean line whatever the file holds, and with a warning its object
 * and its remedy.
 */
#include "tests/fabric/files.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fabric/loader.h"

#define COUNT(cases) (sizeof(cases) / sizeof(*(cases)))

/* --- Printable text --------------------------------------------------------------------------- */

Test(load_problems, what_is_not_printable_is_escaped)
{
    static const struct {
        const char *text, *printable;
    } cases[] = {
        {"", ""},
        {"nva-1 'é' … \U0001F600", "nva-1 'é' … \U0001F600"},
        {"a\nb\rc\td", "a\\nb\\rc\\td"},
        {"\x01\x1b[2J\x1f\x7f", "\\x01\\x1b[2J\\x1f\\x7f"},
        {"\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0", "\\x80\\x9b\\x9f\xc2\xa0"},
        {"cut \xc3", "cut \\xc3"},
        {"cut \xe2\x80", "cut \\xe2\\x80"},
        {"cut \xf0\x9f\x98 and on", "cut \\xf0\\x9f\\x98 and on"},
        {"overlong \xc0\x8a \xe0\x82\x9b", "overlong \\xc0\\x8a \\xe0\\x82\\x9b"},
        {"surrogate \xed\xa0\x80", "surrogate \\xed\\xa0\\x80"},
        {"too large \xf4\x90\x80\x80 \xff", "too large \\xf4\\x90\\x80\\x80 \\xff"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[FABRIC_PRINTABLE_BYTES(64)];

        cr_expect_eq(fabric_printable(cases[i].text, out), strlen(cases[i].printable));
        cr_expect_str_eq(out, cases[i].printable);
    }
}

Test(load_problems, every_byte_becomes_one_clean_line)
{
    for (unsigned first = 1; first < 256; first++)
        for (unsigned second = 0; second < 256; second++) {
            const char text[] = {(char)first, (char)second, '\0'};
            char out[FABRIC_PRINTABLE_BYTES(2)], again[FABRIC_PRINTABLE_BYTES(8)];

            fabric_printable(text, out);
            fabric_printable(out, again);
            cr_assert_str_eq(out, again, "%02x %02x", first, second);
            for (const unsigned char *at = (const unsigned char *)out; *at; at++)
                cr_assert(*at >= 0x20 && *at != 0x7f, "%02x %02x", first, second);
        }
}

static void expect_text(const char *text, const char *expected)
{
    char *problems;

    cr_expect_null(files_load_text(text, &problems));
    cr_expect_str_eq(problems, expected);
    free(problems);
}

Test(load_problems, names_and_keys_forge_no_lines_and_rule_no_terminal)
{
    expect_text("fabric: \"a\\n/etc/x:3: error: forged\"\n",
                "base.yaml:1: error: fabric: 'a\\n/etc/x:3: error: forged' is not a name (letters, "
                "digits, '.', '_', '-'; at most 80)\n");
    expect_text("\"fab\\x1b[2Jrik\": 3\n",
                "base.yaml:1: error: unknown key 'fab\\x1b[2Jrik'; known here: fabric, include, "
                "mode, quirks, engine, ecmp, internet, reserved_prefixes, vnets, peerings, "
                "route_tables, service_tags, hosts, nics, ports, route_servers, gateways, "
                "load_balancers, policies, routers, tunnels\n");
    expect_text(
        "include: [\"a\\nb\\x9b.yaml\"]\n",
        "base.yaml:1: error: 'a\\nb\\x9b.yaml' cannot be read: No such file or directory\n");
}

Test(load_problems, a_long_value_is_cut_between_characters)
{
    expect_text("mode: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxéxx\n",
                "base.yaml:1: error: mode: "
                "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…' is not one of: "
                "native, azure\n");
}

Test(load_problems, a_file_name_is_made_printable_too)
{
    const struct files_file files[] = {{"a\x1b.yaml", "- x\n", false}, {NULL, NULL, false}};
    char *problems;

    cr_expect_null(files_load(files, &problems));
    cr_expect_str_eq(problems,
                     "a\\x1b.yaml:1: error: expected keys of a fabric file, found a list\n");
    free(problems);
}

/* --- Object and remedy ------------------------------------------------------------------------ */

/* One file with a warning of each rule that it can have at once. */
static const char warned[] =
    "mode: azure\n"
    "quirks: {no_bfd: false}\n"
    "vnets:\n"
    "  - {name: hub, address_space: [10.0.0.0/16, \"fd00::/48\"], subnets: [{name: "
    "RouteServerSubnet, prefixes: [10.0.0.0/26]}, {name: vms, prefixes: [10.0.1.0/24], "
    "route_table: out}]}\n"
    "  - {name: spoke, address_space: [10.1.0.0/16]}\n"
    "  - {name: far, address_space: [10.2.0.0/16]}\n"
    "peerings:\n"
    "  - {vnets: [spoke, hub], spoke: {use_remote_gateways: true}}\n"
    "  - {vnets: [hub, far], in_sync: false}\n"
    "  - {vnets: [far, spoke], far: {use_remote_gateways: true}, spoke: {allow_gateway_transit: "
    "true}}\n"
    "route_tables:\n"
    "  - {name: out, routes: [{prefix: 10.9.0.0/16, next_hop_type: VirtualAppliance, next_hop: "
    "10.9.9.9}]}\n"
    "nics:\n"
    "  - {name: nva, subnet: hub/vms, addresses: [10.0.1.4], ip_forwarding: true}\n"
    "  - {name: nvb, subnet: hub/vms, addresses: [10.0.1.5], ip_forwarding: true}\n"
    "  - {name: nvc, subnet: hub/vms, addresses: [10.0.1.6], ip_forwarding: false}\n"
    "route_servers:\n"
    "  - name: rs\n"
    "    vnet: hub\n"
    "    addresses: [10.0.0.4]\n"
    "    peers:\n"
    "      - {name: a, address: 10.0.1.4, asn: 65001, hold_time_s: 9, keepalive_s: 4}\n"
    "      - {name: b, address: 10.0.1.77, asn: 65001}\n"
    "      - {name: c, address: 10.0.1.6, asn: 65001}\n"
    "routers:\n"
    "  - {name: ra, nic: nva, asn: 65001}\n"
    "  - {name: rb, nic: nvb, asn: 65001, neighbors: [{route_server: rs}]}\n";

static const struct fabric_problem *find(const struct fabric_problems *problems, const char *rule,
                                         const char *object)
{
    for (size_t i = 0; i < problems->n; i++)
        if (problems->items[i].rule && strcmp(problems->items[i].rule, rule) == 0 &&
            strcmp(problems->items[i].object, object) == 0)
            return &problems->items[i];
    return NULL;
}

Test(load_problems, a_warning_says_what_it_is_about_and_what_would_be_right)
{
    static const struct {
        const char *rule, *object, *remedy; /* a part of it */
        unsigned line;
    } cases[] = {
        {"ipv6-unsupported", "vnets[hub]", "no_ipv6", 4},
        {"L6", "peerings[hub,spoke]", "allow_gateway_transit: true", 8},
        {"L16", "peerings[far,hub]", "in_sync: true", 9},
        {"L6", "peerings[far,spoke]", "a route server or a gateway", 10},
        {"L9", "route_tables[out].routes[10.9.0.0/16]", "peered", 12},
        {"L9", "nics[nvc]", "ip_forwarding: true", 16},
        {"keepalive", "route_servers[rs].peers[a]", "a third", 22},
        {"one-sided-session", "route_servers[rs].peers[a]", "neighbors", 22},
        {"peer-without-nic", "route_servers[rs].peers[b]", "NIC", 23},
        {"one-sided-session", "routers[rb]", "Add a peer", 27},
    };
    struct fabric_problems problems = files_problems(warned);

    cr_expect_eq(problems.errors, 0);
    cr_expect_eq(problems.n, COUNT(cases));
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct fabric_problem *problem = find(&problems, cases[i].rule, cases[i].object);

        cr_assert_not_null(problem, "no %s about %s", cases[i].rule, cases[i].object);
        cr_expect_eq(problem->line, cases[i].line, "%s: %u", problem->message, problem->line);
        cr_expect_not_null(strstr(problem->remedy, cases[i].remedy), "%s", problem->remedy);
        cr_expect_eq(problem->remedy[strlen(problem->remedy) - 1], '.', "a sentence");
    }
    fabric_problems_free(&problems);
}

Test(load_problems, every_key_of_a_limit_has_effect)
{
    struct fabric_problems problems = files_problems(
        "vnets: [{name: hub, address_space: [10.0.0.0/16], subnets: [{name: RouteServerSubnet, "
        "prefixes: [10.0.0.0/26]}, {name: vms, prefixes: [10.0.1.0/24]}]}]\n"
        "nics: [{name: n, subnet: hub/vms, addresses: [10.0.1.4], ip_forwarding: true}]\n"
        "route_servers:\n"
        "  - {name: rs, vnet: hub, addresses: [10.0.0.4], limits: {prefixes: 5}, peers: [{name: a, "
        "address: 10.0.1.4, asn: 65001, graceful_restart: {restart_seconds: 60}, max_prefixes: "
        "{limit: 4, count: azure, warn_percent: 70, action: drop_excess, idle_minutes: 3}}]}\n");

    cr_expect_eq(problems.n, 0);
    fabric_problems_free(&problems);
}

Test(load_problems, what_has_its_harmless_value_is_not_told)
{
    struct fabric_problems problems = files_problems(
        "vnets: [{name: hub, address_space: [10.0.0.0/16], subnets: [{name: RouteServerSubnet, "
        "prefixes: [10.0.0.0/26]}, {name: vms, prefixes: [10.0.1.0/24]}]}]\n"
        "quirks: {silent_drops: false}\n"
        "nics: [{name: n, subnet: hub/vms, addresses: [10.0.1.4], ip_forwarding: true}]\n"
        "route_servers:\n"
        "  - {name: rs, vnet: hub, addresses: [10.0.0.4], peers: [{name: a, address: 10.0.1.4, "
        "asn: "
        "65001, max_prefixes: {limit: 4, count: unique, action: close}}]}\n");

    cr_expect_eq(problems.n, 0);
    fabric_problems_free(&problems);
}

/* What native mode adds to the rules is refused where it makes no sense, each by its name. */
Test(load_problems, additions_of_native_mode_are_refused_in_azure_mode)
{
    static const char *const wanted[] = {
        "bgp_overrides: BGP never overrides address space in azure mode",
        "summaries: address space is not summarised in azure mode",
        "gateways[vpn].default_route: not in azure mode",
        "gateways[er].point_to_site_transit: belongs to type Vpn",
        "routers[cpe2].address: 192.0.2.1 is that of router 'cpe1'",
        "routers[os].address: is for boxes on-premises",
        "gateways[er].neighbors: asn is 65001, but router 'cpe1', which has this address",
    };
    struct fabric_problems problems = files_problems(
        "mode: azure\n"
        "vnets: [{name: hub, address_space: [10.0.0.0/16], bgp_overrides: [10.0.0.0/8], subnets: "
        "[{name: RouteServerSubnet, prefixes: [10.0.0.0/26]}, {name: nva, prefixes: "
        "[10.0.1.0/24]}, {name: GatewaySubnet, prefixes: [10.0.3.0/26]}]}]\n"
        "nics: [{name: n, subnet: hub/nva, addresses: [10.0.1.4], ip_forwarding: true}]\n"
        "route_servers: [{name: rs, vnet: hub, addresses: [10.0.0.4], summaries: [10.0.0.0/8]}]\n"
        "gateways:\n"
        "  - {name: er, type: ExpressRoute, vnet: hub, addresses: [10.0.3.4], "
        "point_to_site_transit: true, neighbors: [{address: 192.0.2.1, asn: 65001}]}\n"
        "  - {name: vpn, type: Vpn, vnet: hub, addresses: [10.0.3.6, 10.0.3.7], default_route: "
        "true}\n"
        "routers:\n"
        "  - {name: cpe1, asn: 65050, address: 192.0.2.1}\n"
        "  - {name: cpe2, asn: 65001, address: 192.0.2.1}\n"
        "  - {name: os, nic: n, asn: 65001, address: 192.0.2.3}\n");

    for (size_t i = 0; i < COUNT(wanted); i++) {
        bool found = false;

        for (size_t j = 0; j < problems.n; j++)
            found |= strstr(problems.items[j].message, wanted[i]) != NULL;
        cr_expect(found, "nobody says: %s", wanted[i]);
    }
    cr_expect_eq(problems.errors, COUNT(wanted), "%zu", (size_t)problems.errors);
    fabric_problems_free(&problems);
}
