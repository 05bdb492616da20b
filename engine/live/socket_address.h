/* Addresses as the kernel's socket calls want them. */
#ifndef ENGINE_LIVE_SOCKET_ADDRESS_H
#define ENGINE_LIVE_SOCKET_ADDRESS_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "engine/live/socket.h"

union socket_address {
    struct sockaddr any;
    struct sockaddr_in ip4;
    struct sockaddr_in6 ip6;
    struct sockaddr_storage storage;
};

/* Returns the length that bind() and connect() want. */
socklen_t live_to_socket_address(const struct live_endpoint *endpoint, union socket_address *out);
/* family 0 for what is neither IPv4 nor IPv6. */
void live_from_socket_address(const union socket_address *in, struct lpm_address *out);

/* setsockopt() of an int: 0 or -errno. */
int live_set_number(int fd, int level, int option, int value);
/* Replies leave by this device too, whatever the routing table says: the management link stays the
 * way. NULL: no device. 0 or -errno. */
int live_bind_to_device(int fd, const char *interface);
/* Binds to the device, when local names one, then to the address: the other way round would leave
 * a moment in which any device is heard. 0 or -errno. */
int live_bind_to(int fd, const struct live_endpoint *local);

#endif
