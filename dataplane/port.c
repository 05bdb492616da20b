/*
 * A port: plugged on its own with rte_eal_hotplug_add(), so that a failure belongs to one port,
 * then configured and started.
 *
 * Queues. Each worker wants a transmit queue of its own; where the device has fewer, workers
 * without one hand their frames to the queue's owner (dataplane/worker.h). Receive queues are
 * spread over the workers; which queue a frame comes by never matters for the decision.
 *
 * Checksums. The kernel leaves the checksums of what is sent over a veth to hardware that a veth
 * does not have, and net_af_packet does not pass on which frames are concerned: the packet path
 * looks for them (dataplane/checksum.h). net_tap turns that off at its kernel end.
 *
 * The one checksum that goes over whole packets, that of UDP in tunnels over IPv6, is left to devices that offer it.
 * IPv4 headers are 20 bytes, and a hop taken off changes theirs by a constant: to ask a device would cost more.
 *
 * Link. Drivers that report changes are watched; of those that read an interface of the kernel, that
 * interface is looked at from time to time; others are asked. A tap interface usually lives in another
 * network namespace, where the driver cannot see that it is up: it only counts as down when it is gone.
 */
#include "dataplane/port.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include <rte_bus_pci.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mempool.h>
#include <rte_pci.h>

#include "dataplane/eal.h"
#include "dataplane/error.h"
#include "dataplane/port_kind.h"

/* Spreads flows over queues; a device takes of it what it can. */
#define OPTIONS_TEXT (DP_PORT_OPTIONS_MAX + 64)
#define RSS_TYPES    (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP)

/* Toeplitz hashing with a key of 16 bits again and again gives both directions of a flow one queue (S. Woo,
 * K. Park: Scalable TCP session monitoring with symmetric receive-side scaling, 2012). It has 16 bits of
 * entropy, plenty for queues. As long as any device's key. */
#define KEY4  0x6d, 0x5a, 0x6d, 0x5a
#define KEY16 KEY4, KEY4, KEY4, KEY4
static const uint8_t symmetric_key[] = {KEY16, KEY16, KEY16, KEY16};

const char *dp_spread_name(enum dp_spread spread)
{
    static const char *const names[] = {[DP_SPREAD_NONE] = "none",
                                        [DP_SPREAD_DRIVER] = "driver",
                                        [DP_SPREAD_RSS] = "rss",
                                        [DP_SPREAD_SYMMETRIC] = "symmetric-rss"};

    return names[spread];
}

bool dp_port_is_pci(const char *device)
{
    struct rte_pci_addr address;

    return device && rte_pci_addr_parse(device, &address) == 0;
}

/* --- Plug ------------------------------------------------------------------------------------- */

/* A virtual device may be plugged under any name that begins with its driver's. */
static void name_device(struct dp_port *port, const char *device)
{
    if (port->pci)
        snprintf(port->device, sizeof(port->device), "%s", device);
    else
        snprintf(port->device, sizeof(port->device), "%s_fp%u", device, dp_eal_serial());
}

static int plug(struct dp_port *port, const struct dp_port_config *config, unsigned workers,
                char error[DP_ERROR_TEXT])
{
    const unsigned queues =
        config->queues == 0 || config->queues > workers ? workers : config->queues;
    char options[OPTIONS_TEXT];
    int result;

    dp_port_options(config, queues, options, sizeof(options));
    dp_eal_forget_error();
    result = rte_eal_hotplug_add(port->pci ? "pci" : "vdev", port->device, options);
    if (!result) {
        port->plugged = true;
        result = rte_eth_dev_get_port_by_name(port->device, &port->id);
    }
    if (result)
        dp_port_explain(config, result, error);
    return result;
}

/* --- Configure -------------------------------------------------------------------------------- */

static uint16_t at_most(unsigned wanted, uint16_t limit)
{
    return wanted < limit ? (uint16_t)wanted : limit;
}

static void choose_queues(struct dp_port *port, const struct rte_eth_dev_info *info,
                          unsigned wanted, unsigned workers)
{
    if (wanted == 0 || wanted > workers)
        wanted = workers;
    port->rx_queues = at_most(wanted, info->max_rx_queues);
    port->tx_queues = at_most(workers, info->max_tx_queues);
    /* A tap queue is one file for both directions. */
    if (!strcmp(info->driver_name, "net_tap"))
        port->tx_queues = port->rx_queues;
}

static void spread(struct dp_port *port, const struct rte_eth_dev_info *info,
                   struct rte_eth_conf *conf)
{
    struct rte_eth_rss_conf *rss = &conf->rx_adv_conf.rss_conf;

    port->spread = DP_SPREAD_DRIVER;
    if (!(info->flow_type_rss_offloads & RSS_TYPES))
        return;
    port->spread = DP_SPREAD_RSS;
    conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    rss->rss_hf = info->flow_type_rss_offloads & RSS_TYPES;
    if (info->hash_key_size == 0 || info->hash_key_size > sizeof(symmetric_key))
        return;
    port->spread = DP_SPREAD_SYMMETRIC;
    rss->rss_key = (uint8_t *)(uintptr_t)symmetric_key; /* drivers copy it */
    rss->rss_key_len = info->hash_key_size;
}

/* A device may have a key and let nobody choose it. */
static int configure_device(struct dp_port *port, struct rte_eth_conf *conf)
{
    int result = rte_eth_dev_configure(port->id, port->rx_queues, port->tx_queues, conf);

    if (!result || port->spread != DP_SPREAD_SYMMETRIC)
        return result;
    port->spread = DP_SPREAD_RSS;
    conf->rx_adv_conf.rss_conf.rss_key = NULL;
    conf->rx_adv_conf.rss_conf.rss_key_len = 0;
    return rte_eth_dev_configure(port->id, port->rx_queues, port->tx_queues, conf);
}

static void fill_configuration(struct dp_port *port, const struct rte_eth_dev_info *info,
                               struct rte_eth_conf *conf)
{
    *conf = (struct rte_eth_conf){.rxmode.mtu = port->kernel_mtu ? DP_PORT_MTU : port->mtu};
    if (port->rx_queues > 1)
        spread(port, info, conf);
    /* True of every buffer sent: one pool, one reference. */
    conf->txmode.offloads = info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
    port->watches_link =
        (*info->dev_flags & RTE_ETH_DEV_INTR_LSC) && strcmp(info->driver_name, "net_tap");
    conf->intr_conf.lsc = port->watches_link;
}

/* Only where there is something to fill in: some devices send by a slower way then. Virtio does not fill in
 * anything, but tells the other side what is missing. */
static void leave_checksums(struct dp_port *port, const struct rte_eth_dev_info *info,
                            struct rte_eth_conf *conf)
{
    port->fills_udp = (info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_UDP_CKSUM) &&
                      !strstr(info->driver_name, "virtio");
    if (port->fills_udp)
        conf->txmode.offloads |= RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
}

static int set_up_queues(struct dp_port *port, struct rte_mempool *pool)
{
    uint16_t rx_ring = DP_PORT_RING, tx_ring = DP_PORT_RING;
    int socket = rte_eth_dev_socket_id(port->id);
    int result = rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &rx_ring, &tx_ring);

    for (uint16_t queue = 0; !result && queue < port->rx_queues; queue++)
        result = rte_eth_rx_queue_setup(port->id, queue, rx_ring, (unsigned)socket, NULL, pool);
    for (uint16_t queue = 0; !result && queue < port->tx_queues; queue++)
        result = rte_eth_tx_queue_setup(port->id, queue, tx_ring, (unsigned)socket, NULL);
    return result;
}

/* Drivers without a call of their own took the MTU from the configuration, or have no limit. */
static int set_mtu(const struct dp_port *port)
{
    uint16_t now;
    int result;

    if (port->kernel_mtu)
        return 0;
    if (!rte_eth_dev_get_mtu(port->id, &now) && now == port->mtu && port->mtu == DP_PORT_MTU)
        return 0;
    result = rte_eth_dev_set_mtu(port->id, port->mtu);
    return result == -ENOTSUP ? 0 : result;
}

static int link_changed(uint16_t id, enum rte_eth_event_type type, void *context, void *extra)
{
    struct dp_port *port = context;
    struct rte_eth_link link = {0};

    (void)type;
    (void)extra;
    if (!rte_eth_link_get_nowait(id, &link))
        atomic_store_explicit(&port->link_up, link.link_status, memory_order_relaxed);
    return 0;
}

static int start(struct dp_port *port)
{
    int result;

    atomic_store_explicit(&port->link_up, true, memory_order_relaxed);
    if (port->watches_link)
        rte_eth_dev_callback_register(port->id, RTE_ETH_EVENT_INTR_LSC, link_changed, port);
    result = rte_eth_dev_start(port->id);
    if (result)
        return result;
    port->started = true;
    /* Guests send to the gateway MAC of their subnet, not to the device's. A device that cannot be
     * promiscuous (a pipe between two programs) receives everything anyway. */
    rte_eth_promiscuous_enable(port->id);
    if (port->watches_link)
        link_changed(port->id, RTE_ETH_EVENT_INTR_LSC, port, NULL);
    return 0;
}

static int configure(struct dp_port *port, const struct dp_port_config *config, unsigned workers,
                     bool for_tunnels, struct rte_mempool *pool)
{
    struct rte_eth_dev_info info;
    struct rte_eth_conf conf;
    char name[IF_NAMESIZE];
    int result = rte_eth_dev_info_get(port->id, &info);

    if (result)
        return result;
    choose_queues(port, &info, config->queues, workers);
    if (!strcmp(info.driver_name, "net_tap") && if_indextoname(info.if_index, name))
        port->tap = dp_tap_find(name);
    fill_configuration(port, &info, &conf);
    if (for_tunnels)
        leave_checksums(port, &info, &conf);
    result = configure_device(port, &conf);
    if (!result)
        result = set_up_queues(port, pool);
    if (!result)
        result = set_mtu(port);
    if (!result)
        result = start(port);
    return result;
}

/* --- Open and close --------------------------------------------------------------------------- */

int dp_port_open(struct dp_port *port, const struct dp_port_config *config, unsigned workers,
                 bool for_tunnels, struct rte_mempool *pool, char error[DP_ERROR_TEXT])
{
    int result = dp_port_check(config, error);

    if (!result)
        result = dp_port_check_mtu(config, error);
    if (result)
        return result;
    *port = (struct dp_port){.mtu = config->mtu ? config->mtu : DP_PORT_MTU,
                             .pci = dp_port_is_pci(config->device),
                             .kernel_mtu = dp_port_kind(config->device)->kernel_mtu,
                             .partial_checksums = dp_port_kind(config->device)->partial_checksums};
    snprintf(port->name, sizeof(port->name), "%s", config->name);
    name_device(port, config->device);
    dp_port_interface(config, port->interface);
    result = plug(port, config, workers, error);
    if (result)
        goto fail;
    dp_eal_forget_error();
    result = configure(port, config, workers, for_tunnels, pool);
    if (!result)
        return 0;
    dp_fail(error, result, "port %s (%s): cannot be configured with %u queues, mtu %u: %s",
            config->name, config->device, port->rx_queues, port->mtu,
            *dp_eal_error() ? dp_eal_error() : strerror(-result));
fail:
    dp_port_close(port);
    return result;
}

void dp_port_leave_out(struct dp_port *port, const struct dp_port_config *config)
{
    *port = (struct dp_port){.mtu = DP_PORT_MTU};
    snprintf(port->name, sizeof(port->name), "%s", config->name);
}

void dp_port_close(struct dp_port *port)
{
    if (port->started) {
        rte_eth_dev_stop(port->id);
        if (port->watches_link)
            rte_eth_dev_callback_unregister(port->id, RTE_ETH_EVENT_INTR_LSC, link_changed, port);
    }
    if (port->plugged)
        rte_eal_hotplug_remove(port->pci ? "pci" : "vdev", port->device);
    port->started = port->plugged = false;
}

static bool link_of(const struct dp_port *port)
{
    struct rte_eth_link link = {0};

    if (port->interface[0])
        return dp_interface_runs(port->interface);
    if (port->tap)
        return dp_tap_lives(port->tap);
    return rte_eth_link_get_nowait(port->id, &link) || link.link_status == RTE_ETH_LINK_UP;
}

bool dp_port_look(struct dp_port *port)
{
    if (port->started && !port->watches_link)
        atomic_store_explicit(&port->link_up, link_of(port), memory_order_relaxed);
    return port->started && atomic_load_explicit(&port->link_up, memory_order_relaxed);
}

void dp_port_status(const struct dp_port *port, struct dp_port_status *status)
{
    struct rte_eth_stats stats = {0};

    if (port->started)
        rte_eth_stats_get(port->id, &stats);
    *status = (struct dp_port_status){
        .name = port->name,
        .spread = port->spread,
        .link_up = atomic_load_explicit(&port->link_up, memory_order_relaxed),
        .rx_packets = stats.ipackets,
        .tx_packets = stats.opackets,
        .rx_missed = stats.imissed + stats.rx_nombuf,
        .rx_errors = stats.ierrors,
        .tx_errors = stats.oerrors,
    };
}
