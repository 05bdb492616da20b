/*
 * Questions to the model, asked of a loaded fabric (which has indices) and of the same one without
 * them (which is scanned), against answers worked out by walking over everything.
 */
#include "tests/fabric/files.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct lpm_address address(const char *text)
{
    struct lpm_address parsed;

    cr_assert_eq(lpm_address_parse(text, &parsed), 0);
    return parsed;
}

/* The fabric as if it had been put together by hand. */
static struct fabric without_indices(const struct fabric *fabric)
{
    struct fabric plain = *fabric;

    plain.links = NULL;
    plain.owners = NULL;
    plain.link_count = plain.owner_count = 0;
    return plain;
}

Test(model, finds_objects_by_name)
{
    struct fabric *fabric = files_load_path("docs/examples/hub-spoke.yaml", NULL);

    cr_assert_not_null(fabric);
    cr_expect_eq(fabric_find_vnet(fabric, "hub"), 0);
    cr_expect_eq(fabric_find_vnet(fabric, "spoke2"), 2);
    cr_expect_eq(fabric_find_vnet(fabric, "spoke"), FABRIC_NONE);
    cr_expect_eq(fabric_find_subnet(fabric, 0, "nva"), 2);
    cr_expect_eq(fabric_find_subnet(fabric, 1, "nva"), FABRIC_NONE);
    cr_expect_eq(fabric_find_nic(fabric, "hubvm"), 0);
    cr_expect_eq(fabric_find_nic(fabric, ""), FABRIC_NONE);
    cr_expect_eq(fabric_find_route_server(fabric, "rs1"), 0);
    cr_expect_eq(fabric_find_router(fabric, "nva2-os"), 1);
    fabric_free(fabric);
}

Test(model, a_spoke_takes_the_route_server_of_the_hub_by_its_peering)
{
    static const struct {
        const char *hub, *spoke, *in_sync;
        bool taken;
    } cases[] = {
        {"allow_gateway_transit: true", "use_remote_gateways: true", "true", true},
        {"allow_gateway_transit: false", "use_remote_gateways: true", "true", false},
        {"allow_gateway_transit: true", "use_remote_gateways: false", "true", false},
        {"allow_gateway_transit: true", "use_remote_gateways: true", "false", false},
        {"allow_gateway_transit: true, allow_virtual_network_access: false",
         "use_remote_gateways: true", "true", false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char text[1024];
        struct fabric *fabric;

        snprintf(
            text, sizeof(text),
            "vnets:\n"
            "  - {name: hub, address_space: [10.0.0.0/16], subnets: [{name: RouteServerSubnet, "
            "prefixes: [10.0.0.0/26]}]}\n"
            "  - {name: spoke, address_space: [10.1.0.0/16]}\n"
            "peerings: [{vnets: [spoke, hub], in_sync: %s, hub: {%s}, spoke: {%s}}]\n"
            "route_servers: [{name: rs, vnet: hub, addresses: [10.0.0.4]}]\n",
            cases[i].in_sync, cases[i].hub, cases[i].spoke);
        fabric = files_load_text(text, NULL);
        cr_assert_not_null(fabric);
        cr_expect_eq(fabric_route_server_for(fabric, 0), 0);
        cr_expect_eq(fabric_route_server_for(fabric, 1), cases[i].taken ? 0 : FABRIC_NONE,
                     "case %zu", i);
        fabric_free(fabric);
    }
}

Test(model, addresses_resolve_in_own_and_directly_peered_vnets_only)
{
    struct fabric *fabric = files_load_path("docs/examples/hub-spoke.yaml", NULL);
    struct lpm_address nva1 = address("10.0.1.4"), nva6 = address("fd00:10:0:1::4");
    struct lpm_address vm1 = address("10.1.0.4"), nobody = address("10.0.1.77");
    uint32_t hub, spoke1, spoke2;

    cr_assert_not_null(fabric);
    hub = fabric_find_vnet(fabric, "hub");
    spoke1 = fabric_find_vnet(fabric, "spoke1");
    spoke2 = fabric_find_vnet(fabric, "spoke2");
    cr_expect_eq(fabric_resolve_address(fabric, hub, &nva1), fabric_find_nic(fabric, "nva1"));
    cr_expect_eq(fabric_resolve_address(fabric, spoke1, &nva6), fabric_find_nic(fabric, "nva1"));
    cr_expect_eq(fabric_resolve_address(fabric, hub, &vm1), fabric_find_nic(fabric, "vm1"));
    cr_expect_eq(fabric_resolve_address(fabric, spoke2, &vm1), FABRIC_NONE, "two peerings away");
    cr_expect_eq(fabric_resolve_address(fabric, hub, &nobody), FABRIC_NONE);
    cr_expect_eq(fabric_address_owner(fabric, spoke1, &nva1), FABRIC_NONE);
    fabric_free(fabric);
}

/* --- Random fabrics --------------------------------------------------------------------------- */

#define VNETS 24u

static char *random_text(void)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    fprintf(out, "vnets:\n");
    for (unsigned i = 0; i < VNETS; i++)
        fprintf(out,
                "  - {name: v%u, region: r%d, address_space: [10.%u.0.0/16], subnets: [{name: s, "
                "prefixes: [10.%u.0.0/24]}]}\n",
                i, rand() % 2, i, i);
    fprintf(out, "nics:\n");
    for (unsigned i = 0; i < VNETS; i++)
        for (unsigned j = 0; j < 3; j++)
            fprintf(out, "  - {name: n%u-%u, subnet: v%u/s, addresses: [10.%u.0.%u]}\n", i, j, i, i,
                    4 + (j * 7 + i) % 90);
    fprintf(out, "peerings:\n");
    for (unsigned i = 0; i < VNETS; i++)
        for (unsigned j = 0; j < i; j++)
            if (rand() % 5 == 0)
                fprintf(out,
                        rand() % 2 ? "  - {vnets: [v%u, v%u]}\n"
                                   : "  - {in_sync: false, vnets: [v%u, v%u]}\n",
                        i, j);
    fclose(out);
    return text;
}

struct seen {
    uint32_t others[VNETS];
    unsigned n;
};

static void note_other(void *context, const struct fabric_peering *peering, unsigned side)
{
    struct seen *seen = context;

    seen->others[seen->n++] = peering->vnets[1 - side];
}

static void compare(const struct fabric *fabric, uint32_t vnet)
{
    struct fabric plain = without_indices(fabric);
    struct seen by_index = {.n = 0}, by_scan = {.n = 0};

    fabric_each_peering(fabric, vnet, note_other, &by_index);
    fabric_each_peering(&plain, vnet, note_other, &by_scan);
    cr_assert_eq(by_index.n, by_scan.n);
    for (uint32_t other = 0; other < fabric->vnets_count; other++) {
        const struct fabric_peering *a = NULL, *b = NULL;
        unsigned side_a = 7, side_b = 7;
        bool found = fabric_peering_between(fabric, vnet, other, &a, &side_a);

        cr_assert_eq(found, fabric_peering_between(&plain, vnet, other, &b, &side_b));
        cr_assert(!found || (a == b && side_a == side_b && a->vnets[side_a] == vnet &&
                             a->vnets[1 - side_a] == other));
    }
    for (uint32_t nic = 0; nic < fabric->nics_count; nic++) {
        const struct lpm_address *own = &fabric->nics[nic].addresses.items[0];
        const struct fabric_peering *peering;
        unsigned side;
        bool reached =
            fabric->nics[nic].vnet == vnet ||
            fabric_peering_between(&plain, vnet, fabric->nics[nic].vnet, &peering, &side);

        cr_assert_eq(fabric_resolve_address(fabric, vnet, own), reached ? nic : FABRIC_NONE);
        cr_assert_eq(fabric_resolve_address(&plain, vnet, own), reached ? nic : FABRIC_NONE);
    }
}

Test(model, indices_answer_as_a_scan_does)
{
    unsigned seed = (unsigned)time(NULL);

    fprintf(stderr, "seed %u\n", seed);
    srand(seed);
    for (unsigned round = 0; round < 20; round++) {
        char *text = random_text();
        char *problems;
        struct fabric *fabric = files_load_text(text, &problems);

        cr_assert_not_null(fabric, "%s%s", problems, text);
        for (uint32_t vnet = 0; vnet < fabric->vnets_count; vnet++)
            compare(fabric, vnet);
        fabric_free(fabric);
        free(problems);
        free(text);
    }
}
