/*
 * Loading as a whole: the exact model of a good file, files that include each other, directories,
 * and that the order of things in a file never matters.
 */
#include "tests/fabric/dump.h"
#include "tests/fabric/files.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/fabric/loader.h"

/* --- A good file ------------------------------------------------------------------------------ */

static const char every_key[] =
    "fabric every-key mode=0 "
    "reserved=[10.0.0.0/8,25.0.0.0/8,100.64.0.0/10,172.16.0.0/12,192.168.0.0/16,198.18.0.0/15]\n"
    "quirks 0111111111000 reflect=1\n"
    "engine cores=[3,1] socket=/run/fingerpost.sock metrics=127.0.0.1:9460 verify=1 "
    "bmp=127.0.0.1:11019/c/5 bmp=[::1]:11019/3/60\n"
    "ecmp strict=1 hash=3 sticky=1 idle=1000 forced=2000\n"
    "internet present=1 port=1 next_hop=203.0.113.1 source_nat=203.0.113.9 mac=02:00:00:00:00:fd\n"
    "vnet hub region=uksouth space=[10.0.0.0/22,fd00:10::/48] overrides=[] subnets=0+4 "
    "route_server=0\n"
    "vnet spoke1 region=ukwest space=[10.1.0.0/16] overrides=[] subnets=4+1 route_server=-\n"
    "vnet spoke2 region=default space=[10.2.0.0/16] overrides=[10.1.0.0/16] subnets=5+1 "
    "route_server=-\n"
    "subnet GatewaySubnet hub/GatewaySubnet vnet=0 prefixes=[10.0.3.0/26] route_table=- "
    "gateway=12:34:56:78:9a:bc endpoints=[] reject=000 communities=[] rejected=[]\n"
    "subnet RouteServerSubnet hub/RouteServerSubnet vnet=0 prefixes=[10.0.0.0/26] route_table=- "
    "gateway=12:34:56:78:9a:bc endpoints=[] reject=000 communities=[] rejected=[]\n"
    "subnet nva hub/nva vnet=0 prefixes=[10.0.1.0/24,fd00:10:0:1::/64] route_table=0 "
    "gateway=02:00:00:00:00:01 endpoints=[] reject=000 communities=[] rejected=[]\n"
    "subnet vms hub/vms vnet=0 prefixes=[10.0.2.0/24] route_table=- gateway=12:34:56:78:9a:bc "
    "endpoints=[Storage] reject=000 communities=[] rejected=[]\n"
    "subnet vms spoke1/vms vnet=1 prefixes=[10.1.0.0/24] route_table=- gateway=12:34:56:78:9a:bc "
    "endpoints=[] reject=101 communities=[65001:666] rejected=[10.0.0.0/8 le 24]\n"
    "subnet vms spoke2/vms vnet=2 prefixes=[10.2.0.0/24] route_table=- gateway=12:34:56:78:9a:bc "
    "endpoints=[] reject=010 communities=[] rejected=[]\n"
    "peering 0-1 in_sync=0 global=1 1110 0001\n"
    "peering 1-2 in_sync=1 global=1 1000 1000\n"
    "table nva-table propagation=0\n"
    "  0.0.0.0/0 Internet next_hop=-\n"
    "  10.2.0.0/16 VirtualAppliance next_hop=10.0.1.4\n"
    "  10.3.0.0/16 VnetLocal next_hop=-\n"
    "  10.4.0.0/16 VirtualNetworkGateway next_hop=-\n"
    "  fd00::/8 None next_hop=-\n"
    "tag AzureCloud prefixes=[20.0.0.0/8]\n"
    "tag Storage prefixes=[20.60.0.0/24,20.60.4.0/24]\n"
    "nic nva1 vnet=0 subnet=2 addresses=[10.0.1.4,fd00:10:0:1::4] mac=02:9c:5b:31:b2:b7 "
    "forwarding=1 vlan=12 vni=0 port=4 underlay=- host=- router=2\n"
    "nic nva2 vnet=0 subnet=2 addresses=[10.0.1.5] mac=02:7f:5e:31:b2:1d forwarding=0 vlan=0 "
    "vni=7001 port=- underlay=5 host=1 router=-\n"
    "nic vm1 vnet=1 subnet=4 addresses=[10.1.0.4,10.1.0.5] mac=02:00:00:00:01:04 forwarding=0 "
    "vlan=0 vni=0 port=3 underlay=- host=0 router=-\n"
    "nic er1/0 vnet=0 subnet=0 addresses=[10.0.3.4] mac=02:75:e5:0e:7e:73 forwarding=1 "
    "vlan=0 vni=0 port=0 underlay=- host=- router=-\n"
    "nic vpn1/0 vnet=0 subnet=0 addresses=[10.0.3.6] mac=02:80:29:eb:af:ae forwarding=1 "
    "vlan=0 vni=0 port=- underlay=- host=- router=-\n"
    "nic vpn1/1 vnet=0 subnet=0 addresses=[10.0.3.7] mac=02:9c:26:eb:af:48 forwarding=1 "
    "vlan=0 vni=0 port=- underlay=- host=- router=-\n"
    "nic rs1/nic vnet=0 subnet=1 addresses=[10.0.0.5,10.0.0.4] mac=02:46:b9:dd:82:bc forwarding=0 "
    "vlan=0 vni=0 port=2 underlay=- host=- router=-\n"
    "port p-er1 device=net_tap options=iface=fp-er1 queues=0 mtu=0 address=-\n"
    "port p-inet device=net_tap options=iface=fp-inet queues=0 mtu=0 address=-\n"
    "port p-rs1 device=net_tap options=iface=fp-rs1 queues=0 mtu=0 address=-\n"
    "port p-vm1 device=net_tap options=iface=fp-vm1,mac=fixed queues=0 mtu=0 address=-\n"
    "port trunk device=0000:3b:00.0 options=- queues=2 mtu=9000 address=-\n"
    "port under0 device=net_af_xdp options=iface=eth1 queues=0 mtu=0 address=192.0.2.1\n"
    "host h1 vtep=192.0.2.1\n"
    "host h2 vtep=192.0.2.7\n"
    "route-server rs1 vnet=0 asn=65510 addresses=[10.0.0.5,10.0.0.4] port=2 listen=mgmt0/1179 "
    "b2b=1 "
    "preference=2 limits=16/5000\n"
    "  decision med=1 origin=1 failback=90 summaries=[10.0.0.0/8] cluster=192.0.2.9\n"
    "  peer box address=10.0.2.9 asn=65009 nic=- router=- key=- hold=30 keepalive=10 bfd=0/300/3/0 "
    "restart=1/120/360/1/0 "
    "max=5/1/80/2/5 import=- export=-\n"
    "  transport extended=1 key=0/1 connect=0 ttl=255/0 port=0 interface=- local=[]\n"
    "  peer nva1 address=10.0.1.4 asn=65001 nic=0 router=2 key=keys/nva1 hold=90 keepalive=20 "
    "bfd=1/50/4/1 restart=0/90/100/0/3600 max=1000/0/70/1/4294967295 import=from-nva "
    "export=to-nva\n"
    "  bgp add_path=3/4 extended=1 role=2/1 reflection=0 transparent=1 drained=1 blackhole=1 own=2 "
    "most=30/60 first=1 override=1 prepend=3 private=2 remove=[12076,398656]\n"
    "  transport extended=0 key=1/7 connect=2 ttl=255/1 port=1180 interface=eth1 "
    "local=[192.0.2.2,192.0.2.3]\n"
    "  dynamic 10.0.1.128/25 template=nva1 first=[65001,65100] last=[65001,65199]\n"
    "gateway er1 vpn=0 vnet=0 asn=65515 addresses=[10.0.3.4] point_to_site=[] transit=0 default=0 "
    "port=0 first_nic=3 table=1001 told=900/0/70 "
    "import=from-nva export=to-nva\n"
    "  neighbor route_server=- router=1 gateway=- address=- asn=0 tunnel=- instances=[] override=0 "
    "prepend=0 "
    "import=- export=-\n"
    "gateway vpn1 vpn=1 vnet=0 asn=65100 addresses=[10.0.3.6,10.0.3.7] "
    "point_to_site=[172.30.0.0/24] transit=1 default=1 port=- first_nic=4 table=0 told=0/0/80 "
    "import=- export=-\n"
    "  neighbor route_server=- router=- gateway=- address=198.51.100.1 asn=65077 tunnel=- "
    "instances=[] override=0 prepend=0 import=- export=-\n"
    "  branch branch7 prefixes=[192.168.7.0/24]\n"
    "balancer ilb vnet=0 subnet=2 frontend=10.0.1.100 backends=[0,1] probe=tcp:8443 7/250/3/4\n"
    "policy from-nva\n"
    "  rule then=2 as_path=^65001 prefixes=[10.0.0.0/8 ge 16 le 24] communities=[65001:100]"
    " length=- med=- pref=- all=[] hops=[] sources=[] origins=[] set=0/0,0/0,0/0,0/0 replaces=0,0 "
    "path=[] remove_as=[] all_set=[] add=[65515:10] remove=[4200000000:1:2] prepend=[65515,65515] "
    "next_hop=10.0.1.100 summary=[] keep=0\n"
    "  rule then=0 as_path=- prefixes=[] communities=[] length=ge 2 le 5 med=5 pref=le 200 "
    "all=[65001:*,no-export] hops=[10.0.1.4/32,10.0.2.0/24] sources=[1,3] origins=[0,2] "
    "set=1/300,1/0,1/7,1/1 replaces=1,1 path=[65001] remove_as=[0,7] as8->9 "
    "all_set=[rt:65001:1] add=[] remove=[] prepend=[] next_hop=- summary=[] keep=0\n"
    "  rule then=0 as_path=- prefixes=[10.9.0.0/16 le 32] communities=[] length=- med=- pref=- "
    "all=[] "
    "hops=[] sources=[] origins=[] set=0/0,0/0,0/0,0/0 replaces=0,0 path=[] remove_as=[] "
    "all_set=[] add=[] remove=[] prepend=[] next_hop=- summary=[10.9.0.0/16] keep=1\n"
    "  rule then=1 as_path=- prefixes=[0.0.0.0/0] communities=[] length=- med=- pref=- all=[] "
    "hops=[] sources=[] origins=[] set=0/0,0/0,0/0,0/0 replaces=0,0 path=[] remove_as=[] "
    "all_set=[] add=[] remove=[] prepend=[] "
    "next_hop=- summary=[] keep=0\n"
    "policy to-nva\n"
    "router cpe1 nics=[] role=- asn=65050 originate=[] restart=0 stateful=0 source_nat=0\n"
    "  neighbor route_server=- router=1 gateway=- address=- asn=0 tunnel=- instances=[] override=0 "
    "prepend=0 "
    "import=- export=-\n"
    "  host client address=172.20.0.10\n"
    "router msee1 nics=[] role=msee asn=12076 originate=[] restart=0 stateful=0 source_nat=0\n"
    "  neighbor route_server=- router=0 gateway=- address=- asn=0 tunnel=- instances=[] override=0 "
    "prepend=0 "
    "import=- export=-\n"
    "  neighbor route_server=- router=- gateway=0 address=- asn=0 tunnel=- instances=[] override=0 "
    "prepend=0 "
    "import=- export=-\n"
    "router nva1-os nics=[0] role=- asn=65001 "
    "originate=[0.0.0.0/0,10.0.0.0/8,198.51.100.0/26,198.51.100.64/26,198.51.100.128/26] "
    "restart=60 "
    "stateful=1 "
    "source_nat=1 table=rib.bz2 place=0 updates=updates.gz full=1 "
    "after=5 peer=10.9.9.9\n"
    "  neighbor route_server=0 router=- gateway=- address=- asn=0 tunnel=- instances=[1] "
    "override=1 prepend=2 "
    "import=- export=to-nva\n"
    "  bgp add_path=2/8 extended=0 role=3/0 reflection=0 transparent=0 drained=0 blackhole=0 own=0 "
    "most=0/0 first=0 override=0 prepend=0 private=0 remove=[]\n"
    "  neighbor route_server=- router=1 gateway=- address=- asn=0 tunnel=1 instances=[] override=0 "
    "prepend=0 "
    "import=from-nva export=-\n"
    " key=keys/vx12\n"
    " bfd=40/5/1\n"
    "  static 9.0.0.0/8 gateway=0 via=10.0.1.1\n"
    "  static 10.0.0.0/26 gateway=1 via=-\n"
    "  health app withdraw=[9.9.9.9/32]\n"
    "tunnel ip12 ipsec=1 vni=0 ends=[0,1] addresses=[fd31::1,fd31::2]\n"
    "tunnel vx12 ipsec=0 vni=100 ends=[2,1] addresses=[172.31.0.1,172.31.0.2]\n";

Test(load, every_key_of_a_good_file_arrives_in_the_model)
{
    struct fabric *fabric = files_load_path("tests/fabric/every-key.yaml", NULL);
    char *text;

    cr_assert_not_null(fabric);
    text = dump_fabric(fabric);
    cr_expect_str_eq(text, every_key, "got:\n%s", text);
    free(text);
    fabric_free(fabric);
}

Test(load, objects_know_their_file_and_line)
{
    struct fabric *fabric = files_load_path("tests/fabric/every-key.yaml", NULL);
    const char *file;

    cr_assert_not_null(fabric);
    file = fabric->vnets[0].place.file;
    cr_expect_str_eq(file + strlen(file) - strlen("/every-key.yaml"), "/every-key.yaml");
    cr_expect_eq(fabric->vnets[0].place.line, 33);
    cr_expect_eq(fabric->subnets[2].place.line, 38);
    cr_expect_eq(fabric->route_servers[0].peers[1].place.line, 105);
    cr_expect_eq(fabric->internet.place.line, 29);
    file = fabric->service_tags[0].place.file;
    cr_expect_str_eq(file + strlen(file) - strlen("/every-key-tags.yaml"), "/every-key-tags.yaml");
    cr_expect_eq(fabric->service_tags[0].place.line, 4);
    fabric_free(fabric);
}

/* --- Defaults --------------------------------------------------------------------------------- */

Test(load, azure_mode_turns_quirks_on_and_changes_limits)
{
    struct fabric *fabric = files_load_text(
        "mode: azure\n"
        "quirks: {damping: false}\n"
        "vnets: [{name: v, address_space: [10.0.0.0/16], subnets: [{name: RouteServerSubnet, "
        "prefixes: [10.0.0.0/26]}]}]\n"
        "route_servers: [{name: rs, vnet: v, addresses: [10.0.0.4], peers: [{name: p, address: "
        "10.0.0.9, asn: 65001}]}]\n",
        NULL);

    cr_assert_not_null(fabric);
    cr_expect(fabric->quirks.peer_limit && fabric->quirks.no_bfd && fabric->quirks.transparent_ttl);
    cr_expect(!fabric->quirks.damping, "the file's own switch stands over the mode");
    cr_expect_eq(fabric->route_servers[0].peer_limit, 8);
    cr_expect_eq(fabric->route_servers[0].prefix_limit, 10000);
    cr_expect_eq(fabric->route_servers[0].peers[0].max_prefixes.limit, 4000);
    cr_expect(fabric->route_servers[0].peers[0].max_prefixes.count_azure);
    fabric_free(fabric);
}

Test(load, a_file_with_nothing_in_it_is_an_error)
{
    static const char *const texts[] = {"", "# nothing\n", "---\n", "{}\n"};

    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char *problems = NULL;

        cr_assert_null(files_load_text(texts[i], &problems));
        cr_expect(strstr(problems, "there is nothing in it"), "%s", problems);
        free(problems);
    }
}

Test(load, what_is_not_given_has_its_default)
{
    struct fabric *fabric = files_load_text("vnets: []\n", NULL);

    cr_assert_not_null(fabric);
    cr_expect_str_eq(fabric->name, "fabric");
    cr_expect_eq(fabric->vnets_count, 0);
    cr_expect_eq(fabric->reserved.n, 4);
    cr_expect(!fabric->internet.present);
    cr_expect_eq(fabric->internet.port, FABRIC_NONE);
    cr_expect_eq(fabric->ecmp.hash_fields, 5);
    fabric_free(fabric);
}

Test(load, macs_that_are_not_given_are_local_and_differ_and_stay)
{
    struct fabric *base = files_load_text(files_base, NULL);
    struct fabric *again = files_load_text(files_base, NULL);

    cr_assert(base && again);
    cr_expect_eq(base->nics[2].mac[0], 0x02);
    cr_expect_arr_eq(base->nics[2].mac, again->nics[2].mac, 6);
    cr_expect_arr_neq(base->nics[2].mac, base->nics[1].mac, 6);
    fabric_free(base);
    fabric_free(again);
}

/* --- Order ------------------------------------------------------------------------------------ */

static bool order_is_free(const char *key, const struct fabric_node *list)
{
    static const char *const sets[] = {"address_space", "prefixes", "originate",
                                       "reserved_prefixes", "backends"};

    if (list->n > 0 && list->items[0]->kind == FABRIC_NODE_MAPPING)
        return strcmp(key, "rules") != 0 && strcmp(key, "bmp") != 0;
    for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++)
        if (strcmp(key, sets[i]) == 0)
            return true;
    return false;
}

/* A random order of 0 .. n - 1. */
static void shuffle(uint32_t *order, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t j = (uint32_t)rand() % (i + 1);

        order[i] = order[j];
        order[j] = i;
    }
}

/* Writes a node as YAML flow text: mappings shuffled, lists where their order is free. */
static void emit(FILE *out, const char *key, const struct fabric_node *node)
{
    uint32_t step = node->kind == FABRIC_NODE_MAPPING ? 2 : 1;
    uint32_t n = node->n / step;
    uint32_t order[FABRIC_MAPPING_KEYS_MAX];

    if (node->kind == FABRIC_NODE_SCALAR) {
        fprintf(out, fabric_node_is_empty(node) ? "~" : "\"%s\"", node->text);
        return;
    }
    cr_assert_leq(n, FABRIC_MAPPING_KEYS_MAX);
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    if (step == 2 || order_is_free(key, node))
        shuffle(order, n);
    fputc(step == 2 ? '{' : '[', out);
    for (uint32_t i = 0; i < n; i++) {
        struct fabric_node *const *item = &node->items[order[i] * step];

        if (i > 0)
            fputs(",\n ", out);
        if (step == 2)
            fprintf(out, "\"%s\": ", item[0]->text);
        emit(out, step == 2 ? item[0]->text : key, item[step - 1]);
    }
    fputc(step == 2 ? '}' : ']', out);
}

static void check_order(const char *path, const char *expected)
{
    char *tags = files_read("tests/fabric/every-key-tags.yaml");
    char *text = files_read(path);
    struct fabric_problems problems = {0};
    struct fabric_loader loader = {.problems = &problems};
    struct fabric_node *root = fabric_tree_parse(&loader, path, text, strlen(text));

    cr_assert_not_null(root);
    for (unsigned round = 0; round < 100; round++) {
        char *shuffled = NULL, *dump;
        size_t length;
        FILE *out = open_memstream(&shuffled, &length);
        struct files_file files[] = {
            {"base.yaml", NULL, false}, {"every-key-tags.yaml", tags, false}, {NULL, NULL, false}};
        struct fabric *fabric;

        emit(out, "", root);
        fclose(out);
        files[0].text = shuffled;
        fabric = files_load(files, NULL);
        cr_assert_not_null(fabric, "%s", shuffled);
        dump = dump_fabric(fabric);
        cr_assert_str_eq(dump, expected, "in round %u of\n%s", round, shuffled);
        fabric_free(fabric);
        free(dump);
        free(shuffled);
    }
    fabric_arena_free(&loader.tree);
    free(text);
    free(tags);
}

Test(load, order_in_a_file_never_matters)
{
    unsigned seed = (unsigned)time(NULL);
    struct fabric *fabric = files_load_path("docs/examples/hub-spoke.yaml", NULL);
    char *example;

    fprintf(stderr, "seed %u\n", seed);
    srand(seed);
    cr_assert_not_null(fabric);
    example = dump_fabric(fabric);
    check_order("tests/fabric/every-key.yaml", every_key);
    check_order("docs/examples/hub-spoke.yaml", example);
    fabric_free(fabric);
    free(example);
}

/* --- Several files ---------------------------------------------------------------------------- */

#define VNET(name, space) "vnets: [{name: " name ", address_space: [" space "]}]\n"

static void expect_files(const struct files_file *files, uint32_t vnets, const char *expected)
{
    char *problems;
    struct fabric *fabric = files_load(files, &problems);

    cr_expect_str_eq(problems, expected);
    cr_expect_eq(fabric != NULL, vnets > 0);
    if (fabric)
        cr_expect_eq(fabric->vnets_count, vnets);
    fabric_free(fabric);
    free(problems);
}

Test(load, included_files_are_relative_to_the_including_one_and_read_once)
{
    const struct files_file files[] = {
        {"top/main.yaml", "include: [net/a.yaml, ./net/../b.yaml]\n" VNET("c", "10.3.0.0/16"),
         false},
        {"top/net/a.yaml", "include: [../b.yaml, /abs/d.yaml]\n" VNET("a", "10.1.0.0/16"), false},
        {"top/b.yaml", VNET("b", "10.2.0.0/16"), false},
        {"/abs/d.yaml", "include:\n" VNET("d", "10.4.0.0/16"), false},
        {NULL, NULL, false},
    };

    expect_files(files, 4, "");
}

Test(load, a_cycle_of_includes_is_told)
{
    const struct files_file files[] = {
        {"a.yaml", "include: [b.yaml]\n", false},
        {"b.yaml", "\ninclude:\n  - ./a.yaml\n", false},
        {NULL, NULL, false},
    };

    expect_files(files, 0,
                 "b.yaml:3: error: 'a.yaml' includes itself, directly or through others\n");
}

Test(load, a_file_that_cannot_be_read_is_told_where_it_is_included)
{
    const struct files_file files[] = {
        {"a.yaml", "fabric: a\ninclude: [b.yaml]\n", false},
        {NULL, NULL, false},
    };
    char *problems;

    expect_files(files, 0, "a.yaml:2: error: 'b.yaml' cannot be read: No such file or directory\n");
    cr_expect_null(files_load_path("tests/fabric/gone.yaml", &problems));
    cr_expect_not_null(strstr(problems, "gone.yaml:0: error: "));
    cr_expect_not_null(strstr(problems, "cannot be read: No such file or directory"));
    free(problems);
}

Test(load, what_is_neither_a_file_nor_a_directory_is_told_so)
{
    const struct files_file included[] = {
        {"a.yaml", "fabric: a\n\ninclude: [pipe]\n", false},
        {"pipe", NULL, false},
        {NULL, NULL, false},
    };

    expect_files(included, 0, "a.yaml:3: error: 'pipe' is neither a file nor a directory\n");
    expect_files(included + 1, 0, "pipe:0: error: is neither a file nor a directory\n");
}

Test(load, a_directory_stands_for_its_files)
{
    const struct files_file files[] = {
        {"net", "net/a.yaml\nnet/b.yaml\n", true},
        {"net/a.yaml", "fabric: several\n" VNET("a", "10.1.0.0/16"), false},
        {"net/b.yaml", VNET("b", "10.2.0.0/16"), false},
        {NULL, NULL, false},
    };
    const struct files_file empty[] = {{"net", "", true}, {NULL, NULL, false}};

    expect_files(files, 2, "");
    expect_files(empty, 0, "net:0: error: the directory 'net' holds no .yaml file\n");
}

Test(load, drills_beside_a_fabric_are_no_part_of_it)
{
    const struct files_file files[] = {
        {"net", "net/a.yaml\nnet/drill.yaml\n", true},
        {"net/a.yaml", "fabric: one\n" VNET("a", "10.1.0.0/16"), false},
        {"net/drill.yaml", "drill: d\nevents: []\n", false},
        {NULL, NULL, false},
    };
    const struct files_file only[] = {
        {"net", "net/drill.yaml\n", true},
        {"net/drill.yaml", "drill: d\n", false},
        {NULL, NULL, false},
    };
    const struct files_file named[] = {
        {"a.yaml", "fabric: one\ninclude: [drill.yaml]\n" VNET("a", "10.1.0.0/16"), false},
        {"drill.yaml", "# of a.yaml\ndrill: d\n", false},
        {NULL, NULL, false},
    };

    expect_files(files, 1, "");
    expect_files(only, 0,
                 "net:0: error: there is nothing in it; a fabric file begins with 'fabric: NAME' "
                 "and has 'vnets:'\n");
    expect_files(named, 0,
                 "drill.yaml:2: error: this is a drill, not a part of a fabric: fingerpost drill "
                 "FABRIC drill.yaml\n");
}

Test(load, what_stands_once_may_stand_in_one_file_only)
{
    const struct files_file files[] = {
        {"a.yaml", "fabric: a\ninclude: [b.yaml]\n" VNET("a", "10.1.0.0/16"), false},
        {"b.yaml", "\nfabric: b\n" VNET("a", "10.2.0.0/16"), false},
        {NULL, NULL, false},
    };

    const struct files_file names[] = {
        {"a.yaml", "include: [b.yaml]\n" VNET("a", "10.1.0.0/16"), false},
        {"b.yaml", "\n" VNET("a", "10.2.0.0/16"), false},
        {NULL, NULL, false},
    };

    expect_files(files, 0, "b.yaml:2: error: the key 'fabric' is given twice, first at a.yaml:1\n");
    expect_files(names, 0,
                 "b.yaml:2: error: vnets: the name 'a' is used twice, first at a.yaml:2\n");
}
