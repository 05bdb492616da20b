#include "tests/sim/fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lpm/rcu.h"

static const char base[] =
    "fabric: test\n"
    "vnets:\n"
    "  - name: hub\n"
    "    region: uksouth\n"
    "    address_space: [10.0.0.0/22, 'fd00:10::/48']\n"
    "    subnets:\n"
    "      - {name: RouteServerSubnet, prefixes: [10.0.0.0/26, 'fd00:10::/64']}\n"
    "      - {name: nva, prefixes: [10.0.1.0/24, 'fd00:10:0:1::/64']}\n"
    "      - {name: vms, prefixes: [10.0.2.0/24]}\n"
    "  - name: spoke1\n"
    "    region: uksouth\n"
    "    address_space: [10.1.0.0/16, 'fd00:11::/48']\n"
    "    subnets: [{name: vms, prefixes: [10.1.0.0/24, 'fd00:11::/64']}]\n"
    "  - name: spoke2\n"
    "    region: uksouth\n"
    "    address_space: [10.2.0.0/16]\n"
    "    subnets: [{name: vms, prefixes: [10.2.0.0/24]}]\n"
    "peerings:\n"
    "  - vnets: [hub, spoke1]\n"
    "    hub: {allow_gateway_transit: true, allow_forwarded_traffic: true}\n"
    "    spoke1: {use_remote_gateways: true, allow_forwarded_traffic: true}\n"
    "  - vnets: [hub, spoke2]\n"
    "    hub: {allow_gateway_transit: true, allow_forwarded_traffic: true}\n"
    "    spoke2: {use_remote_gateways: true, allow_forwarded_traffic: true}\n"
    "nics:\n"
    "  - {name: vm1, subnet: spoke1/vms, addresses: [10.1.0.4, 'fd00:11::4']}\n"
    "  - {name: vm2, subnet: spoke2/vms, addresses: [10.2.0.4]}\n"
    "  - {name: hubvm, subnet: hub/vms, addresses: [10.0.2.4]}\n"
    "  - {name: nva1, subnet: hub/nva, addresses: [10.0.1.4, 'fd00:10:0:1::4'], ip_forwarding: "
    "true}\n"
    "  - {name: nva2, subnet: hub/nva, addresses: [10.0.1.5, 'fd00:10:0:1::5'], ip_forwarding: "
    "true}\n"
    "route_servers:\n"
    "  - name: rs1\n"
    "    vnet: hub\n"
    "    addresses: [10.0.0.4, 10.0.0.5]\n"
    "    peers:\n"
    "      - {name: nva1, address: 10.0.1.4, asn: 65001%s}\n"
    "      - {name: nva2, address: 10.0.1.5, asn: 65001%s}\n"
    "routers:\n"
    "  - {name: nva1-os, nic: nva1, asn: 65001%s, originate: [10.0.0.0/8, 0.0.0.0/0, "
    "'fd00::/8'%s],\n"
    "     neighbors: [{route_server: rs1%s}]}\n"
    "  - {name: nva2-os, nic: nva2, asn: 65001%s, originate: [10.0.0.0/8, 0.0.0.0/0, "
    "'fd00::/8'%s],\n"
    "     neighbors: [{route_server: rs1%s}]}\n"
    "%s";

static int read_text(void *context, const char *path, char **text, size_t *length,
                     bool *is_directory)
{
    (void)path;
    *text = strdup(context);
    *length = strlen(context);
    *is_directory = false;
    return *text ? 0 : -ENOMEM;
}

static const char *or_nothing(const char *text)
{
    return text ? text : "";
}

static char *base_text(const struct fixture_text *text)
{
    char *yaml = NULL;
    int n = asprintf(
        &yaml, base, or_nothing(text->peers), or_nothing(text->peers), or_nothing(text->routers),
        or_nothing(text->nva1_originates), or_nothing(text->nva1), or_nothing(text->routers),
        or_nothing(text->nva2_originates), or_nothing(text->nva2), or_nothing(text->top));
    cr_assert_gt(n, 0);
    return yaml;
}

struct fabric *fixture_load_yaml(char *yaml)
{
    struct fabric_reader reader = {.context = yaml, .read = read_text};
    struct fabric_problems problems = {0};
    struct fabric *fabric = fabric_load("test.yaml", &reader, &problems);
    for (size_t i = 0; i < problems.n; i++)
        if (problems.items[i].error)
            cr_log_error("%s:%u: %s", problems.items[i].file, problems.items[i].line,
                         problems.items[i].message);
    cr_assert_not_null(fabric);
    fabric_problems_free(&problems);
    fabric->engine.verify = true; /* after every change */
    return fabric;
}

static void start(struct fixture *fixture)
{
    char error[DP_ERROR_TEXT] = "";
    fixture->lpm = lpm_create();
    lpm_rcu_register_thread();
    struct dp_forwarding_config config = program_forwarding_config(fixture->fabric, 1);
    fixture->forwarding = dp_forwarding_create(&config, fixture->lpm);
    cr_assert_not_null(fixture->forwarding);
    fixture->sim = sim_create(fixture->fabric, fixture->forwarding, error);
    cr_assert_not_null(fixture->sim, "%s", error);
    fixture_settle(fixture);
}

void fixture_open_yaml(struct fixture *fixture, char *yaml)
{
    fixture->fabric = fixture_load_yaml(yaml);
    start(fixture);
}

void fixture_open(struct fixture *fixture, const struct fixture_text *text)
{
    static const struct fixture_text nothing;
    char *yaml = base_text(text ? text : &nothing);
    fixture_open_yaml(fixture, yaml);
    free(yaml);
}

/* --- Examples --------------------------------------------------------------------------------- */

static char *read_whole(const char *path)
{
    char *text = NULL;
    size_t room = 0;
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file, "%s", path);
    cr_assert_geq(getdelim(&text, &room, '\0', file), 0);
    fclose(file);
    return text;
}

static char *edited(char *text, const struct fixture_edit *edit)
{
    char *result = NULL, *at = text, *found;
    size_t room = 0;
    FILE *out = open_memstream(&result, &room);
    cr_assert_not_null(strstr(text, edit->from), "the example has no '%s'", edit->from);
    while ((found = strstr(at, edit->from)) != NULL) {
        fwrite(at, 1, (size_t)(found - at), out);
        fputs(edit->to, out);
        at = found + strlen(edit->from);
    }
    fputs(at, out);
    fclose(out);
    free(text);
    return result;
}

struct fabric *fixture_load_example(const char *name, const struct fixture_edit *edits)
{
    char path[512];
    snprintf(path, sizeof(path), SOURCE_ROOT "/docs/examples/%s/fabric.yaml", name);
    char *text = read_whole(path);
    for (size_t i = 0; edits && edits[i].from; i++)
        text = edited(text, &edits[i]);
    struct fabric *fabric = fixture_load_yaml(text);
    free(text);
    return fabric;
}

void fixture_open_example(struct fixture *fixture, const char *name,
                          const struct fixture_edit *edits)
{
    fixture->fabric = fixture_load_example(name, edits);
    start(fixture);
}

void fixture_close(struct fixture *fixture)
{
    sim_destroy(fixture->sim);
    dp_forwarding_destroy(fixture->forwarding);
    lpm_rcu_unregister_thread();
    lpm_destroy(fixture->lpm);
    fabric_free(fixture->fabric);
}

char *fixture_next_hops(struct fixture *fixture, const char *nic, const char *prefix, char *text)
{
    struct fabric_scope scope =
        fabric_scope_of(fixture->fabric, fabric_find_nic(fixture->fabric, nic));
    struct fabric_row rows[3];
    struct lpm_prefix parsed;
    cr_assert_eq(lpm_prefix_parse(prefix, &parsed), 0);
    unsigned n = fabric_rows_at(fixture->fabric, controller_bgp(sim_controller(fixture->sim)),
                                &scope, &parsed, rows);
    strcpy(text, n == 0 || !rows[0].active ? "-" : rows[0].source == FABRIC_SOURCE_BGP ? "" : "!");
    for (unsigned i = 0; text[0] != '-' && text[0] != '!' && i < rows[0].next_hop_count; i++) {
        char address[LPM_ADDRESS_TEXT];
        strcat(text, i ? "," : "");
        strcat(text, lpm_address_format(&rows[0].next_hops[i], address));
    }
    return text;
}

void fixture_expect_next_hops(struct fixture *fixture, const char *nic, const char *prefix,
                              const char *want)
{
    char text[256];
    cr_expect_str_eq(fixture_next_hops(fixture, nic, prefix, text), want, "%s at %s: %s, not %s",
                     nic, prefix, text, want);
}

void fixture_settle(struct fixture *fixture)
{
    cr_assert_eq(sim_settle(fixture->sim, 600000), 0);
}

void fixture_assert_programmed(struct fixture *fixture)
{
    char error[DP_ERROR_TEXT] = "";
    cr_assert(program_validate(controller_program(sim_controller(fixture->sim)), error), "%s",
              error);
}

char *fixture_decide(struct fixture *fixture, const char *nic, const char *source,
                     const char *destination, uint16_t source_port, uint16_t destination_port,
                     char *text)
{
    struct program *program = controller_program(sim_controller(fixture->sim));
    struct lpm_address from, to, next_hop;
    cr_assert_eq(lpm_address_parse(source, &from), 0);
    cr_assert_eq(lpm_address_parse(destination, &to), 0);
    struct dp_packet packet = {.family = to.family,
                               .protocol = 17,
                               .ttl = 64,
                               .has_ports = true,
                               .source_port = source_port,
                               .destination_port = destination_port,
                               .header_length = to.family == LPM_IPV4 ? 20 : 40,
                               .total_length = 100};
    memcpy(packet.source, from.bytes, 16);
    memcpy(packet.destination, to.bytes, 16);
    uint32_t id = program_nic_id(program, fabric_find_nic(fixture->fabric, nic));
    struct dp_decide_options options = {0};
    struct dp_verdict verdict;
    dp_decide(fixture->forwarding, &id, &packet, &verdict, 1, &options);
    if (verdict.action == DP_DROP)
        return strcpy(text, dp_reason_name(verdict.reason));
    if (dp_next_hop_address(fixture->forwarding, verdict.next_hop, &next_hop))
        return lpm_address_format(&next_hop, text);
    uint32_t receiver = program_nic_of(program, verdict.nic);
    return strcpy(text,
                  receiver == FABRIC_NONE ? "internet" : fixture->fabric->nics[receiver].name);
}

uint32_t fixture_router(struct fixture *fixture, const char *name)
{
    uint32_t router = fabric_find_router(fixture->fabric, name);
    cr_assert_neq(router, FABRIC_NONE);
    return router;
}
