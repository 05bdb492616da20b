/* Drill files: what is read, what is refused and with which words, and how a fabric file is edited. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fabric/drill.h"
#include "engine/fabric/edit.h"
#include "engine/fabric/loader.h"

static const char fabric_text[] =
    "fabric: small\n"
    "vnets:\n"
    "  - name: hub\n"
    "    address_space: [10.0.0.0/22]\n"
    "    subnets: [{name: RouteServerSubnet, prefixes: [10.0.0.0/26]}, {name: nva, prefixes: "
    "[10.0.1.0/24], route_table: t}]\n"
    "  - {name: spoke, address_space: [10.1.0.0/16], subnets: [{name: vms, prefixes: "
    "[10.1.0.0/24]}]}\n"
    "peerings: [{vnets: [hub, spoke], hub: {allow_gateway_transit: true}, spoke: "
    "{use_remote_gateways: true}}]\n"
    "route_tables: [{name: t, routes: [{prefix: 0.0.0.0/0, next_hop_type: Internet}]}]\n"
    "nics:\n"
    "  - {name: nva1, subnet: hub/nva, addresses: [10.0.1.4], ip_forwarding: true}\n"
    "  - {name: vm1, subnet: spoke/vms, addresses: [10.1.0.4]}\n"
    "route_servers: [{name: rs1, vnet: hub, addresses: [10.0.0.4, 10.0.0.5], peers: [{name: nva1, "
    "address: 10.0.1.4, asn: 65001}]}]\n"
    "routers: [{name: nva1-os, nic: nva1, asn: 65001, originate: [10.0.0.0/8], neighbors: "
    "[{route_server: rs1}], health: [{name: app, when_down: {withdraw: [10.0.0.0/8]}}]}]\n";

static const char *drill_text;

static int read_text(void *context, const char *path, char **text, size_t *length,
                     bool *is_directory)
{
    (void)context;
    (void)is_directory;
    const char *content = strcmp(path, "drill.yaml") == 0 ? drill_text : fabric_text;
    if (strcmp(path, "gone.yaml") == 0)
        return -ENOENT;
    *length = strlen(content);
    *text = strdup(content);
    return *text ? 0 : -ENOMEM;
}

static const struct fabric_reader reader = {.read = read_text};

static struct fabric_drill *load(const char *text, struct fabric_problems *problems)
{
    drill_text = text;
    return fabric_drill_load("drill.yaml", "fabric.yaml", &reader, problems);
}

/* One of the problems begins with `want`, "line: message". */
static void refused(const char *text, const char *want)
{
    struct fabric_problems problems;
    char all[4096] = "", line[512];
    struct fabric_drill *drill = load(text, &problems);
    bool found = false;
    for (size_t i = 0; i < problems.n; i++) {
        snprintf(line, sizeof(line), "%u: %s", problems.items[i].line, problems.items[i].message);
        found |= strncmp(line, want, strlen(want)) == 0 &&
                 strcmp(problems.items[i].file, "drill.yaml") == 0;
        strncat(all, line, sizeof(all) - strlen(all) - 2);
        strcat(all, "\n");
    }
    cr_expect_null(drill, "accepted: %s", text);
    cr_expect(found, "wanted '%s' among\n%s", want, all);
    fabric_problems_free(&problems);
    fabric_drill_free(drill);
}

Test(drill, is_read_with_defaults_and_sorted_by_time)
{
    struct fabric_problems problems;
    struct fabric_drill *drill =
        load("drill: d\n"
             "probes: [{name: p, from: vm1, to: 198.51.100.1}]\n"
             "events:\n"
             "  - {at_ms: 20, restart: rs1/1}\n"
             "  - {at_ms: 10, cut: {router: nva1-os, route_server: rs1}}\n"
             "  - {at_ms: 20, health_down: {router: nva1-os, check: app}}\n"
             "expect:\n"
             "  - {nic: vm1, prefix: 10.0.0.0/8, next_hops: []}\n"
             "  - {probe: p, lost_ms_max: 5, moved_needlessly: 0}\n",
             &problems);
    cr_assert_not_null(drill, "%s", problems.n ? problems.items[0].message : "");
    cr_assert_eq(drill->seed, 1);
    cr_assert_eq(drill->probes[0].flows, 1);
    cr_assert_eq(drill->probes[0].packets_per_second, 1000);
    cr_assert_eq(drill->probes[0].protocol, 6);
    cr_assert_eq(drill->probes[0].destination_port, 443);
    cr_assert_eq(drill->event_count, 3);
    cr_assert_str_eq(drill->events[0].what, "cut nva1-os - rs1");
    cr_assert_str_eq(drill->events[1].what, "restart rs1/1");
    cr_assert_str_eq(drill->events[2].what, "health_down app of nva1-os");
    cr_assert_str_eq(drill->expects[0].text, "at the end vm1 has 10.0.0.0/8 via no next hop");
    cr_assert_str_eq(drill->expects[1].text,
                     "probe p is lost for at most 5 ms, at most 0 flows move needlessly");
    cr_assert_eq(drill->stage_count, 1);
    struct fabric_drill_target target = fabric_drill_find(drill->stages[0], "rs1/1");
    cr_assert_eq(target.router, FABRIC_NONE);
    cr_assert_eq(target.first, 1);
    cr_assert_eq(target.count, 1);
    cr_assert_eq(fabric_drill_find(drill->stages[0], "rs1").count, 2);
    cr_assert_eq(fabric_drill_find(drill->stages[0], "rs1/2").route_server, FABRIC_NONE);
    fabric_problems_free(&problems);
    fabric_drill_free(drill);
}

Test(drill, says_what_is_wrong_and_where)
{
    refused("seed: 1\n", "1: the key 'drill' is missing");
    refused("drill: d\nseeds: 1\n", "2: unknown key 'seeds'; did you mean 'seed'?");
    refused("- a\n", "1: expected keys of a drill file");
    refused("drill: d\nevents:\n  - {at_ms: 1}\n", "3: an event needs one of: stop, kill");
    refused("drill: d\nevents:\n  - {stop: nva1-os}\n", "3: events[0]: the key 'at_ms' is missing");
    refused("drill: d\nevents:\n  - {at_ms: 1, stop: nva1-os, kill: nva1-os}\n",
            "3: one event cannot stop and kill");
    refused("drill: d\nevents:\n  - {at_ms: 1, stop: nva1-so}\n",
            "3: the fabric has no router, route server or instance 'nva1-so' at that time; did you "
            "mean 'nva1-os'?");
    refused("drill: d\nevents:\n  - {at_ms: 1, stop: rs1/2}\n",
            "3: the fabric has no router, route server or instance 'rs1/2'");
    refused("drill: d\nevents:\n  - {at_ms: -1, stop: rs1}\n", "3: events[0].at_ms: '-1' is not");
    refused("drill: d\nevents:\n  - {at_ms: 1, stpo: rs1}\n",
            "3: events[0]: unknown key 'stpo'; did you mean 'stop'?");
    refused("drill: d\nevents:\n  - {at_ms: 1, cut: {router: nva1-os}}\n",
            "3: cut needs the other end of the link");
    refused("drill: d\nevents:\n  - {at_ms: 1, cut: {router: nva1-os, route_server: rs2}}\n",
            "3: the fabric has no route server 'rs2' at that time; did you mean 'rs1'?");
    refused("drill: d\nevents:\n  - {at_ms: 1, health_up: {router: nva1-os, check: ap}}\n",
            "3: the router 'nva1-os' has no health check 'ap'; did you mean 'app'?");
    refused("drill: d\nevents:\n  - {at_ms: 1, announce: {router: nva1-os, prefixes: "
            "[10.0.0.1/8]}}\n",
            "3: events[0].announce.prefixes: '10.0.0.1/8' has bits set beyond its length");
    refused("drill: d\nevents:\n  - {at_ms: 1, announce: {router: nva1-os, prefixes: []}}\n",
            "3: announce needs prefixes, or blocks of them");
    refused("drill: d\nprobes: [{name: p, from: vm2, to: vm1}]\n",
            "2: the fabric has no NIC, address of a NIC, or host 'vm2' at that time; did you mean "
            "'vm1'?");
    refused("drill: d\nprobes: [{name: p, from: vm1, to: nva1, start_ms: 5, end_ms: 5}]\n",
            "2: the probe 'p' ends before it starts");
    refused("drill: d\nprobes: [{name: p, from: vm1, to: nva1}, {name: p, from: vm1, to: nva1}]\n",
            "2: probes: the name 'p' is used twice");
    refused("drill: d\nexpect: [{nic: vm1}]\n", "2: an expectation of a NIC needs prefix");
    refused("drill: d\nexpect: [{nic: vm1, probe: p}]\n", "2: an expectation needs exactly one");
    refused("drill: d\nexpect: [{probe: p, lost_max: 0}]\n", "2: the drill has no probe 'p'");
    refused("drill: d\nexpect: [{nic: vm1, prefix: 0.0.0.0/0, next_hop_type: internet}]\n",
            "2: there is no next hop type 'internet'; did you mean 'Internet'?");
    refused("drill: d\nduration_ms: 5\nevents: [{at_ms: 6, stop: rs1}]\n",
            "3: the drill is over before that: duration_ms is 5");
    refused("drill: d\nevents: &a [{at_ms: 1, stop: *a}]\n", "2: the alias '*a' stands inside");
    refused("drill: d\nexpect: [{nic: vm1, prefix: 10.0.0.0/8, next_hops: [10.0.1.4, 10.0.1.5, "
            "10.0.1.4]}]\n",
            "2: next_hops names 10.0.1.4 twice");
}

Test(drill, blocks_of_prefixes_are_announced_one_by_one)
{
    struct fabric_problems problems;
    struct fabric_drill *drill = load(
        "drill: d\nevents:\n"
        "  - {at_ms: 1, announce: {router: nva1-os, prefixes: [9.9.9.9/32], blocks: [{within: "
        "10.128.0.0/9, length: 24, count: 4000}, {within: 'fd00::/8', length: 48, count: 2}]}}\n",
        &problems);
    cr_assert_not_null(drill, "%s", problems.n ? problems.items[0].message : "");
    char text[LPM_PREFIX_TEXT];
    const struct fabric_prefixes *prefixes = &drill->events[0].prefixes;
    cr_expect_eq(prefixes->n, 4003);
    cr_expect_str_eq(lpm_prefix_format(&prefixes->items[1], text), "10.128.0.0/24");
    cr_expect_str_eq(lpm_prefix_format(&prefixes->items[4000], text), "10.143.159.0/24");
    cr_expect_str_eq(lpm_prefix_format(&prefixes->items[4002], text), "fd00:0:1::/48");
    cr_expect_str_eq(drill->events[0].what, "announce 9.9.9.9/32 by nva1-os and 4002 more");
    fabric_problems_free(&problems);
    fabric_drill_free(drill);
    refused("drill: d\nevents:\n  - {at_ms: 1, announce: {router: nva1-os, blocks: [{within: "
            "10.0.0.0/24, length: 26, count: 5}]}}\n",
            "3: blocks: 10.0.0.0/24 does not hold 5 prefixes of length 26");
    refused("drill: d\nevents:\n  - {at_ms: 1, announce: {router: nva1-os, blocks: [{within: "
            "10.0.0.0/24, length: 23, count: 1}]}}\n",
            "3: blocks: 10.0.0.0/24 does not hold 1 prefixes of length 23");
    refused("drill: d\nevents:\n  - {at_ms: 1, announce: {router: nva1-os}}\n",
            "3: announce needs prefixes, or blocks of them");
}

Test(drill, a_flap_ends_within_the_longest_drill_and_its_own)
{
    refused("drill: d\nevents:\n  - {at_ms: 1, flap: {router: nva1-os, times: 1000, period_ms: "
            "86400}}\n",
            "3: 1000 times 86400 ms from 1 ms on are more than the 86400000 ms");
    refused("drill: d\nevents:\n  - {at_ms: 0, flap: {router: nva1-os, times: 1000, period_ms: "
            "86400000}}\n",
            "3: 1000 times 86400000 ms from 0 ms on are more than the 86400000 ms");
    refused("drill: d\nduration_ms: 5000\nevents:\n  - {at_ms: 1, flap: {router: nva1-os, times: "
            "5, period_ms: 1000}}\n",
            "4: the drill is over before that: duration_ms is 5000");
    struct fabric_problems problems;
    struct fabric_drill *drill = load("drill: d\nduration_ms: 86400000\nevents:\n  - {at_ms: 0, "
                                      "flap: {router: nva1-os, times: 1000, period_ms: 86400}}\n",
                                      &problems);
    cr_assert_not_null(drill, "%s", problems.n ? problems.items[0].message : "");
    cr_assert_eq(fabric_drill_done_ms(&drill->events[0]), 86400000);
    fabric_problems_free(&problems);
    fabric_drill_free(drill);
}

Test(drill, words_of_a_change_are_whole_printable_characters)
{
    struct fabric_problems problems;
    struct fabric_drill *drill =
        load("drill: d\nevents:\n"
             "  - {at_ms: 1, set: {vnets/hub/region: aääääääääääääääääääääää}}\n"
             "  - {at_ms: 2, set: {vnets/hub/region: \"a\\e[1m\"}}\n",
             &problems);
    cr_assert_not_null(drill, "%s", problems.n ? problems.items[0].message : "");
    cr_expect_str_eq(drill->events[0].what, "set vnets/hub/region: aäääääääääääääääääää…");
    cr_expect_str_eq(drill->events[1].what, "set vnets/hub/region: a\\x1b[1m");
    cr_expect_eq(fabric_text_fit("aää", 4), 3);
    cr_expect_eq(fabric_text_fit("aää", 5), 5);
    cr_expect_eq(fabric_text_fit("aää", 99), 5);
    fabric_problems_free(&problems);
    fabric_drill_free(drill);
}

Test(drill, changes_that_cannot_be_made_are_refused_where_they_stand)
{
    static const char *const fixed[] = {
        "nicss/vm1/subnet",      "engine/verify", "route_servers", "route_servers/rs1",
        "route_servers/rs1/asn", "ports",         "hosts",         "mode"};
    for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++) {
        char text[200], want[200];
        snprintf(text, sizeof(text), "drill: d\nevents:\n  - at_ms: 1\n    set:\n      %s: 7\n",
                 fixed[i]);
        snprintf(want, sizeof(want),
                 "5: %s cannot be changed while the fabric runs; what can is in docs/drill.md",
                 fixed[i]);
        refused(text, want);
    }
    refused("drill: d\nevents: [{at_ms: 1, set: {routers/nva1-so/asn: 7}}]\n",
            "2: routers/nva1-so/asn: there is no 'nva1-so' at that time; did you mean 'nva1-os'?");
    refused("drill: d\nevents: [{at_ms: 1, set: {routers//originate: 7}}]\n",
            "2: routers//originate: the path has an empty step");
    refused("drill: d\nevents: [{at_ms: 1, set: {route_servers/rs1/peers/nva1/asn: 7}}]\n",
            "2: route_servers[rs1].peers[nva1].asn: is 7, but router 'nva1-os', which owns this "
            "address, has asn 65001");
    refused("drill: d\nevents: [{at_ms: 1, set: {tunnels: 7}}]\n", "2: tunnels: expected a list");
    refused("drill: d\nevents: [{at_ms: 1, set: {routers/nva1-os/neighbors/rs1/prepend: 33}}]\n",
            "2: routers[nva1-os].neighbors[0].prepend: '33' is not");
    refused("drill: d\nevents: [{at_ms: 1, set: {routers/nva1-os/neighbors/rs2/prepend: 3}}]\n",
            "2: routers/nva1-os/neighbors/rs2/prepend: there is no 'rs2' at that time");
    refused("drill: d\nexpect: [{nic: er1/0, prefix: 0.0.0.0/0, next_hops: []}]\n",
            "2: the fabric has no NIC 'er1/0' at that time");
    refused("drill: d\nevents: [{at_ms: 1, set: {route_tables/tt/bgp_propagation: true}}]\n",
            "2: route_tables/tt/bgp_propagation: there is no 'tt' at that time; did you mean 't'?");
    refused("drill: d\nevents: [{at_ms: 1, set: {route_tables/t/bgp_propagtion: true}}]\n",
            "2: route_tables[t]: unknown key 'bgp_propagtion'; did you mean 'bgp_propagation'?");
    refused("drill: d\nevents: [{at_ms: 1, set: {route_tables/t/bgp_propagation: maybe}}]\n",
            "2: route_tables[t].bgp_propagation: 'maybe' is not true or false");
    refused("drill: d\nevents: [{at_ms: 1, set: {route_tables//t: 1}}]\n",
            "2: route_tables//t: the path has an empty step");
    refused("drill: d\nevents: [{at_ms: 1, set: {nics/vm1/subnet/x: 1}}]\n",
            "2: nics/vm1/subnet/x: the path goes on where there is but a value");
    refused("drill: d\nevents: [{at_ms: 1, add: {nics/vm1: [a]}}]\n",
            "2: nics/vm1: only to a list something can be added");
    refused("drill: d\nevents: [{at_ms: 1, add: {nics: vm2}}]\n",
            "2: nics: expected a list of what is to be added, found 'vm2'");
    refused("drill: d\nevents: [{at_ms: 1, add: {nics: [{name: x, subnet: spoke/vms, addresses: "
            "[10.1.0.9]}, {name: x, subnet: spoke/vms, addresses: [10.1.0.8]}]}}]\n",
            "2: nics: the name 'x' is used twice");
    refused("drill: d\nevents: [{at_ms: 1, remove: {nics: [vm7]}}]\n",
            "2: nics: there is no 'vm7' at that time; did you mean 'vm1'?");
    refused("drill: d\nevents: [{at_ms: 1, set: {nics/nva1/addresses: [10.0.1.9]}}]\n", "2: '");
    refused("drill: d\nevents: [{at_ms: 1, add: {vnets: [{name: far, address_space: [10.5.0.0/16], "
            "subnets: [{name: GatewaySubnet, prefixes: [10.5.0.0/26]}]}], gateways: [{name: er1, "
            "type: ExpressRoute, vnet: far, addresses: [10.5.0.4, 10.5.0.5]}]}}]\n",
            "2: the first gateway of a VNet without a route server cannot come");
    refused("drill: d\nevents:\n  - {at_ms: 1, remove: {nics: [vm1]}}\nexpect:\n  - {nic: vm1, "
            "prefix: 0.0.0.0/0, next_hops: []}\n",
            "5: the fabric has no NIC 'vm1' at that time");
}

Test(drill, stages_are_the_fabric_after_each_change)
{
    struct fabric_problems problems;
    struct fabric_drill *drill = load(
        "drill: d\nevents:\n"
        "  - {at_ms: 3, remove: {route_tables/t/routes: [0.0.0.0/0], peerings: ['spoke,hub']}}\n"
        "  - {at_ms: 1, set: {route_tables/t/bgp_propagation: false}}\n"
        "  - {at_ms: 2, stop: nva1-os}\n",
        &problems);
    cr_assert_not_null(drill, "%s", problems.n ? problems.items[0].message : "");
    cr_assert_eq(drill->stage_count, 3);
    cr_assert(drill->stages[0]->route_tables[0].bgp_propagation);
    cr_assert_not(drill->stages[1]->route_tables[0].bgp_propagation);
    cr_assert_eq(drill->stages[1]->route_tables[0].route_count, 1);
    cr_assert_eq(drill->stages[2]->route_tables[0].route_count, 0);
    cr_assert_eq(drill->stages[1]->peerings_count, 1);
    cr_assert_eq(drill->stages[2]->peerings_count, 0);
    cr_assert_eq(drill->events[0].stage, 1);
    cr_assert_eq(drill->events[1].stage, 1);
    cr_assert_eq(drill->events[2].stage, 2);
    cr_assert_str_eq(drill->events[0].what, "set route_tables/t/bgp_propagation: false");
    fabric_problems_free(&problems);
    fabric_drill_free(drill);
}

Test(drill, of_a_fabric_that_cannot_be_read_is_refused)
{
    struct fabric_problems problems;
    drill_text = "drill: d\n";
    cr_assert_null(fabric_drill_load("drill.yaml", "gone.yaml", &reader, &problems));
    cr_assert_eq(problems.errors, 1);
    fabric_problems_free(&problems);
    cr_assert_null(fabric_drill_load("gone.yaml", "fabric.yaml", &reader, &problems));
    cr_assert_eq(problems.errors, 1);
    fabric_problems_free(&problems);
}
