/*
 * Two network namespaces with a wire between them, and programs that run in one of them.
 *
 *      load side (this thread's sockets)              speaker side (children)
 *        fp-load 10.99.64.0/18 in 10.99.0.0/16  ====  fp-speaker 10.99.0.4/16
 *
 * The namespaces have no name: they live while this process holds their files, so a bench that is
 * killed leaves nothing behind. Wants CAP_SYS_ADMIN and CAP_NET_ADMIN. One at a time, one thread.
 */
#ifndef BENCH_NETNS_H
#define BENCH_NETNS_H

#include <stdint.h>
#include <sys/types.h>

#include "bench/bench.h"

/* Addresses of the speaker and of peer i (0 and up), host order. */
#define BENCH_NETNS_SPEAKER 0x0a630004u
#define BENCH_NETNS_PEER(i) (0x0a634004u + (uint32_t)(i))
#define BENCH_NETNS_WIRE    "fp-speaker"

struct bench_netns {
    int before, load, speaker; /* -1: none */
};

/* Makes both and moves the calling thread to the load side, which gets the addresses of `peers`
 * peers. bench_netns_close() undoes it, also after a failure. */
int bench_netns_open(struct bench_netns *netns, unsigned peers, struct bench_error *error);
void bench_netns_close(struct bench_netns *netns);

/* Starts a program in the namespace behind file; its output goes to the file log (NULL: nowhere).
 * It leads a process group of its own and dies with this process. Returns its id or -errno. */
pid_t bench_netns_spawn(int file, const char *const *arguments, const char *log);
/* Ends the group of a program at once: what it leaves is in namespaces and directories that go too,
 * and taking leave of a million routes takes time. */
void bench_netns_kill(pid_t leader);

#endif
