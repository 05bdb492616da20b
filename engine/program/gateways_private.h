/* What gateways.c and gateways_follow.c share. */
#ifndef ENGINE_PROGRAM_GATEWAYS_PRIVATE_H
#define ENGINE_PROGRAM_GATEWAYS_PRIVATE_H

#include "engine/program/gateways.h"

#define GATEWAYS_CHUNK_BYTES 65536u

enum { SERVER, GATEWAY };

struct controller_link {
    struct gateways *gateways;
    struct controller_peer ends[2];
    bool connect_due, open, busy;
    bool close_due[2]; /* by the end that wants it */
};

struct gateways {
    struct controller *controller;
    const struct fabric *fabric;
    gateways_server *server;
    gateways_busy *busy;
    void *context;
    struct speaker **speakers; /* by gateway */
    struct controller_link **links;
    size_t link_count;
    struct controller_peer **peers;
    size_t peer_count;
    /* What the file has no more, last one first: its sessions have a word to say yet, and speakers keep their peers. */
    struct gateways_gone {
        struct gateways_gone *next;
        struct speaker *speaker; /* each of the three may be NULL */
        struct controller_link *link;
        struct controller_peer *peer;
    } * gone;
    uint64_t now_ms;
    uint8_t chunk[GATEWAYS_CHUNK_BYTES];
};

/* How many of them a fabric has. */
void gateways_count(const struct fabric *fabric, size_t *links, size_t *peers);

/* A gateway's speaker with what it originates; a link of two ends; a session with a neighbor of it. None starts.
 * 0 or -errno, and nothing is left but peers of speakers that stay. */
int gateways_open_speaker(struct gateways *gateways, const struct fabric *fabric, uint32_t gateway,
                          struct speaker **speaker);
int gateways_add_link(struct gateways *gateways, const struct fabric *fabric, uint32_t gateway,
                      struct speaker *speaker, unsigned instance, unsigned server_instance,
                      struct controller_link **link);
int gateways_add_peer(struct gateways *gateways, const struct fabric *fabric, uint32_t gateway,
                      struct speaker *speaker, unsigned instance, uint32_t neighbor,
                      struct controller_peer **peer);

#endif
