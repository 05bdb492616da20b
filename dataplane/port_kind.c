/*
 * See port_kind.h.
 */
#include "dataplane/port_kind.h"

#include <dirent.h>
#include <errno.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/error.h"
#include "dataplane/port.h"

#define NAME_TEXT IFNAMSIZ

/* --- Options ---------------------------------------------------------------------------------- */

bool dp_port_option(const char *options, const char *key, char *value, size_t room)
{
    size_t n = strlen(key);

    while (options && *options) {
        size_t end = strcspn(options, ",");

        if (end > n && !strncmp(options, key, n) && options[n] == '=') {
            snprintf(value, room, "%.*s", (int)(end - n - 1), options + n + 1);
            return true;
        }
        options += end + (options[end] == ',');
    }
    return false;
}

static bool has_option(const char *options, const char *key)
{
    char value[NAME_TEXT];

    return dp_port_option(options, key, value, sizeof(value));
}

static void __attribute__((format(printf, 3, 4)))
append(char *options, size_t room, const char *format, ...)
{
    size_t used = strlen(options);
    va_list list;

    if (used > 0 && used + 1 < room)
        options[used++] = ',';
    va_start(list, format);
    vsnprintf(options + used, room - used, format, list);
    va_end(list);
}

/* --- Kinds ------------------------------------------------------------------------------------ */

/* net_af_packet's own ring of 512 frames is 10 ms at 50,000 packets a second, less than a busy
 * machine lets a worker wait for its core; 16 MB a direction are 160 ms. A frame's slot holds its own
 * header too, and is a power of two, so that blocks are filled. Whoever sizes the ring himself is left
 * alone. */
#define PACKET_RING   (16u << 20)
#define PACKET_BLOCK  65536u
#define PACKET_HEADER 128u
#define MEMIF_BUFFER  2048u /* the driver's own */

static void complete_af_packet(const struct dp_port_config *config, unsigned queues, char *options,
                               size_t room)
{
    unsigned slot = 2048;

    if (queues > 1 && !has_option(options, "qpairs"))
        append(options, room, "qpairs=%u", queues);
    if (has_option(options, "framecnt") || has_option(options, "blocksz") ||
        has_option(options, "framesz"))
        return;
    while (slot < config->mtu + DP_L2_OVERHEAD + PACKET_HEADER)
        slot *= 2;
    append(options, room, "blocksz=%u,framesz=%u,framecnt=%u", PACKET_BLOCK, slot,
           PACKET_RING / slot);
}

/* Buffers that hold the port's frames; both ends say the same, or the link does not come up. */
static void complete_memif(const struct dp_port_config *config, unsigned queues, char *options,
                           size_t room)
{
    (void)queues;
    if (config->mtu + DP_L2_OVERHEAD > MEMIF_BUFFER && !has_option(options, "bsize"))
        append(options, room, "bsize=%u", config->mtu + DP_L2_OVERHEAD);
}

static const struct dp_port_kind kinds[] = {
    {.driver = "net_af_packet",
     .partial_checksums = true,
     .kernel_mtu = true,
     .interface_option = "iface",
     .complete = complete_af_packet},
    {.driver = "net_af_xdp", .interface_option = "iface"},
    {.driver = "net_pcap", .interface_option = "iface"},
    {.driver = "net_memif", .kernel_mtu = true, .complete = complete_memif},
    {.driver = "net_virtio_user", .shares_memory = true},
    {.driver = "virtio_user", .shares_memory = true},
};
static const struct dp_port_kind any;

const struct dp_port_kind *dp_port_kind(const char *device)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        if (!strncmp(device, kinds[i].driver, strlen(kinds[i].driver)))
            return &kinds[i];
    }
    return &any;
}

void dp_port_options(const struct dp_port_config *config, unsigned queues, char *options,
                     size_t room)
{
    const struct dp_port_kind *kind = dp_port_kind(config->device);

    snprintf(options, room, "%s", config->options ? config->options : "");
    if (kind->complete)
        kind->complete(config, queues, options, room);
}

/* --- Interface -------------------------------------------------------------------------------- */

void dp_port_interface(const struct dp_port_config *config, char interface[16])
{
    const char *option = dp_port_kind(config->device)->interface_option;

    interface[0] = '\0';
    if (option)
        dp_port_option(config->options, option, interface, NAME_TEXT);
}

/* What the kernel says of an interface to one of the SIOCGIF... requests. */
static bool ask_kernel(const char name[NAME_TEXT], unsigned long what, struct ifreq *request)
{
    int handle = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool good;

    *request = (struct ifreq){0};
    memcpy(request->ifr_name, name, sizeof(request->ifr_name));
    good = handle >= 0 && ioctl(handle, what, request) == 0;
    if (handle >= 0)
        close(handle);
    return good;
}

bool dp_interface_runs(const char interface[16])
{
    struct ifreq request;

    return ask_kernel(interface, SIOCGIFFLAGS, &request) && (request.ifr_flags & IFF_UP) &&
           (request.ifr_flags & IFF_RUNNING);
}

/* --- Taps ------------------------------------------------------------------------------------- */

static bool tap_name(int descriptor, char name[NAME_TEXT])
{
    struct ifreq request = {0};
    const bool good = ioctl(descriptor, TUNGETIFF, &request) == 0;

    memcpy(name, request.ifr_name, NAME_TEXT);
    return good;
}

bool dp_tap_lives(int descriptor)
{
    char name[NAME_TEXT];

    return tap_name(descriptor, name);
}

/* The driver does not give its descriptors away, but the kernel lists them. */
int dp_tap_find(const char *name)
{
    DIR *list = opendir("/proc/self/fd");
    struct dirent *entry;
    int found = 0;

    while (list && !found && (entry = readdir(list))) {
        const int descriptor = atoi(entry->d_name);
        char target[32] = "", other[NAME_TEXT];

        if (readlinkat(dirfd(list), entry->d_name, target, sizeof(target) - 1) > 0 &&
            !strcmp(target, "/dev/net/tun") && tap_name(descriptor, other) &&
            !strncmp(name, other, NAME_TEXT))
            found = descriptor;
    }
    if (list)
        closedir(list);
    return found;
}

/* --- MTU -------------------------------------------------------------------------------------- */

static bool interface_mtu(const char name[NAME_TEXT], unsigned *mtu)
{
    struct ifreq request;
    const bool good = ask_kernel(name, SIOCGIFMTU, &request);

    *mtu = good ? (unsigned)request.ifr_mtu : 0;
    return good;
}

int dp_port_check_mtu(const struct dp_port_config *config, char error[DP_ERROR_TEXT])
{
    const struct dp_port_kind *kind = dp_port_kind(config->device);
    unsigned wanted = config->mtu ? config->mtu : DP_PORT_MTU, has;
    char name[NAME_TEXT] = "";

    if (!kind->kernel_mtu || !kind->interface_option ||
        !dp_port_option(config->options, kind->interface_option, name, sizeof(name)) ||
        !interface_mtu(name, &has) || has >= wanted)
        return 0;
    return dp_fail(
        error, -EINVAL,
        "port %s (%s): interface %s has an MTU of %u, the port one of %u: ip link set %s "
        "mtu %u, or mtu: %u for the port",
        config->name, config->device, name, has, wanted, name, wanted, has);
}
