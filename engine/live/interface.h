/*
 * The kernel's end of the ports of route servers and gateways: where what comes through the data plane to
 * their addresses reaches the engine's sockets, and where a gateway's traffic goes on to its branches.
 *
 * The engine has made that interface (net_tap; virtio_user on /dev/vhost-net), so it sets it up as well: the MAC of
 * the NIC, the addresses of all instances, and routes by the subnet's gateway, which is the data plane. Those of a
 * route server lead to its peers; those of a gateway, in a table of its own, to the prefixes that its branches are
 * told. All of it goes away with the interface, but for the gateways' rules, which live_interfaces_close() takes
 * away. Control thread, once, after the ports are open and before sockets are.
 */
#ifndef ENGINE_LIVE_INTERFACE_H
#define ENGINE_LIVE_INTERFACE_H

#include "dataplane/dataplane.h"
#include "engine/fabric/model.h"

/* For every route server and gateway with a port of this host. 0, or -errno with error, which names the owner
 * and the interface. */
int live_interfaces_open(const struct fabric *fabric, char error[DP_ERROR_TEXT]);
/* Other prefixes are the fabric's: `fabric` runs in place of `before`, with the same gateways. What the kernel does not
 * take is said in the log. */
void live_interfaces_follow(const struct fabric *before, const struct fabric *fabric);
/* Also after a failure half way. */
void live_interfaces_close(const struct fabric *fabric);

#endif
