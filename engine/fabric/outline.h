/*
 * What a fabric file says, element by element, small enough to be kept while an engine runs; and what
 * differs between two readings of it.
 *
 *   nics ── vm1 ── subnet, addresses, …        a key has a hash of its value
 *   route_servers ── rs1 ── peers ── nva1 ── asn, address, …
 *
 * Elements of a list are the same when they have the same name: a peering that of its two VNets, a route its
 * prefix, a neighbor what it names. The order of elements does not matter, nor how a text is quoted. Pure.
 */
#ifndef ENGINE_FABRIC_OUTLINE_H
#define ENGINE_FABRIC_OUTLINE_H

#include "engine/fabric/load.h"

struct fabric_outline;

/* fabric_load(), and the outline of what was read, to be freed by fabric_outline_free() after whatever was
 * made with it. NULL: neither. */
struct fabric *fabric_load_outlined(const char *path, const struct fabric_reader *reader,
                                    struct fabric_outline **outline,
                                    struct fabric_problems *problems);
void fabric_outline_free(struct fabric_outline *outline); /* NULL is allowed */

enum fabric_change_kind { FABRIC_ADDED, FABRIC_REMOVED, FABRIC_CHANGED };

/* How a running engine takes a change, or why it cannot. */
enum fabric_change_way {
    FABRIC_CHANGE_APPLIED,
    FABRIC_CHANGE_POLICY,  /* applied: routes are judged anew, sessions stay */
    FABRIC_CHANGE_RESET,   /* applied: the peer's sessions end and begin anew, no others */
    FABRIC_CHANGE_NOTHING, /* only the twin knows of it */
    FABRIC_CHANGE_RESTART, /* not while the engine runs */
};

struct fabric_change {
    enum fabric_change_kind kind;
    enum fabric_change_way way;
    char *object; /* "nics[vm1]", "route_servers[rs1].peers[nva1]", "ecmp" */
    char *keys;   /* of a changed element: "addresses, ip_forwarding"; else "" */
    struct fabric_place
        place; /* of what was added or changed; of what was removed: where it stood */
};
struct fabric_changes {
    struct fabric_change *items; /* in the order of sections' names, and in them elements' */
    size_t n;
};

/* From before to after. 0 or -ENOMEM. Places are those of the outlines, and live as long. */
int fabric_outline_compare(const struct fabric_outline *before, const struct fabric_outline *after,
                           struct fabric_changes *changes);
/* Which peers of route servers cannot keep their sessions: before and after are what the two outlines were made
 * of. */
void fabric_changes_judge(struct fabric_changes *changes, const struct fabric *before,
                          const struct fabric *after);
void fabric_changes_free(struct fabric_changes *changes);

const char *fabric_change_kind_text(enum fabric_change_kind kind); /* "added" */
const char *fabric_change_way_text(enum fabric_change_way way);    /* "applied" */

#endif
