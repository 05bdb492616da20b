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
#define PREFIX_FIRST (UINT32_C(11) << 24)
/* Odd, so that i -> i * this is a permutation of CONVERGE_PREFIXES_MAX; near the golden ratio of it, so
 * that neighbours in order are far apart. */
#define PREFIX_STEP 2592175u

/* --- Readings --------------------------------------------------------------------------------- */

/* Lines of each section, and which policy the peers have. No packet of the rest is about any of it. */
static const struct reading {
    const char *vnets, *routes, *peerings, *nics, *policy;
    unsigned objects; /* those, and the policy of each of two peers */
} readings[CONVERGE_READINGS] = {
    {"", "", "", "", NULL, 0},
    {"", "      - {prefix: 203.0.113.0/24, next_hop_type: None}\n", "",
     "  - {name: aa, subnet: hub/nva, addresses: [10.0.1.200], port: a-spokes, mac: "
     "'02:12:00:00:00:01'}\n"
     "  - {name: zz, subnet: hub/nva, addresses: [10.0.1.201], port: a-spokes, mac: "
     "'02:12:00:00:00:02'}\n",
     NULL, 3},
    {"  - name: another\n    address_space: [172.20.0.0/16]\n    subnets:\n"
     "      - {name: vms, prefixes: [172.20.0.0/24]}\n",
     "      - {prefix: 203.0.113.64/26, next_hop_type: VirtualAppliance, next_hop: 10.0.1.4}\n",
     "  - {vnets: [another, spoke0]}\n",
     "  - {name: ab, subnet: another/vms, addresses: [172.20.0.4], port: a-spokes, mac: "
     "'02:12:00:00:00:03'}\n"
     "  - {name: aa, subnet: hub/nva, addresses: [10.0.1.202], port: a-spokes, mac: "
     "'02:12:00:00:00:04'}\n",
     "strict", 7},
    {"  - name: beyond\n    address_space: [172.21.0.0/16]\n    subnets:\n"
     "      - {name: vms, prefixes: [172.21.0.0/24]}\n",
     "", "  - {vnets: [beyond, hub]}\n",
     "  - {name: nn, subnet: beyond/vms, addresses: [172.21.0.4], port: a-spokes, mac: "
     "'02:12:00:00:00:05'}\n",
     "mild", 5},
};

unsigned converge_fabric_objects(unsigned reading)
{
    return readings[reading].objects;
}

const char *converge_fabric_policy(unsigned reading)
{
    return readings[reading].policy;
}

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

/* Subnets of a spoke, filled one after the other, or evenly where each has a table. */
static size_t subnets_for(const struct converge_size *size, size_t nics)
{
    return size->tables ? size->tables / size->vnets
                        : (nics + CONVERGE_NICS_A_SUBNET - 1) / CONVERGE_NICS_A_SUBNET;
}

static size_t nics_a_subnet(const struct converge_size *size, size_t nics)
{
    size_t subnets = subnets_for(size, nics);
    return size->tables ? (nics + subnets - 1) / subnets : CONVERGE_NICS_A_SUBNET;
}

/* "" or the reference to the subnet's table. */
static const char *table_of(const struct converge_size *size, size_t spoke, size_t subnet,
                            char text[48])
{
    text[0] = '\0';
    if (size->tables)
        snprintf(text, 48, ", route_table: t%zu", spoke * (size->tables / size->vnets) + subnet);
    else if (subnet == 0)
        snprintf(text, 48, ", route_table: own");
    return text;
}

static void write_vnets(FILE *text, const struct converge_size *size)
{
    char table[48];
    fputs("vnets:\n"
          "  - name: hub\n"
          "    address_space: [10.0.0.0/16]\n"
          "    subnets:\n"
          "      - {name: RouteServerSubnet, prefixes: [10.0.0.0/26]}\n"
          "      - {name: nva, prefixes: [10.0.1.0/24]}\n",
          text);
    if (size->ports)
        fputs("      - {name: backend, prefixes: [10.0.2.0/24]}\n", text);
    for (size_t i = 0; i < size->vnets; i++) {
        struct spoke_address first = address_of(i, 0);
        fprintf(text, "  - name: spoke%zu\n    address_space: [10.%u.%u.0/20]\n    subnets:\n", i,
                first.second, first.third);
        for (size_t j = 0; j < subnets_for(size, share(size->nics, size->vnets, i)); j++) {
            struct spoke_address at = address_of(i, j);
            fprintf(text, "      - {name: s%zu, prefixes: [10.%u.%u.0/24]%s}\n", j, at.second,
                    at.third, table_of(size, i, j, table));
        }
    }
    fputs(readings[size->reading].vnets, text);
}

static void write_tables(FILE *text, const struct converge_size *size)
{
    fputs("route_tables:\n", text);
    if (!size->tables)
        fputs("  - name: own\n"
              "    routes:\n"
              "      - {prefix: 192.0.2.0/24, next_hop_type: None}\n",
              text);
    fputs(readings[size->reading].routes, text);
    for (size_t i = 0; i < size->tables; i++)
        fprintf(text,
                "  - name: t%zu\n"
                "    routes:\n"
                "      - {prefix: 192.0.2.%zu/32, next_hop_type: None}\n"
                "      - {prefix: 198.51.100.0/24, next_hop_type: VirtualAppliance, next_hop: "
                "10.0.1.%zu}\n",
                i, i % 256, 4 + i % size->nvas);
}

static void write_peerings(FILE *text, const struct converge_size *size)
{
    fputs("peerings:\n", text);
    for (size_t i = 0; i < size->vnets; i++)
        fprintf(text,
                "  - {vnets: [hub, spoke%zu], hub: {allow_gateway_transit: true, "
                "allow_forwarded_traffic: true}, spoke%zu: {use_remote_gateways: true, "
                "allow_forwarded_traffic: true}}\n",
                i, i);
    fputs(readings[size->reading].peerings, text);
}

/* In the order of enum converge_port, which is that of the names. The bench opens its own devices in their place. Of equal ones each must be told apart. */
static void write_ports(FILE *text, const struct converge_size *size)
{
    if (!size->ports)
        return;
    fputs("ports:\n  - {name: a-spokes, device: net_null}\n", text);
    for (unsigned i = 0; i < CONVERGE_NVAS; i++)
        fprintf(text, "  - {name: b-nva%u, device: net_null, options: {size: 6%u}}\n", i, i);
    for (unsigned i = 0; i < CONVERGE_BACKENDS; i++)
        fprintf(text, "  - {name: c-backend%u, device: net_null, options: {size: 7%u}}\n", i, i);
}

/* "" or the keys of its port, which others share. */
static const char *spoke_port(const struct converge_size *size, size_t number, char text[64])
{
    text[0] = '\0';
    if (size->ports)
        snprintf(text, 64, ", port: a-spokes, mac: '02:11:00:%02x:%02x:%02x'",
                 (unsigned)(number >> 16) & 0xff, (unsigned)(number >> 8) & 0xff,
                 (unsigned)number & 0xff);
    return text;
}

static void write_spoke_nics(FILE *text, const struct converge_size *size, size_t spoke)
{
    char port[64];
    size_t nics = share(size->nics, size->vnets, spoke);
    size_t each = nics_a_subnet(size, nics);
    for (size_t j = 0; j < nics; j++) {
        struct spoke_address at = address_of(spoke, j / each);
        fprintf(text, "  - {name: vm%zu-%zu, subnet: spoke%zu/s%zu, addresses: [10.%u.%u.%zu]%s}\n",
                spoke, j, spoke, j / each, at.second, at.third, 4 + j % each,
                spoke_port(size, spoke * CONVERGE_NICS_A_VNET + j, port));
    }
}

static void write_backends(FILE *text)
{
    for (unsigned i = 0; i < CONVERGE_BACKENDS; i++)
        fprintf(text,
                "  - {name: backend%u, subnet: hub/backend, addresses: [10.0.2.%u], port: "
                "c-backend%u}\n",
                i, 4 + i, i);
}

static void write_balancer(FILE *text, const struct converge_size *size)
{
    if (size->ports)
        fputs("load_balancers:\n"
              "  - {name: lb, subnet: hub/backend, frontend: " CONVERGE_FRONTEND
              ", backends: [backend0, backend1], probe: {interval_s: 5, failures: 2}}\n",
              text);
}

static void write_policies(FILE *text, const struct converge_size *size)
{
    const char *policy = readings[size->reading].policy;
    if (policy)
        fprintf(text,
                "policies:\n  - name: %s\n    rules:\n"
                "      - {match: {prefixes: [203.0.113.0/24]}, then: reject}\n",
                policy);
}

/* "" or the key of its port. */
static const char *nva_port(const struct converge_size *size, size_t nva, char text[32])
{
    text[0] = '\0';
    if (size->ports)
        snprintf(text, 32, ", port: b-nva%u", nva == 0 ? 0u : 1u);
    return text;
}

static void write_nics(FILE *text, const struct converge_size *size)
{
    char port[32];
    fputs("nics:\n", text);
    for (size_t i = 0; i < size->nvas; i++)
        fprintf(
            text,
            "  - {name: nva%zu, subnet: hub/nva, addresses: [10.0.1.%zu], ip_forwarding: true%s}\n",
            i, 4 + i, nva_port(size, i, port));
    for (size_t i = 0; i < size->vnets; i++)
        write_spoke_nics(text, size, i);
    if (size->ports)
        write_backends(text);
    fputs(readings[size->reading].nics, text);
}

static void write_server(FILE *text, const struct converge_size *size)
{
    const char *policy = readings[size->reading].policy;
    fputs("route_servers:\n"
          "  - name: rs\n"
          "    vnet: hub\n"
          "    addresses: [10.0.0.4, 10.0.0.5]\n"
          "    limits: {prefixes: 10000000}\n"
          "    peers:\n",
          text);
    for (size_t i = 0; i < size->nvas; i++)
        fprintf(text,
                "      - {name: nva%zu, address: 10.0.1.%zu, asn: 65001, bfd: {interval_ms: 50, "
                "multiplier: 3}%s%s}\n",
                i, 4 + i, policy ? ", import: " : "", policy ? policy : "");
}

/* --- Loading ---------------------------------------------------------------------------------- */

static int read_made(void *context, const char *path, char **text, size_t *length,
                     bool *is_directory)
{
    const struct converge_size *size = context;
    (void)path;
    *is_directory = false;
    FILE *file = open_memstream(text, length);
    if (!file)
        return -ENOMEM;
    fputs("fabric: " NAME "\n", file);
    write_vnets(file, size);
    write_tables(file, size);
    write_peerings(file, size);
    write_ports(file, size);
    write_policies(file, size);
    write_balancer(file, size);
    write_nics(file, size);
    write_server(file, size);
    bool full = ferror(file);
    if (fclose(file) == 0 && !full)
        return 0;
    free(*text);
    return -ENOMEM;
}

struct fabric *converge_fabric_make(const struct converge_size *size, struct bench_error *error)
{
    struct converge_size copy = *size;
    const struct fabric_reader reader = {&copy, read_made};
    struct fabric_problems problems = {0};
    struct fabric *fabric = fabric_load(NAME, &reader, &problems);
    if (!fabric) {
        snprintf(error->text, sizeof(error->text), "no memory for a fabric of %zu NICs",
                 size->nics);
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
    uint32_t place = (uint32_t)i * PREFIX_STEP & (CONVERGE_PREFIXES_MAX - 1);
    uint32_t address = PREFIX_FIRST + (place << 8);
    return (struct lpm_prefix){
        .family = LPM_IPV4,
        .length = 24,
        .bytes = {(uint8_t)(address >> 24), (uint8_t)(address >> 16), (uint8_t)(address >> 8)}};
}
