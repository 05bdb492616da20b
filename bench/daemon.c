/*
 * How each daemon is configured and started. Life and measures are in daemon_life.c.
 */
#include "bench/daemon.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/loader.h"
#include "bench/netns.h"

/* --- Configurations --------------------------------------------------------------------------- */

static FILE *create(const char *directory, const char *name)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return fopen(path, "w");
}

static int finish(FILE *out)
{
    return fclose(out) == 0 ? 0 : -errno;
}

#define ADDRESS         "10.99.%u.%u"
#define ADDRESS_OF(i)   BENCH_NETNS_PEER(i) >> 8 & 255, BENCH_NETNS_PEER(i) & 255
#define SPEAKER_ADDRESS "10.99.0.4"

/* VNets of the fabric with FIBs, and for each a NIC in it that follows the route server. */
#define SPOKES 1000u

static void write_vnets(FILE *out, unsigned spokes)
{
    fputs("fabric: bench\nmode: native\nvnets:\n"
          "  - name: hub\n    region: bench\n    address_space: [10.99.0.0/16]\n    subnets:\n"
          "      - {name: RouteServerSubnet, prefixes: [10.99.0.0/26]}\n"
          "      - {name: routers, prefixes: [10.99.64.0/18]}\n",
          out);
    for (unsigned i = 0; i < spokes; i++)
        fprintf(out,
                "  - name: s%u\n    region: bench\n    address_space: [10.%u.%u.0/24]\n"
                "    subnets: [{name: s, prefixes: [10.%u.%u.0/24]}]\n",
                i, 100 + i / 256, i % 256, 100 + i / 256, i % 256);
}

/* Those of the routers forward for the spokes. */
static void write_nics(FILE *out, unsigned routers, unsigned spokes)
{
    fputs("peerings:\n", out);
    for (unsigned i = 0; i < spokes; i++)
        fprintf(out,
                "  - {vnets: [hub, s%u], hub: {allow_gateway_transit: true, "
                "allow_forwarded_traffic: true}, s%u: {use_remote_gateways: true, "
                "allow_forwarded_traffic: true}}\n",
                i, i);
    fputs("nics:\n", out);
    for (unsigned i = 0; i < routers; i++)
        fprintf(out,
                "  - {name: r%u, subnet: hub/routers, addresses: [" ADDRESS
                "], ip_forwarding: true}\n",
                i, ADDRESS_OF(i));
    for (unsigned i = 0; i < spokes; i++)
        fprintf(out, "  - {name: vm%u, subnet: s%u/s, addresses: [10.%u.%u.4]}\n", i, i,
                100 + i / 256, i % 256);
}

static int configure_fabric(const char *directory, unsigned routers, unsigned spokes)
{
    FILE *out = create(directory, "fabric.yaml");

    if (!out)
        return -errno;
    write_vnets(out, spokes);
    if (spokes > 0)
        write_nics(out, routers, spokes);
    fputs("route_servers:\n  - name: rs\n    vnet: hub\n    asn: 65515\n"
          "    addresses: [" SPEAKER_ADDRESS "]\n"
          "    listen: {interface: " BENCH_NETNS_WIRE "}\n"
          "    limits: {peers: 4096, prefixes: 10000000}\n    peers:\n",
          out);
    for (unsigned i = 0; i < routers; i++)
        fprintf(out, "      - {name: r%u, address: " ADDRESS ", asn: %u}\n", i, ADDRESS_OF(i),
                BENCH_LOADER_ASN(i));
    return finish(out);
}

/* No NIC, so no FIB: a route server alone. */
static int configure_fingerpost(const char *directory, unsigned routers)
{
    return configure_fabric(directory, routers, 0);
}

static int configure_fibs(const char *directory, unsigned routers)
{
    return configure_fabric(directory, routers, SPOKES);
}

static int configure_bird(const char *directory, unsigned routers)
{
    FILE *out = create(directory, "bird.conf");

    if (!out)
        return -errno;
    fputs("router id " SPEAKER_ADDRESS ";\nprotocol device {}\n"
          "template bgp served {\n  local " SPEAKER_ADDRESS " as 65515;\n  rs client;\n  passive;\n"
          "  error wait time 1, 1;\n  ipv4 { import all; export all; next hop keep; };\n}\n",
          out);
    for (unsigned i = 0; i < routers; i++)
        fprintf(out, "protocol bgp r%u from served { neighbor " ADDRESS " as %u; }\n", i,
                ADDRESS_OF(i), BENCH_LOADER_ASN(i));
    return finish(out);
}

static int configure_frr(const char *directory, unsigned routers)
{
    FILE *out = create(directory, "zebra.conf");

    if (!out || fclose(out) != 0)
        return -errno;
    out = create(directory, "bgpd.conf");
    if (!out)
        return -errno;
    fputs("router bgp 65515\n bgp router-id " SPEAKER_ADDRESS "\n no bgp ebgp-requires-policy\n"
          " no bgp enforce-first-as\n",
          out);
    for (unsigned i = 0; i < routers; i++)
        fprintf(out,
                " neighbor " ADDRESS " remote-as %u\n neighbor " ADDRESS " passive\n"
                " neighbor " ADDRESS " advertisement-interval 0\n",
                ADDRESS_OF(i), BENCH_LOADER_ASN(i), ADDRESS_OF(i), ADDRESS_OF(i));
    fputs(" address-family ipv4 unicast\n", out);
    for (unsigned i = 0; i < routers; i++)
        fprintf(out, "  neighbor " ADDRESS " route-server-client\n", ADDRESS_OF(i));
    fputs(" exit-address-family\n", out);
    return finish(out);
}

static int configure_openbgpd(const char *directory, unsigned routers)
{
    FILE *out = create(directory, "bgpd.conf");

    if (!out)
        return -errno;
    fprintf(out,
            "AS 65515\nrouter-id " SPEAKER_ADDRESS "\nfib-update no\nlisten on " SPEAKER_ADDRESS
            "\nsocket \"%s/control\"\n",
            directory);
    for (unsigned i = 0; i < routers; i++)
        fprintf(out,
                "neighbor " ADDRESS " {\n\tremote-as %u\n\tpassive\n\ttransparent-as yes\n"
                "\tannounce IPv4 unicast\n}\n",
                ADDRESS_OF(i), BENCH_LOADER_ASN(i));
    fputs("allow from any\nallow to any\n", out);
    return finish(out);
}

static int configure_gobgp(const char *directory, unsigned routers)
{
    FILE *out = create(directory, "gobgpd.toml");

    if (!out)
        return -errno;
    fputs("[global.config]\n  as = 65515\n  router-id = \"" SPEAKER_ADDRESS "\"\n", out);
    for (unsigned i = 0; i < routers; i++)
        fprintf(out,
                "[[neighbors]]\n  [neighbors.config]\n    neighbor-address = \"" ADDRESS "\"\n"
                "    peer-as = %u\n  [neighbors.transport.config]\n    passive-mode = true\n"
                "  [neighbors.route-server.config]\n    route-server-client = true\n",
                ADDRESS_OF(i), BENCH_LOADER_ASN(i));
    return finish(out);
}

/* --- Commands --------------------------------------------------------------------------------- */

/* directory/name as one of the words. */
static const char *path(const char *directory, const char *name, char text[128])
{
    snprintf(text, 128, "%s/%s", directory, name);
    return text;
}

static void arguments_fingerpost(const char *program, const char *directory, unsigned part,
                                 const char *words[16], char text[4][128])
{
    (void)part;
    words[0] = program;
    words[1] = "run";
    words[2] = path(directory, "fabric.yaml", text[0]);
}

static void arguments_bird(const char *program, const char *directory, unsigned part,
                           const char *words[16], char text[4][128])
{
    const char *const list[] = {program, "-f",
                                "-c",    path(directory, "bird.conf", text[0]),
                                "-s",    path(directory, "bird.ctl", text[1]),
                                "-P",    path(directory, "bird.pid", text[2])};

    (void)part;
    memcpy(words, list, sizeof(list));
}

/* zebra tells bgpd which next hops are connected; -n keeps bgpd's routes out of the kernel. */
static void arguments_frr(const char *program, const char *directory, unsigned part,
                          const char *words[16], char text[4][128])
{
    const char *const list[] = {program,
                                "-f",
                                path(directory, part == 0 ? "zebra.conf" : "bgpd.conf", text[0]),
                                "-z",
                                path(directory, "zserv", text[1]),
                                "-i",
                                path(directory, part == 0 ? "zebra.pid" : "bgpd.pid", text[2]),
                                "--vty_socket",
                                directory,
                                "-P",
                                "0",
                                part == 0 ? NULL : "-n"};

    memcpy(words, list, sizeof(list));
}

static void arguments_openbgpd(const char *program, const char *directory, unsigned part,
                               const char *words[16], char text[4][128])
{
    (void)part;
    words[0] = program;
    words[1] = "-d";
    words[2] = "-f";
    words[3] = path(directory, "bgpd.conf", text[0]);
}

static void arguments_gobgp(const char *program, const char *directory, unsigned part,
                            const char *words[16], char text[4][128])
{
    (void)part;
    words[0] = program;
    words[1] = "-f";
    words[2] = path(directory, "gobgpd.toml", text[0]);
    words[3] = "--api-hosts";
    words[4] = "127.0.0.1:50051";
    words[5] = "-l";
    words[6] = "warn";
}

/* --- Kinds ------------------------------------------------------------------------------------ */

static const struct bench_daemon_kind kinds[] = {
    {"fingerpost", {NULL}, configure_fingerpost, arguments_fingerpost, NULL},
    {"fingerpost-1000-fibs", {NULL}, configure_fibs, arguments_fingerpost, NULL},
    {"bird", {"/usr/sbin/bird"}, configure_bird, arguments_bird, NULL},
    {"frr", {"/usr/lib/frr/zebra", "/usr/lib/frr/bgpd"}, configure_frr, arguments_frr, "frr"},
    {"openbgpd", {"/usr/sbin/bgpd"}, configure_openbgpd, arguments_openbgpd, NULL},
    {"gobgp", {"/usr/bin/gobgpd"}, configure_gobgp, arguments_gobgp, NULL},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

const struct bench_daemon_kind *bench_daemon_kind(unsigned i)
{
    return i < KINDS ? &kinds[i] : NULL;
}

const struct bench_daemon_kind *bench_daemon_find(const char *name)
{
    for (unsigned i = 0; i < KINDS; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

bool bench_daemon_installed(const struct bench_daemon_kind *kind)
{
    for (unsigned part = 0; part < BENCH_DAEMON_PARTS; part++)
        if (kind->programs[part] && access(kind->programs[part], X_OK) != 0)
            return false;
    return true;
}
