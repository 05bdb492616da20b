/*
 * Why a port does not open, in words that a user can act on.
 *
 * Drivers answer -1 for everything and tell the rest in their log, in words for those who know
 * their source. The causes that people meet are looked for here first; the driver's own line is the
 * rest.
 */
#include "dataplane/port.h"

#include <ctype.h>
#include <errno.h>
#include <linux/capability.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dataplane/eal.h"
#include "dataplane/error.h"
#include "dataplane/port_kind.h"

#define EXPECTED_DEVICES                                                                           \
    "a driver (net_tap, net_af_packet, net_af_xdp, net_memif, net_pcap, net_ring, net_null) "      \
    "or a PCI address is expected"

static bool has_capability(unsigned capability)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

    if (syscall(SYS_capget, &header, data))
        return false;
    return data[capability / 32].effective & (1u << (capability % 32));
}

/* --- Causes ----------------------------------------------------------------------------------- */

/* Each returns what would be right, or NULL when it sees nothing wrong. */
static bool tap_is_taken(const char *options, char *room, size_t n)
{
    char interface[64];

    if (!dp_port_option(options, "iface", interface, sizeof(interface)) ||
        !if_nametoindex(interface))
        return false;
    snprintf(room, n,
             "interface %s exists already: delete it (ip link delete %s), or name another one",
             interface, interface);
    return true;
}

static const char *tap_cause(const char *options, char *room, size_t n)
{
    if (access("/dev/net/tun", F_OK))
        return "/dev/net/tun is missing: load the tun module (modprobe tun)";
    if (!has_capability(CAP_NET_ADMIN))
        return "making a tap interface needs CAP_NET_ADMIN: run it with sudo";
    if (access("/dev/net/tun", R_OK | W_OK))
        return "/dev/net/tun may not be opened by this user: run it with sudo";
    return tap_is_taken(options, room, n) ? room : NULL;
}

static const char *af_packet_cause(const char *options, char *room, size_t n)
{
    char interface[64];

    if (!dp_port_option(options, "iface", interface, sizeof(interface)))
        return "options must name the interface: iface=NAME";
    if (!if_nametoindex(interface)) {
        snprintf(room, n, "there is no network interface %s", interface);
        return room;
    }
    if (!has_capability(CAP_NET_RAW))
        return "reading an interface needs CAP_NET_RAW: run it with sudo";
    return NULL;
}

static const char *pci_cause(const char *device, char *room, size_t n)
{
    char path[128];

    /* PCI addresses may leave out the domain. */
    snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s%s",
             strlen(device) < strlen("0000:00:00.0") ? "0000:" : "", device);
    if (access(path, F_OK))
        return "there is no such PCI device: see lspci -D";
    snprintf(room, n, "no driver took it (%s): bind it to vfio-pci with dpdk-devbind.py",
             *dp_eal_error() ? dp_eal_error() : "nothing was logged");
    return room;
}

static const char *other_cause(const struct dp_port_config *config, int code, char *room, size_t n)
{
    /* What the virtual bus answers when no driver claims the name. */
    if (code == -EFAULT)
        return "there is no such driver; " EXPECTED_DEVICES;
    snprintf(room, n, "the driver refused options \"%s\"%s%s",
             config->options ? config->options : "", *dp_eal_error() ? ": " : "", dp_eal_error());
    return room;
}

void dp_port_explain(const struct dp_port_config *config, int code, char error[DP_ERROR_TEXT])
{
    char room[DP_ERROR_TEXT];
    const char *cause = NULL;

    if (dp_port_is_pci(config->device))
        cause = pci_cause(config->device, room, sizeof(room));
    else if (!strncmp(config->device, "net_tap", strlen("net_tap")))
        cause = tap_cause(config->options, room, sizeof(room));
    else if (!strncmp(config->device, "net_af_packet", strlen("net_af_packet")))
        cause = af_packet_cause(config->options, room, sizeof(room));
    if (!cause)
        cause = other_cause(config, code, room, sizeof(room));
    dp_fail(error, code, "port %s (%s): %s", config->name, config->device, cause);
}

/* --- Checks before the driver is asked -------------------------------------------------------- */

static bool is_device_name(const char *device)
{
    for (const char *c = device; *c; c++) {
        if (!isalnum((unsigned char)*c) && *c != '_')
            return false;
    }
    return *device && strlen(device) < RTE_DEV_NAME_MAX_LEN / 2;
}

/* net_tap ignores options that it does not know, and a typing error would go unseen. */
static int check_tap_options(const struct dp_port_config *config, char error[DP_ERROR_TEXT])
{
    static const char *const keys[] = {"iface", "remote", "mac"};
    const char *option = config->options;

    while (option && *option) {
        size_t end = strcspn(option, ","), key = strcspn(option, "=,");
        bool known = false;

        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
            known |= strlen(keys[i]) == key && !strncmp(option, keys[i], key);
        if (!known) {
            return dp_fail(error, -EINVAL,
                           "port %s (%s): unknown option \"%.*s\"; iface, remote and mac are known",
                           config->name, config->device, (int)key, option);
        }
        option += end + (option[end] == ',');
    }
    return 0;
}

/* The driver would join a tap that another engine has, as one more queue, and take a part of its
 * frames. */
static int check_tap(const struct dp_port_config *config, char error[DP_ERROR_TEXT])
{
    char room[DP_ERROR_TEXT];
    int result = check_tap_options(config, error);

    if (!result && tap_is_taken(config->options, room, sizeof(room)))
        result = dp_fail(error, -EEXIST, "port %s (%s): %s", config->name, config->device, room);
    return result;
}

int dp_port_check(const struct dp_port_config *config, char error[DP_ERROR_TEXT])
{
    if (config->options && strlen(config->options) > DP_PORT_OPTIONS_MAX)
        return dp_fail(error, -EINVAL,
                       "port %s (%s): options of %zu characters; at most %u are possible",
                       config->name, config->device, strlen(config->options), DP_PORT_OPTIONS_MAX);
    if (dp_port_is_pci(config->device))
        return 0;
    if (!is_device_name(config->device))
        return dp_fail(error, -EINVAL, "port %s: \"%s\" is not a device; " EXPECTED_DEVICES,
                       config->name, config->device);
    if (!strncmp(config->device, "net_tap", strlen("net_tap")))
        return check_tap(config, error);
    return 0;
}
