/*
 * What an operator said of next hops: taken out of a group, or of all groups, by hand, whatever
 * sessions and probes say. Internal to this room.
 *
 * A word about one group counts more than one about all; one about all also reaches groups that are
 * made later. Words about a group go with it.
 */
#ifndef ENGINE_PROGRAM_SAID_H
#define ENGINE_PROGRAM_SAID_H

#include "engine/program/program.h"

#define PROGRAM_SAID_MOST 4096u /* words: a bound for scripts that never take one back */

struct program_said {
    unsigned holders;
    size_t n, room;
    struct program_word {
        uint32_t group; /* 0: every one */
        enum program_member_state state;
        struct lpm_address next_hop;
    } * words;
    /* NICs whose port is down, a bit each by id of the data plane. */
    uint64_t *cut;
    uint32_t cut_room; /* in NICs */
};

/* group is a group's id. Up when nothing was said. */
enum program_member_state program_said_state(const struct program_said *said, uint32_t group,
                                             const struct lpm_address *next_hop);
/* group 0: of every group, in place of all that was said of single ones. -ENOMEM, -ENOSPC: nothing has
 * changed. */
int program_said_set(struct program_said *said, uint32_t group, const struct lpm_address *next_hop,
                     enum program_member_state state);
/* The port of a NIC (id of the data plane) went down, or came back: no group has it meanwhile, whatever else is
 * said. -ENOMEM. */
int program_said_cut(struct program_said *said, uint32_t nic, bool cut);
bool program_said_is_cut(const struct program_said *said, uint32_t nic);
/* How long buckets wait for newcomers, where the file says that they do, and for those that drain. */
struct dp_patience program_patience(const struct fabric *fabric);
/* The group is gone. */
void program_said_forget(struct program_said *said, uint32_t group);
/* Nothing was said yet. NULL: no memory. */
struct program_said *program_said_create(void);
/* One more holder: of a program that is to take the place of another, what was said counts in both. */
struct program_said *program_said_hold(struct program_said *said);
void program_said_release(struct program_said *said); /* NULL is allowed */

#endif
