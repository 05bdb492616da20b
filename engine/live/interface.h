/*
 * The kernel's end of a route server's port: where peers that come through the data plane reach BGP.
 *
 * The engine has made that interface (net_tap), so it sets it up as well: the MAC of the route
 * server's NIC, its addresses, and a route to each peer by the subnet's gateway, which is the data
 * plane. All of it goes away with the interface. Control thread, once, after the ports are open and
 * before sockets are.
 */
#ifndef ENGINE_LIVE_INTERFACE_H
#define ENGINE_LIVE_INTERFACE_H

#include "dataplane/dataplane.h"
#include "engine/fabric/model.h"

/* For every route server with a port of this host. 0, or -errno with error, which names the route
 * server and the interface. */
int live_interfaces_open(const struct fabric *fabric, char error[DP_ERROR_TEXT]);

#endif
