/*
 * One DPDK device, from its name in a configuration to polled queues and back.
 */
#ifndef DATAPLANE_PORT_H
#define DATAPLANE_PORT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_dev.h>

#include "dataplane/dataplane.h"

struct rte_mempool;

#define DP_PORT_NAME        64
#define DP_PORT_RING        1024 /* descriptors asked for, per queue and direction */
#define DP_PORT_MTU         1500
#define DP_PORT_OPTIONS_MAX 960u
#define DP_L2_OVERHEAD      22u /* Ethernet header and two VLAN tags */

struct dp_port {
    char name[DP_PORT_NAME]; /* as the configuration calls it, for messages */
    char device[RTE_DEV_NAME_MAX_LEN];
    bool pci;
    bool plugged, started;
    uint16_t id; /* DPDK's */
    uint16_t rx_queues, tx_queues;
    enum dp_spread spread; /* over rx_queues */
    uint16_t mtu;
    bool partial_checksums; /* what it receives may lack TCP and UDP checksums */
    bool kernel_mtu;        /* the driver must not be told of it */
    bool
        fills_udp; /* the device fills in UDP checksums where a buffer asks for it: of a port for tunnels */
    bool watches_link; /* the driver reports changes */
    _Atomic bool
        link_up; /* read by workers, written by EAL's interrupt thread and dp_port_look() */
    int tap;     /* descriptor of a tap interface's end that is the driver's; 0: it is none */
    char interface[16]; /* of the kernel, whose link is the port's; "": none, or none that tells */
};

bool dp_port_is_pci(const char *device); /* NULL: no */

/* Plugs, configures and starts the device. rx_queues and tx_queues say what it got: at most
 * `workers` each. EAL must run. On failure nothing stays open, and error names the port and what
 * would be right. The port must not move in memory while it is open: EAL's interrupt thread knows
 * its address. for_tunnels: VXLAN goes over it, whose checksums are left to a device that offers it. */
int dp_port_open(struct dp_port *port, const struct dp_port_config *config, unsigned workers,
                 bool for_tunnels, struct rte_mempool *pool, char error[DP_ERROR_TEXT]);
/* Not opened here: no queue, and its link is down. */
void dp_port_leave_out(struct dp_port *port, const struct dp_port_config *config);
/* No worker may poll it any more. Does nothing to a port that is not open. */
void dp_port_close(struct dp_port *port);

/* dp_engine_port_link() */
bool dp_port_look(struct dp_port *port);
void dp_port_status(const struct dp_port *port, struct dp_port_status *status);

/* Why could the device not be opened? Fills error from what the driver logged and what can be seen
 * from here: a missing permission, interface or driver. */
void dp_port_explain(const struct dp_port_config *config, int code, char error[DP_ERROR_TEXT]);
/* Refuses what drivers accept in silence: option keys that net_tap does not know, a device that
 * cannot be a name. */
int dp_port_check(const struct dp_port_config *config, char error[DP_ERROR_TEXT]);

#endif
