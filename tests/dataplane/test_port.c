/*
 * Ports that cannot open: the line names the port and says what would be right; nothing is left
 * behind.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/capability.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/dataplane/lab.h"

static struct lab lab;

static void open_lab(void)
{
    struct lab_options options = {.workers = 2};

    lab_open(&lab, &options);
}

static void close_lab(void)
{
    lab_close(&lab);
}

TestSuite(port, .init = open_lab, .fini = close_lab);

static int start(const struct dp_port_config *ports, unsigned n, char error[DP_ERROR_TEXT])
{
    struct dp_engine_config config = {.ports = ports, .port_count = n, .quiet = true};
    unsigned core = lab_core();
    struct dp_engine *engine;
    int result;

    config.cores = &core;
    config.core_count = 1;
    result = dp_engine_start(&config, lab.forwarding, &engine, error);
    if (result == 0)
        dp_engine_stop(engine);
    return result;
}

/* A good port stands before the bad one: it is opened and closed again. */
static void refuse(const char *device, const char *options, const char *words)
{
    struct dp_port_config ports[2] = {
        {.name = "good", .device = "net_null", .options = "no-rx=1"},
        {.name = "wan7", .device = device, .options = options},
    };
    char error[DP_ERROR_TEXT] = "";
    int result = start(ports, 2, error);

    cr_assert_lt(result, 0);
    cr_assert_not_null(strstr(error, "wan7"), "%s", error);
    cr_assert_not_null(strstr(error, words), "%s", error);
    cr_assert_null(strchr(error, '\n'), "%s", error);
}

static void drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

    cr_assert_eq(syscall(SYS_capset, &header, data), 0);
}

Test(port, a_failure_names_the_port_and_what_would_be_right)
{
    refuse("net_foo", NULL, "no such driver");
    refuse("", NULL, "not a device");
    refuse("net_null,x=1", NULL, "not a device");
    refuse("net_null", "sise=9", "sise=9");
    refuse("net_pcap", "rx_pcap=/no/such/file", "/no/such/file");
    refuse("net_pcap", NULL, "options");
    refuse("net_tap", "iface=fptest0,remot=eth9", "unknown option \"remot\"");
    refuse("net_af_packet", NULL, "iface=NAME");
    refuse("net_af_packet", "iface=nosuchif9", "no network interface nosuchif9");
}

Test(port, a_pci_device_that_is_not_there_is_named)
{
    struct dp_port_config port = {.name = "wan7", .device = "0000:ff:1f.7"};
    char error[DP_ERROR_TEXT] = "";

    cr_assert_lt(start(&port, 1, error), 0);
    cr_assert_not_null(strstr(error, "port wan7 (0000:ff:1f.7): there is no such PCI device"), "%s",
                       error);
}

/* EAL decides once whether it looks at PCI. */
Test(port, a_pci_device_after_a_start_without_any_is_refused)
{
    refuse("net_foo", NULL, "no such driver");
    refuse("0000:ff:1f.7", NULL, "without PCI");
}

Test(port, a_tap_never_joins_an_interface_that_is_there)
{
    refuse("net_tap", "iface=lo", "interface lo exists already");
}
Test(port, a_tap_without_permission_says_which)
{
    if (access("/dev/net/tun", F_OK))
        cr_skip_test("no tun module here");
    drop_capabilities();
    refuse("net_tap", "iface=fptest0", "CAP_NET_ADMIN");
}

Test(port, a_packet_socket_without_permission_says_which)
{
    drop_capabilities();
    refuse("net_af_packet", "iface=lo", "CAP_NET_RAW");
}

Test(port, after_a_failure_the_next_start_works)
{
    struct dp_port_config good = {.name = "good", .device = "net_ring"};
    char error[DP_ERROR_TEXT] = "";

    refuse("net_foo", NULL, "no such driver");
    cr_assert_eq(start(&good, 1, error), 0, "%s", error);
    cr_assert_eq(start(&good, 1, error), 0, "%s", error);
}

Test(port, an_mtu_that_the_device_cannot_do_is_refused)
{
    struct dp_port_config port = {.name = "wan7", .device = "net_null", .mtu = 20};
    char error[DP_ERROR_TEXT] = "";

    cr_assert_lt(start(&port, 1, error), 0);
    cr_assert_not_null(strstr(error, "port wan7 (net_null)"), "%s", error);
    cr_assert_not_null(strstr(error, "mtu 20"), "%s", error);
}

Test(port, a_core_that_the_process_may_not_use_is_refused)
{
    unsigned core = 1023;
    struct dp_engine_config config = {.cores = &core, .core_count = 1, .quiet = true};
    char error[DP_ERROR_TEXT] = "";
    struct dp_engine *engine;

    cr_assert_eq(dp_engine_start(&config, lab.forwarding, &engine, error), -EINVAL);
    cr_assert_not_null(strstr(error, "core 1023"), "%s", error);
}

Test(port, more_workers_than_counters_are_refused)
{
    unsigned cores[3] = {lab_core(), lab_core(), lab_core()};
    struct dp_engine_config config = {.cores = cores, .core_count = 3, .quiet = true};
    char error[DP_ERROR_TEXT] = "";
    struct dp_engine *engine;

    cr_assert_eq(dp_engine_start(&config, lab.forwarding, &engine, error), -EINVAL);
    cr_assert_not_null(strstr(error, "3 workers"), "%s", error);
}

Test(port, eal_leaves_no_directory_behind)
{
    struct dp_port_config good = {.name = "good", .device = "net_ring"};
    char error[DP_ERROR_TEXT] = "", path[128];

    cr_assert_eq(start(&good, 1, error), 0, "%s", error);
    snprintf(path, sizeof(path), "/var/run/dpdk/fingerpost-%d", (int)getpid());
    cr_assert_neq(access(path, F_OK), 0);
    snprintf(path, sizeof(path), "/tmp/dpdk/fingerpost-%d", (int)getpid());
    cr_assert_neq(access(path, F_OK), 0);
}

/* --- Queues ----------------------------------------------------------------------------------- */

static enum dp_spread spread_of(const char *device, const char *options, unsigned queues)
{
    const struct dp_port_config port = {
        .name = "wan7", .device = device, .options = options, .queues = queues};
    const unsigned cores[2] = {lab_core(), lab_core()};
    const struct dp_engine_config config = {
        .ports = &port, .port_count = 1, .cores = cores, .core_count = 2, .quiet = true};
    char error[DP_ERROR_TEXT] = "";
    struct dp_port_status status;
    struct dp_engine *engine;

    cr_assert_eq(dp_engine_start(&config, lab.forwarding, &engine, error), 0, "%s", error);
    cr_assert_eq(dp_engine_port_status(engine, 0, &status), 0);
    dp_engine_stop(engine);
    return status.spread;
}

Test(port, says_how_frames_are_spread_over_its_queues)
{
    cr_expect_eq(spread_of("net_null", "no-rx=1", 1), DP_SPREAD_NONE);
    cr_expect_eq(spread_of("net_null", "no-rx=1", 2), DP_SPREAD_RSS, "it has no key to choose");
    cr_expect_eq(spread_of("net_ring", NULL, 2), DP_SPREAD_DRIVER);
}
