/*
 * The live engine as a program of its own, for tests that talk to it over loopback TCP:
 *
 *   engine BASE PORT [TRACE]      route server at BASE.4 and BASE.5, peers nva1 at BASE.10 and nva2
 * at BASE.11,
 * and a crowd that only calls, p00 and on (peers are in the order of names) from BASE.100, with a short hold time,
 * and two more at most from BASE.224/27 on
 *
 * BASE is three octets of 127/8, so that tests that run at the same time do not meet. The fabric is
 * loaded from text as the user's is; only its transport addresses are moved to loopback. With
 * TRACE, a pcap file, the NICs have ports that need no privilege: vm1 sends the frames of the trace
 * without end, the NVAs take what comes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fabric/load.h"
#include "engine/live/live.h"
#include "tests/live/engine.h"

static const char fabric_text[] =
    "fabric: test\n"
    "vnets:\n"
    "  - name: hub\n"
    "    address_space: [10.0.0.0/22]\n"
    "    subnets:\n"
    "      - {name: RouteServerSubnet, prefixes: [10.0.0.0/26]}\n"
    "      - {name: nva, prefixes: [10.0.1.0/24]}\n"
    "      - {name: vms, prefixes: [10.0.2.0/24]}\n"
    "route_servers:\n"
    "  - name: rs1\n"
    "    vnet: hub\n"
    "    asn: 65515\n"
    "    addresses: [10.0.0.4, 10.0.0.5]\n"
    "    limits: {peers: 128, prefixes: 200000}\n"
    "    dynamic_peers: [{prefix: 10.0.1.224/27, asns: [65100-65199], template: nva1}]\n"
    "    peers:\n"
    "      - {name: nva1, address: 10.0.1.4, asn: 65001, hold_time_s: 30, keepalive_s: 10}\n"
    "      - {name: nva2, address: 10.0.1.5, asn: 65002, hold_time_s: 30, keepalive_s: 10}\n";
static const char nics_alone[] =
    "  - {name: vm1, subnet: hub/vms, addresses: [10.0.2.4]}\n"
    "  - {name: nva1, subnet: hub/nva, addresses: [10.0.1.4], ip_forwarding: true}\n"
    "  - {name: nva2, subnet: hub/nva, addresses: [10.0.1.5], ip_forwarding: true}\n";
/* Two null devices must differ in something: their frame size, which nothing uses. */
static const char nics_on_ports[] =
    "  - {name: vm1, subnet: hub/vms, addresses: [10.0.2.4], port: p1}\n"
    "  - {name: nva1, subnet: hub/nva, addresses: [10.0.1.4], ip_forwarding: true, port: p2}\n"
    "  - {name: nva2, subnet: hub/nva, addresses: [10.0.1.5], ip_forwarding: true, port: p3}\n"
    "ports:\n"
    "  - {name: p1, device: net_pcap, options: {rx_pcap: \"%s\", infinite_rx: 1}}\n"
    "  - {name: p2, device: net_null, options: {no-rx: 1, size: 64}}\n"
    "  - {name: p3, device: net_null, options: {no-rx: 1, size: 65}}\n";

static void put_crowd(FILE *file)
{
    for (unsigned i = 0; i < ENGINE_CROWD; i++)
        fprintf(
            file,
            "      - {name: p%02u, address: 10.0.1.%u, asn: %u, hold_time_s: 3, keepalive_s: 1, "
            "send_hold_time_s: 4, transport: {connect: passive}}\n",
            i, ENGINE_CROWD_HOST + i, ENGINE_CROWD_ASN + i);
}

/* One NIC has the addresses of all: a peer without one would be warned of. */
static void put_crowd_nic(FILE *file)
{
    fprintf(file, "nics:\n  - {name: crowd, subnet: hub/nva, ip_forwarding: true, addresses: [");
    for (unsigned i = 0; i < ENGINE_CROWD; i++)
        fprintf(file, "%s10.0.1.%u", i > 0 ? ", " : "", ENGINE_CROWD_HOST + i);
    fprintf(file, "]}\n");
}

/* context: the name of the trace, or NULL. */
static int read_text(void *context, const char *path, char **text, size_t *length,
                     bool *is_directory)
{
    (void)path;
    *is_directory = false;
    FILE *memory = open_memstream(text, length);
    if (!memory)
        return -ENOMEM;
    fputs(fabric_text, memory);
    put_crowd(memory);
    put_crowd_nic(memory);
    if (context)
        fprintf(memory, nics_on_ports, (const char *)context);
    else
        fputs(nics_alone, memory);
    return fclose(memory) == 0 ? 0 : -ENOMEM;
}

static void move_to_loopback(struct fabric *fabric, const char *base)
{
    struct fabric_route_server *server = &fabric->route_servers[0];
    char text[LPM_ADDRESS_TEXT];
    struct lpm_address address;
    for (unsigned i = 0; i < 2; i++) {
        snprintf(text, sizeof(text), "%s.%u", base, 4 + i);
        lpm_address_parse(text, &server->addresses[i]);
        snprintf(text, sizeof(text), "%s.%u", base, 10 + i);
        lpm_address_parse(text, &server->peers[i].address);
    }
    for (unsigned i = 0; i < ENGINE_CROWD; i++) {
        snprintf(text, sizeof(text), "%s.%u", base, ENGINE_CROWD_HOST + i);
        lpm_address_parse(text, &server->peers[2 + i].address);
    }
    snprintf(text, sizeof(text), "%s.224", base);
    lpm_address_parse(text, &address);
    server->dynamic_peers[0].prefix = (struct lpm_prefix){.family = LPM_IPV4, .length = 27};
    memcpy(server->dynamic_peers[0].prefix.bytes, address.bytes, 4);
    server->peer_limit = server->peer_count + 2;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    struct fabric_reader reader = {argc > 3 ? argv[3] : NULL, read_text};
    struct fabric_problems problems;
    struct fabric *fabric = fabric_load("test.yaml", &reader, &problems);
    for (size_t i = 0; i < problems.n; i++)
        fprintf(stderr, "%s:%u: %s\n", problems.items[i].file, problems.items[i].line,
                problems.items[i].message);
    fabric_problems_free(&problems);
    if (!fabric)
        return 2;
    move_to_loopback(fabric, argv[1]);
    struct live_options options = {.bgp_port = (uint16_t)atoi(argv[2]), .json = true};
    int code = live_run(fabric, &options);
    fabric_free(fabric);
    return code;
}
