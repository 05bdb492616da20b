/*
 * The text is written with a line for each object, so that a message of the loader leads somewhere.
 */
#include "engine/cli/converge_fabric.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/fabric/load.h"

#define NAME "bench-converge"
/* 2^22 of /24 in 64 /8s, from 11.0.0.0: nothing of the fabric, of loopback or of multicast. */
#define PREFIX_BITS  22u
#define PREFIX_FIRST (UINT32_C(11) << 24)
/* Odd, so that i -> i * this is a permutation of 2^PREFIX_BITS; near the golden ratio of it, so
 * that neighbours in order are far apart. */
#define PREFIX_STEP 2592175u

/* --- Text ------------------------------------------------------------------------------------- */

struct spoke_address {
    unsigned second, third;
};

/* The first address of a subnet of a spoke: 10.1.0.0 and on, sixteen /24 a spoke. */
static struct spoke_address address_of(size_t spoke, size_t subnet)
{
    size_t at = 256 + spoke * 16 + subnet;
    return (struct spoke_address){(unsigned)(at >> 8), (unsigned)(at & 0xff)};
}

/* The NICs of one spoke: those that do not divide evenly go to the first ones. */
static size_t share(size_t nics, size_t vnets, size_t spoke)
{
    return nics / vnets + (spoke < nics % vnets);
}

static size_t subnets_for(size_t nics)
{
    return (nics + CONVERGE_NICS_A_SUBNET - 1) / CONVERGE_NICS_A_SUBNET;
}

static void write_vnets(FILE *text, size_t vnets, size_t nics)
{
    fputs("vnets:\n"
          "  - name: hub\n"
          "    address_space: [10.0.0.0/16]\n"
          "    subnets:\n"
          "      - {name: RouteServerSubnet, prefixes: [10.0.0.0/26]}\n"
          "      - {name: nva, prefixes: [10.0.1.0/24]}\n",
          text);
    for (size_t i = 0; i < vnets; i++) {
        struct spoke_address first = address_of(i, 0);
        fprintf(text, "  - name: spoke%zu\n    address_space: [10.%u.%u.0/20]\n    subnets:\n", i,
                first.second, first.third);
        for (size_t j = 0; j < subnets_for(share(nics, vnets, i)); j++) {
            struct spoke_address at = address_of(i, j);
            fprintf(text, "      - {name: s%zu, prefixes: [10.%u.%u.0/24]%s}\n", j, at.second,
                    at.third, j == 0 ? ", route_table: own" : "");
        }
    }
    fputs("route_tables:\n"
          "  - name: own\n"
          "    routes:\n"
          "      - {prefix: 192.0.2.0/24, next_hop_type: None}\n",
          text);
}

static void write_peerings(FILE *text, size_t vnets)
{
    fputs("peerings:\n", text);
    for (size_t i = 0; i < vnets; i++)
        fprintf(text,
                "  - {vnets: [hub, spoke%zu], hub: {allow_gateway_transit: true, "
                "allow_forwarded_traffic: true}, spoke%zu: {use_remote_gateways: true, "
                "allow_forwarded_traffic: true}}\n",
                i, i);
}

static void write_nics(FILE *text, size_t vnets, size_t nics)
{
    fputs("nics:\n", text);
    for (unsigned i = 0; i < CONVERGE_NVAS; i++)
        fprintf(text,
                "  - {name: nva%u, subnet: hub/nva, addresses: [10.0.1.%u], ip_forwarding: true}\n",
                i, 4 + i);
    for (size_t i = 0; i < vnets; i++)
        for (size_t j = 0; j < share(nics, vnets, i); j++) {
            struct spoke_address at = address_of(i, j / CONVERGE_NICS_A_SUBNET);
            fprintf(text,
                    "  - {name: vm%zu-%zu, subnet: spoke%zu/s%zu, addresses: [10.%u.%u.%zu]}\n", i,
                    j, i, j / CONVERGE_NICS_A_SUBNET, at.second, at.third,
                    4 + j % CONVERGE_NICS_A_SUBNET);
        }
}

static void write_server(FILE *text)
{
    fputs("route_servers:\n"
          "  - name: rs\n"
          "    vnet: hub\n"
          "    addresses: [10.0.0.4, 10.0.0.5]\n"
          "    peers:\n",
          text);
    for (unsigned i = 0; i < CONVERGE_NVAS; i++)
        fprintf(text,
                "      - {name: nva%u, address: 10.0.1.%u, asn: 65001, bfd: {interval_ms: 50, "
                "multiplier: 3}}\n",
                i, 4 + i);
}

/* --- Loading ---------------------------------------------------------------------------------- */

struct size {
    size_t vnets, nics;
};

static int read_made(void *context, const char *path, char **text, size_t *length,
                     bool *is_directory)
{
    const struct size *size = context;
    (void)path;
    *is_directory = false;
    FILE *file = open_memstream(text, length);
    if (!file)
        return -ENOMEM;
    fputs("fabric: " NAME "\n", file);
    write_vnets(file, size->vnets, size->nics);
    write_peerings(file, size->vnets);
    write_nics(file, size->vnets, size->nics);
    write_server(file);
    bool full = ferror(file);
    if (fclose(file) == 0 && !full)
        return 0;
    free(*text);
    return -ENOMEM;
}

struct fabric *converge_fabric_make(size_t vnets, size_t nics, struct bench_error *error)
{
    struct size size = {vnets, nics};
    const struct fabric_reader reader = {&size, read_made};
    struct fabric_problems problems = {0};
    struct fabric *fabric = fabric_load(NAME, &reader, &problems);
    if (!fabric) {
        snprintf(error->text, sizeof(error->text), "no memory for a fabric of %zu NICs", nics);
        for (size_t i = problems.n; i-- > 0;)
            if (problems.items[i].error)
                snprintf(error->text, sizeof(error->text), "%s:%u: %s", problems.items[i].file,
                         problems.items[i].line, problems.items[i].message);
    }
    fabric_problems_free(&problems);
    return fabric;
}

struct lpm_prefix converge_prefix(size_t i)
{
    uint32_t place = (uint32_t)i * PREFIX_STEP & ((UINT32_C(1) << PREFIX_BITS) - 1);
    uint32_t address = PREFIX_FIRST + (place << 8);
    return (struct lpm_prefix){
        .family = LPM_IPV4,
        .length = 24,
        .bytes = {(uint8_t)(address >> 24), (uint8_t)(address >> 16), (uint8_t)(address >> 8)}};
}
