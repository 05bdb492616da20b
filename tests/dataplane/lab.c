/*
 * The fabric of lab.h: plain calls of the programming header.
 */
#include "tests/dataplane/lab.h"

#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lpm/rcu.h"
#include "tests/must.h"

const uint8_t lab_gateway_mac[6] = {0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc};

static const struct {
    const char *name;
    const char *address4, *address6;
    const char *subnet4, *subnet6;
    uint32_t vnet;
    bool ip_forwarding;
} machines[LAB_NIC_COUNT] = {
    [LAB_VM] = {"vm", "10.1.0.4", "fd00:1::4", "10.1.0.0/24", "fd00:1::/64", 1, false},
    [LAB_PEER] = {"peer", "10.1.0.5", "fd00:1::5", "10.1.0.0/24", "fd00:1::/64", 1, false},
    [LAB_NVA1] = {"nva1", "10.0.1.4", "fd00::1:4", "10.0.1.0/24", "fd00::1:0/112", 2, true},
    [LAB_NVA2] = {"nva2", "10.0.1.5", "fd00::1:5", "10.0.1.0/24", "fd00::1:0/112", 2, true},
};

void lab_mac(uint32_t nic, uint8_t mac[6])
{
    const uint8_t bytes[6] = {2, 0, 0, 0, 0, (uint8_t)nic};

    memcpy(mac, bytes, sizeof(bytes));
}

struct lpm_address lab_address(const char *text)
{
    struct lpm_address parsed;

    MUST(lpm_address_parse(text, &parsed) == 0);
    return parsed;
}

struct lpm_prefix lab_prefix(const char *text)
{
    struct lpm_prefix parsed;

    MUST(lpm_prefix_parse(text, &parsed) == 0);
    return parsed;
}

static struct lpm_route route(const char *text, uint32_t leaf)
{
    return (struct lpm_route){.prefix = lab_prefix(text), .leaf = leaf};
}

void lab_set_nic(struct lab *lab, uint32_t nic)
{
    struct lpm_address addresses[2] = {lab_address(machines[nic].address4),
                                       lab_address(machines[nic].address6)};
    struct lpm_prefix subnet[2] = {lab_prefix(machines[nic].subnet4),
                                   lab_prefix(machines[nic].subnet6)};
    struct dp_nic_config config = {
        .name = machines[nic].name,
        .vnet = machines[nic].vnet,
        .addresses = addresses,
        .address_count = 2,
        .subnet = subnet,
        .subnet_count = 2,
        .ip_forwarding = machines[nic].ip_forwarding,
        .fib4 = lab->fib4,
        .fib6 = lab->fib6,
        .mtu = lab->options.mtu,
        .attachment = lab->options.attachments[nic],
    };

    lab_mac(nic, config.mac);
    memcpy(config.gateway_mac, lab_gateway_mac, sizeof(config.gateway_mac));
    MUST(dp_nic_set(lab->forwarding, nic, &config) == 0);
}

static void set_addresses(struct lab *lab)
{
    for (uint32_t nic = LAB_VM; nic < LAB_NIC_COUNT; nic++) {
        struct dp_vnet_address addresses[2] = {{lab_address(machines[nic].address4), nic},
                                               {lab_address(machines[nic].address6), nic}};

        MUST(dp_vnet_set_addresses(lab->forwarding, machines[nic].vnet, addresses, 2) == 0);
    }
}

static void set_vnets(struct lab *lab)
{
    struct lpm_prefix spoke[2] = {route("10.1.0.0/16", 1).prefix, route("fd00:1::/32", 1).prefix};
    struct lpm_prefix hub[2] = {route("10.0.0.0/16", 1).prefix, route("fd00::/32", 1).prefix};

    MUST(dp_vnet_set(lab->forwarding, 1, spoke, 2) == 0);
    MUST(dp_vnet_set(lab->forwarding, 2, hub, 2) == 0);
}

static struct dp_group_config appliances(struct dp_member members[2], bool nva1, bool nva2)
{
    unsigned n = 0;

    if (nva1)
        members[n++] = (struct dp_member){.next_hop = lab_address("10.0.1.4"), .nic = LAB_NVA1};
    if (nva2)
        members[n++] = (struct dp_member){.next_hop = lab_address("10.0.1.5"), .nic = LAB_NVA2};
    return (struct dp_group_config){
        .kind = DP_GROUP_MEMBERS, .members = members, .member_count = n};
}

static void make_group(struct lab *lab, const struct dp_group_config *config, uint32_t expected)
{
    uint32_t group = 0;

    MUST(dp_group_create(lab->forwarding, config, &group) == 0);
    MUST(group == expected);
}

static void make_groups(struct lab *lab)
{
    struct dp_member members[2];
    struct dp_group_config config = appliances(members, true, true);

    make_group(lab, &config, LAB_GROUP_NVAS);
    config = (struct dp_group_config){.kind = DP_GROUP_VNET, .vnet = 1};
    make_group(lab, &config, LAB_GROUP_VNET);
    config = (struct dp_group_config){.kind = DP_GROUP_NULL};
    make_group(lab, &config, LAB_GROUP_NULL);
    config = appliances(members, true, false);
    make_group(lab, &config, LAB_GROUP_NVA1);
}

static void make_fibs(struct lab *lab)
{
    struct lpm_route four[] = {
        route("0.0.0.0/0", LAB_GROUP_NVAS), route("10.1.0.0/24", LAB_GROUP_VNET),
        route("198.51.100.0/24", LAB_GROUP_NULL), route("203.0.113.0/24", LAB_GROUP_NVA1)};
    struct lpm_route six[] = {route("::/0", LAB_GROUP_NVAS), route("fd00:1::/64", LAB_GROUP_VNET)};

    MUST(lpm_base_create(lab->lpm, LPM_IPV4, four, 4, &lab->fib4) == 0);
    MUST(lpm_base_create(lab->lpm, LPM_IPV6, six, 2, &lab->fib6) == 0);
}

void lab_open(struct lab *lab, const struct lab_options *options)
{
    struct dp_forwarding_config config = {
        .workers = options->workers ? options->workers : 1,
        .nic_capacity = 16,
        .vnet_capacity = 4,
        .group_capacity = 16,
        .decrement_ttl = !options->keep_ttl,
        .hash_fields = options->hash_fields ? options->hash_fields : 5 | DP_HASH_INNER,
        .silent_drops = options->silent_drops,
    };

    *lab = (struct lab){.options = *options};
    snprintf(lab->directory, sizeof(lab->directory), "/tmp/dataplane-lab-XXXXXX");
    MUST(mkdtemp(lab->directory));
    lab->lpm = lpm_create();
    MUST(lab->lpm);
    lab->forwarding = dp_forwarding_create(&config, lab->lpm);
    MUST(lab->forwarding);
    make_fibs(lab);
    make_groups(lab);
    set_vnets(lab);
    for (uint32_t nic = LAB_VM; nic < LAB_NIC_COUNT; nic++)
        lab_set_nic(lab, nic);
    set_addresses(lab);
}

static void remove_files(const char *directory)
{
    DIR *handle = opendir(directory);
    struct dirent *entry;

    MUST(handle);
    while ((entry = readdir(handle))) {
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            unlinkat(dirfd(handle), entry->d_name, 0);
    }
    closedir(handle);
    rmdir(directory);
}

void lab_close(struct lab *lab)
{
    for (uint32_t nic = LAB_VM; nic < LAB_NIC_COUNT; nic++)
        MUST(dp_nic_remove(lab->forwarding, nic) == 0);
    dp_forwarding_destroy(lab->forwarding);
    lpm_release(lab->fib4);
    lpm_release(lab->fib6);
    lpm_destroy(lab->lpm);
    remove_files(lab->directory);
}

void lab_fail_nva1(struct lab *lab)
{
    struct dp_member members[2];
    struct dp_group_config config = appliances(members, false, true);

    MUST(dp_group_replace(lab->forwarding, LAB_GROUP_NVAS, &config) == 0);
}

void lab_restore_nva1(struct lab *lab)
{
    struct dp_member members[2];
    struct dp_group_config config = appliances(members, true, true);

    MUST(dp_group_replace(lab->forwarding, LAB_GROUP_NVAS, &config) == 0);
}

unsigned lab_core(void)
{
    cpu_set_t cpus;
    unsigned core = 0;

    MUST(sched_getaffinity(0, sizeof(cpus), &cpus) == 0);
    while (!CPU_ISSET(core, &cpus))
        core++;
    return core;
}

const char *lab_path(const struct lab *lab, const char *name)
{
    static char paths[4][128];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", lab->directory, name);
    return path;
}

uint64_t counters_dropped(const struct dp_counters *counters)
{
    uint64_t sum = 0;

    for (unsigned reason = 0; reason < DP_REASON_COUNT; reason++)
        sum += counters->dropped[reason];
    return sum;
}

bool counters_add_up(const struct dp_counters *counters)
{
    return counters->received ==
           counters->forwarded + counters->answered + counters_dropped(counters);
}
