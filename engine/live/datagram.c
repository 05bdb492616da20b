#include "engine/live/datagram.h"

#include <errno.h>
#include <netinet/ip.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/bgp/bfd_packet.h"
#include "engine/live/socket_address.h"

static int set_options(int fd, uint8_t family)
{
    if (family == LPM_IPV4) {
        /* The traffic class is a courtesy: its failure is none. */
        live_set_number(fd, IPPROTO_IP, IP_TOS, IPTOS_CLASS_CS6);
        int error = live_set_number(fd, IPPROTO_IP, IP_TTL, BFD_TTL);
        return error ? error : live_set_number(fd, IPPROTO_IP, IP_RECVTTL, 1);
    }
    live_set_number(fd, IPPROTO_IPV6, IPV6_TCLASS, IPTOS_CLASS_CS6);
    int error = live_set_number(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (!error)
        error = live_set_number(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, BFD_TTL);
    return error ? error : live_set_number(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
}

int live_datagram_open(const struct live_endpoint *local)
{
    bool ip4 = local->address.family == LPM_IPV4;
    int fd = socket(ip4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int error = set_options(fd, local->address.family);
    if (!error)
        error = live_bind_to(fd, local);
    if (!error)
        return fd;
    close(fd);
    return error;
}

int live_datagram_send(int fd, const struct live_endpoint *remote, const uint8_t *bytes, size_t n)
{
    union socket_address address;
    socklen_t length = live_to_socket_address(remote, &address);
    return sendto(fd, bytes, n, 0, &address.any, length) < 0 ? -errno : 0;
}

static int ttl_of(struct msghdr *message)
{
    int ttl = 0;
    for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control;
         control = CMSG_NXTHDR(message, control)) {
        bool ip4 = control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_TTL;
        bool ip6 = control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_HOPLIMIT;
        if (ip4 || ip6)
            memcpy(&ttl, CMSG_DATA(control), sizeof(ttl));
    }
    return ttl;
}

void live_datagram_receive(int fd, struct live_datagrams *datagrams)
{
    struct mmsghdr messages[LIVE_DATAGRAM_BURST];
    struct iovec vectors[LIVE_DATAGRAM_BURST];
    union socket_address sources[LIVE_DATAGRAM_BURST];
    union {
        struct cmsghdr aligned;
        char bytes[CMSG_SPACE(sizeof(int)) * 2];
    } controls[LIVE_DATAGRAM_BURST];
    memset(messages, 0, sizeof(messages));
    for (unsigned i = 0; i < LIVE_DATAGRAM_BURST; i++) {
        vectors[i] = (struct iovec){datagrams->items[i].bytes, LIVE_DATAGRAM_SIZE};
        messages[i].msg_hdr = (struct msghdr){
            .msg_name = &sources[i],
            .msg_namelen = sizeof(sources[i]),
            .msg_iov = &vectors[i],
            .msg_iovlen = 1,
            .msg_control = &controls[i],
            .msg_controllen = sizeof(controls[i]),
        };
    }
    int n = recvmmsg(fd, messages, LIVE_DATAGRAM_BURST, MSG_DONTWAIT, NULL);
    datagrams->n = n > 0 ? (unsigned)n : 0;
    for (unsigned i = 0; i < datagrams->n; i++) {
        live_from_socket_address(&sources[i], &datagrams->items[i].source);
        datagrams->items[i].ttl = ttl_of(&messages[i].msg_hdr);
        datagrams->items[i].n = messages[i].msg_len;
    }
}
