/*
 * The lab from inside, and what its files do for one another: converge_lab.c opens it and lets NVAs fail,
 * converge_turn.c moves bytes, datagrams and the clock.
 */
#ifndef ENGINE_CLI_CONVERGE_PRIVATE_H
#define ENGINE_CLI_CONVERGE_PRIVATE_H

#include "bench/worker.h"
#include "engine/cli/converge_lab.h"

#define CONVERGE_CHUNK_BYTES 65536u

struct converge_nva {
    struct speaker *speaker;
};

struct converge_link {
    struct converge_lab *lab;
    struct controller_peer *peer; /* the route server's end */
    struct converge_nva *nva;
    struct speaker_peer *nva_peer;
    bool connect_wanted, open;
    bool closing; /* an end wants it closed once it has said its last words */
};

/* What the sessions of the first NVA said. */
#define CONVERGE_RECORDED 2u /* instances of the route server */
struct converge_bytes {
    uint8_t *bytes;
    size_t n, capacity;
};
struct converge_recording {
    struct converge_bytes sessions[CONVERGE_RECORDED];
    int error; /* -errno of the first that could not be kept */
};

struct converge_lab {
    struct fabric *fabric;
    struct lpm *lpm;
    struct dp_forwarding *forwarding;
    struct controller *controller;
    struct converge_nva nvas[CONVERGE_NVAS_MAX];
    size_t nva_count;
    struct bfd_table *nva_bfd;
    struct converge_link *links;
    size_t link_count;
    struct converge_size size;
    struct bench_worker *worker; /* NULL: nothing is forwarded */
    struct converge_recording
        *recording; /* takes what the first NVA says; NULL: the route server does */
    uint64_t now_us;
    bool dead; /* the first NVA: nothing comes from it or gets to it */
    bool mute; /* the first backend: it answers no probe */
    bool flush_wanted;
    uint64_t engine_ns;     /* spent by the engine */
    uint64_t programmed_ns; /* the same, when the last flush that changed something was done */
    uint64_t struck_ns;     /* the failure was detected: of time that passes, unlike the others */
    uint64_t swapped_ns;    /* when its next hop had left every group; 0: not yet */
    uint8_t chunk[CONVERGE_CHUNK_BYTES];
};

uint64_t converge_now_ms(const struct converge_lab *lab);
bool converge_is_first(const struct controller_peer *peer); /* of the NVA that fails */

/* The functions of the controller's shell, and of the NVAs' speakers, that the lab needs. */
void converge_lab_shell(struct controller_shell *shell);
void converge_on_nva_close(void *context, struct speaker_peer *peer, enum bgp_direction direction);

void converge_bfd_to_nvas(struct converge_lab *lab);
void converge_bfd_from_nvas(struct converge_lab *lab);
/* The route servers' own work that is due: timers, slices of a large change, the flush. *entries
 * counts what the flush changed. Returns whether there was any, or -errno. */
int converge_engine_turn(struct converge_lab *lab, unsigned *entries);
/* Sends the probes that are due, and hears the answers. */
void converge_ask_backends(struct converge_lab *lab);
/* Everything that is due now, once. Returns as converge_engine_turn(). */
int converge_turn(struct converge_lab *lab, unsigned *entries);
/* To the next deadline. */
void converge_jump(struct converge_lab *lab);
/* Until every session is up and nothing more is under way. 0 or -errno with the error filled. */
int converge_settle(struct converge_lab *lab, unsigned *entries, struct bench_error *error);

#endif
