/* What differs between two readings of a fabric file, and how a running engine takes it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fabric/outline.h"

#define VNETS                                                                                      \
    "vnets:\n  - {name: hub, region: a, address_space: [10.0.0.0/16], subnets: [{name: "           \
    "RouteServerSubnet, prefixes: [10.0.0.0/26]}, {name: s, prefixes: [10.0.1.0/24]}]}\n"          \
    "  - {name: spoke, region: a, address_space: [10.1.0.0/16], subnets: [{name: s, prefixes: "    \
    "[10.1.0.0/24]}]}\n"
#define NICS                                                                                       \
    "nics:\n  - {name: vm1, subnet: hub/s, addresses: [10.0.1.4]}\n"                               \
    "  - {name: vm2, subnet: spoke/s, addresses: [10.1.0.4]}\n"
#define SERVERS                                                                                    \
    "route_servers: [{name: rs, vnet: hub, addresses: [10.0.0.4], peers: [{name: p, address: "     \
    "10.0.1.4, asn: 65001}]}]\n"

static int read_text(void *context, const char *path, char **text, size_t *length,
                     bool *is_directory)
{
    (void)path;
    (void)is_directory;
    *text = strdup(context);
    *length = strlen(context);
    return *text ? 0 : -1;
}

static struct fabric_outline *outline(const char *text, struct fabric **fabric)
{
    const struct fabric_reader reader = {(void *)(uintptr_t)text, read_text};
    struct fabric_problems problems;
    struct fabric_outline *made;
    *fabric = fabric_load_outlined("f.yaml", &reader, &made, &problems);
    cr_assert_not_null(*fabric, "%s: %s", text, problems.n ? problems.items[0].message : "");
    fabric_problems_free(&problems);
    return made;
}

/* One line a change: "~ nics[vm1]: addresses (applied) 3". */
static char *differences(const char *before, const char *after)
{
    struct fabric *was, *is;
    struct fabric_outline *a = outline(before, &was), *b = outline(after, &is);
    struct fabric_changes changes;
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    cr_assert_eq(fabric_outline_compare(a, b, &changes), 0);
    fabric_changes_judge(&changes, was, is);
    fabric_free(was); /* the outlines stand alone */
    fabric_free(is);
    for (size_t i = 0; i < changes.n; i++) {
        const struct fabric_change *change = &changes.items[i];
        fprintf(out, "%s %s%s%s (%s) %s:%u\n", fabric_change_kind_text(change->kind),
                change->object, *change->keys ? ": " : "", change->keys,
                fabric_change_way_text(change->way), change->place.file, change->place.line);
    }
    fclose(out);
    fabric_changes_free(&changes);
    fabric_outline_free(a);
    fabric_outline_free(b);
    return text;
}

static void expect(const char *before, const char *after, const char *wanted)
{
    char *text = differences(before, after);
    cr_assert_str_eq(text, wanted, "got:\n%s", text);
    free(text);
}

#define BASE "fabric: f\n" VNETS NICS SERVERS

Test(outline, order_quotes_and_spacing_make_no_difference)
{
    expect(BASE, BASE, "");
    expect(BASE, SERVERS NICS VNETS "fabric: 'f'\n", "");
    expect("fabric: f\n" VNETS "nics:\n  - {name: vm1, subnet: hub/s, addresses: [10.0.1.4]}\n"
           "  - {name: vm2, subnet: spoke/s, addresses: [10.1.0.4]}\n" SERVERS,
           "fabric: f\n" VNETS
           "nics:\n  - addresses:\n      - '10.1.0.4'\n    name: vm2\n    subnet: spoke/s\n"
           "  - {subnet: hub/s, name: vm1, addresses: [10.0.1.4]}\n" SERVERS,
           "");
}

Test(outline, elements_come_go_and_change)
{
    expect(BASE,
           "fabric: f\n" VNETS "nics:\n  - {name: vm1, subnet: hub/s, addresses: [10.0.1.5], "
           "ip_forwarding: true}\n  - {name: vm3, subnet: hub/s, addresses: [10.0.1.6]}\n" SERVERS,
           "changed nics[vm1]: addresses, ip_forwarding (applied) f.yaml:6\n"
           "removed nics[vm2] (applied) f.yaml:7\n"
           "added nics[vm3] (applied) f.yaml:7\n");
    expect(BASE,
           BASE "route_tables: [{name: t, routes: [{prefix: 10.9.0.0/16, next_hop_type: None}]}]\n",
           "added route_tables[t] (applied) f.yaml:9\n");
    expect(BASE "route_tables: [{name: t, routes: [{prefix: 10.9.0.0/16, next_hop_type: None}]}]\n",
           BASE "route_tables: [{name: t, routes: [{prefix: 10.9.0.0/16, next_hop_type: Internet}, "
                "{prefix: 10.8.0.0/16, next_hop_type: None}]}]\n",
           "added route_tables[t].routes[10.8.0.0/16] (applied) f.yaml:9\n"
           "changed route_tables[t].routes[10.9.0.0/16]: next_hop_type (applied) f.yaml:9\n");
}

Test(outline, what_a_running_engine_cannot_do_is_told)
{
    expect(BASE, "mode: azure\n" BASE, "added mode (restart) f.yaml:1\n");
    expect(BASE "ecmp: {hash: 5-tuple}\n", BASE "ecmp: {hash: 3-tuple}\n",
           "changed ecmp: hash (restart) f.yaml:9\n");
    expect(BASE, BASE "ports: [{name: x, device: net_null}]\n",
           "added ports[x] (restart) f.yaml:9\n");
    expect(BASE,
           BASE "routers: [{name: r, nic: vm1, asn: 65001, neighbors: [{route_server: rs}]}]\n",
           "added routers[r] (nothing) f.yaml:9\n");
}

/* The rows of docs/live.md about what is refused, and those about what is new as a whole. */
Test(outline, every_section_is_applied_or_refused_by_name)
{
    static const struct {
        const char *text, *object, *way;
    } sections[] = {
        {"load_balancers: [{name: b, subnet: hub/s, frontend: 10.0.1.9, backends: [vm1]}]",
         "load_balancers[b]", "applied"},
        {"peerings: [{vnets: [hub, spoke]}]", "peerings[hub,spoke]", "applied"},
        {"service_tags: [{name: t, prefixes: [192.0.2.0/24]}]", "service_tags[t]", "applied"},
        {"reserved_prefixes: [198.18.0.0/15]", "reserved_prefixes", "applied"},
        {"policies: [{name: a, rules: [{then: accept}]}]", "policies[a]", "policy"},
        {"ports: [{name: x, device: net_null}]", "ports[x]", "restart"},
        {"hosts: [{name: h, vtep: 192.0.2.7}]", "hosts[h]", "restart"},
        {"engine: {cores: [0]}", "engine", "restart"},
        {"ecmp: {balance: strict}", "ecmp", "restart"},
        {"mode: azure", "mode", "restart"},
        {"quirks: {damping: true}", "quirks", "restart"},
        {"internet: {mac: '02:00:00:00:00:fd'}", "internet", "restart"},
    };
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        char after[2000], wanted[200];
        snprintf(after, sizeof(after), BASE "%s\n", sections[i].text);
        snprintf(wanted, sizeof(wanted), "added %s (%s) f.yaml:9\n", sections[i].object,
                 sections[i].way);
        expect(BASE, after, wanted);
    }
    expect(BASE,
           "fabric: f\n" VNETS NICS
           "route_servers: [{name: rs, vnet: hub, addresses: [10.0.0.4], asn: 65520, peers: "
           "[{name: p, address: 10.0.1.4, asn: 65001}]}]\n",
           "changed route_servers[rs]: asn (restart) f.yaml:8\n");
    expect(BASE,
           "fabric: f\n" VNETS NICS
           "route_servers: [{name: rs, vnet: hub, addresses: [10.0.0.4], peers: [{name: p, "
           "address: 10.0.1.4, asn: 65001}], dynamic_peers: [{prefix: 10.0.1.128/25, asns: "
           "[65001], template: p}]}]\n",
           "added route_servers[rs].dynamic_peers[10.0.1.128/25] (restart) f.yaml:8\n");
}

#define WITH_PEERS(peers)                                                                          \
    "fabric: f\n" VNETS NICS                                                                       \
    "route_servers: [{name: rs, vnet: hub, addresses: [10.0.0.4], peers: [" peers "]}]\n"

Test(outline, peers_come_go_and_change_and_the_plan_says_whose_sessions_begin_anew)
{
    const struct {
        const char *keys, *text, *way;
    } cases[] = {
        {"asn", "{name: p, address: 10.0.1.4, asn: 65002}", "reset"},
        {"address", "{name: p, address: 10.0.1.5, asn: 65001}", "reset"},
        {"hold_time_s", "{name: p, address: 10.0.1.4, asn: 65001, hold_time_s: 180}", "applied"},
        {"hold_time_s", "{name: p, address: 10.0.1.4, asn: 65001, hold_time_s: 90}", "reset"},
        {"bfd", "{name: p, address: 10.0.1.4, asn: 65001, bfd: {interval_ms: 50}}", "reset"},
        {"bgp", "{name: p, address: 10.0.1.4, asn: 65001, bgp: {prepend: 1}}", "reset"},
        {"transport", "{name: p, address: 10.0.1.4, asn: 65001, transport: {ttl: 5}}", "reset"},
        {"key_file", "{name: p, address: 10.0.1.4, asn: 65001, key_file: k}", "reset"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char after[2000], wanted[200];
        snprintf(after, sizeof(after), WITH_PEERS("%s"), cases[i].text);
        snprintf(wanted, sizeof(wanted), "changed route_servers[rs].peers[p]: %s (%s) f.yaml:8\n",
                 cases[i].keys, cases[i].way);
        expect(BASE, after, wanted);
    }
    expect(WITH_PEERS("{name: p, address: 10.0.1.4, asn: 65001, key_file: k}"),
           WITH_PEERS("{name: p, address: 10.0.1.4, asn: 65001, key_file: l}"),
           "changed route_servers[rs].peers[p]: key_file (applied) f.yaml:8\n");
    expect(BASE, WITH_PEERS("{name: q, address: 10.0.1.5, asn: 65001}"),
           "removed route_servers[rs].peers[p] (applied) f.yaml:8\n"
           "added route_servers[rs].peers[q] (applied) f.yaml:8\n");
}

Test(outline, which_policy_a_session_has_is_no_reason_to_restart)
{
    const char *with =
        "fabric: f\n" VNETS NICS
        "route_servers: [{name: rs, vnet: hub, addresses: [10.0.0.4], peers: [{name: p, "
        "address: 10.0.1.4, asn: 65001, import: a}]}]\n"
        "policies: [{name: a, rules: [{then: accept}]}]\n";
    expect(BASE, with,
           "added policies[a] (policy) f.yaml:9\n"
           "changed route_servers[rs].peers[p]: import (policy) f.yaml:8\n");
}
