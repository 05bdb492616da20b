/*
 * What the parts of the loader share while a fabric is being read. Internal to the room.
 *
 *   text ── tree.c ──> nodes ── read.c by the tables of schema_*.c ──> struct fabric ──
 * validate_*.c └── notes: where in the file the value in a field stands
 *
 * Reading goes on after an error to find more of them; the checks of what values mean together run
 * only when every value by itself was good, so they may trust what they see.
 */
#ifndef ENGINE_FABRIC_LOADER_H
#define ENGINE_FABRIC_LOADER_H

#include "engine/fabric/arena.h"
#include "engine/fabric/load.h"
#include "engine/fabric/model.h"
#include "engine/fabric/tree.h"

/* More problems than this are counted, not kept: nobody reads them, and a hostile file must not
 * fill memory. */
#define FABRIC_PROBLEMS_MAX 500u

/* The highest number of a processor core that a file may name. */
#define FABRIC_CORE_MAX 1023u

/* The kinds of object that have names of their own in the whole fabric and an array in struct
 * fabric. */
enum fabric_section {
    FABRIC_VNETS,
    FABRIC_ROUTE_TABLES,
    FABRIC_SERVICE_TAGS,
    FABRIC_HOSTS,
    FABRIC_PORTS,
    FABRIC_POLICIES,
    FABRIC_TUNNELS,
    FABRIC_ROUTERS,
    FABRIC_NICS,
    FABRIC_ROUTE_SERVERS,
    FABRIC_GATEWAYS,
    FABRIC_LOAD_BALANCERS,
    FABRIC_PEERINGS,
    FABRIC_SECTION_COUNT,
};

/* The nodes of a list of objects, in the order of the array that they fill. */
struct fabric_objects {
    const struct fabric_node **nodes;
    uint32_t n;
};

struct fabric_note {
    const void *slot;
    struct fabric_place place;
};

struct fabric_loader {
    struct fabric *fabric;
    struct fabric_arena *arena; /* of the fabric */
    struct fabric_arena tree;   /* of the nodes: gone when loading ends */
    const struct fabric_reader *reader;
    struct fabric_problems *problems;
    size_t problem_capacity, hidden_problems;
    bool out_of_memory;
    size_t nodes; /* of all files, as a walk would see them */
    struct fabric_objects objects[FABRIC_SECTION_COUNT];
    struct fabric_objects subnets; /* as fabric.subnets */
    struct fabric_note *notes;     /* open addressing by slot */
    size_t note_count, note_capacity;
};

/* --- Problems --------------------------------------------------------------------------------- */

/* What a warning says beside its message: see struct fabric_problem. object is copied, the other
 * two are static. */
struct fabric_lint {
    const char *rule, *object, *remedy;
};

/* Adds a problem: an error (lint NULL) or a warning. Here alone text of the file becomes printable,
 * so callers put into a message what they find. */
void fabric_complain(struct fabric_loader *loader, const struct fabric_lint *lint,
                     const struct fabric_place *place, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
#define FABRIC_ERROR(loader, place, ...) fabric_complain(loader, NULL, place, __VA_ARGS__)
#define FABRIC_WARNING(loader, rule, object, remedy, place, ...)                                   \
    fabric_complain(loader, &(const struct fabric_lint){rule, object, remedy}, place, __VA_ARGS__)

/* Writes text to out with what is no printable UTF-8 escaped, and a final zero. out needs
 * FABRIC_PRINTABLE_BYTES(strlen(text)). Returns the length written (printable.c). */
#define FABRIC_PRINTABLE_BYTES(length) (4 * (length) + 1)
size_t fabric_printable(const char *text, char *out);

/* Rules of warnings; docs/fabric-file.md explains them. */
#define FABRIC_LINT_GATEWAY_CAPTURED  "L4"
#define FABRIC_LINT_REMOTE_GATEWAYS   "L6"
#define FABRIC_LINT_NEXT_HOP          "L9"
#define FABRIC_LINT_VPN_GATEWAY       "L15"
#define FABRIC_LINT_OUT_OF_SYNC       "L16"
#define FABRIC_LINT_IPV6              "ipv6-unsupported"
#define FABRIC_LINT_PEER_WITHOUT_NIC  "peer-without-nic"
#define FABRIC_LINT_KEEPALIVE         "keepalive"
#define FABRIC_LINT_ONE_SIDED_SESSION "one-sided-session"
#define FABRIC_LINT_POLICY_ORDER      "policy-order"
#define FABRIC_LINT_POLICY_UNUSED     "policy-unused"

/* Sorts by file and line, errors before warnings at one line; says last how many were not kept. */
void fabric_problems_finish(struct fabric_loader *loader, const char *path);

/* Text of an address or prefix for a message, valid to the end of the block. */
#define FABRIC_ADDRESS(address) lpm_address_format(address, (char[LPM_ADDRESS_TEXT]){0})
#define FABRIC_PREFIX(prefix)   lpm_prefix_format(prefix, (char[LPM_PREFIX_TEXT]){0})

/* --- Memory: like the arena's own, but remembers failure -------------------------------------- */

void *fabric_loader_array(struct fabric_loader *loader, size_t n, size_t size);

/* Adds the prefixes of blocks to a list, or complains of a block that holds fewer (blocks.c). */
#define FABRIC_BLOCK_MOST 1000000u
void fabric_blocks_add(struct fabric_loader *loader, const struct fabric_prefix_block *blocks,
                       uint32_t n, struct fabric_prefixes *prefixes);
char *fabric_loader_text(struct fabric_loader *loader, const char *text);

/* --- Notes: where the value of a field was written -------------------------------------------- */

void fabric_note(struct fabric_loader *loader, const void *slot, const struct fabric_place *place);
/* NULL: the file does not give this field. */
const struct fabric_place *fabric_noted(const struct fabric_loader *loader, const void *slot);
/* Where slot was written, else `otherwise`, the place of its object. */
const struct fabric_place *fabric_place_of(const struct fabric_loader *loader, const void *slot,
                                           const struct fabric_place *otherwise);

/* --- Names ------------------------------------------------------------------------------------ */

/* The candidate nearest to `text` by edit distance, or NULL when none is near enough to be what
 * was meant. Call once per candidate with the same *best (zeroed first). */
struct fabric_nearest {
    const char *name;
    unsigned distance;
};
void fabric_nearest_try(struct fabric_nearest *best, const char *text, const char *candidate);
/* "; did you mean 'x'?" or "", for the end of a message. */
#define FABRIC_NEAREST_TEXT 128
char *fabric_nearest_text(const struct fabric_nearest *best, char text[FABRIC_NEAREST_TEXT]);

/* Joins name to the first folder_length bytes of folder, unless it is absolute, and simplifies: no
 * ".", no "x/..", no double slash. false: too long. */
#define FABRIC_FILE_NAME_BYTES_MAX 4096u
bool fabric_file_join(const char *folder, size_t folder_length, const char *name,
                      char out[FABRIC_FILE_NAME_BYTES_MAX]);

/* --- The steps, in their order ---------------------------------------------------------------- */

/* Reads everything in the merged top mapping (top.c). */
void fabric_read_top(struct fabric_loader *loader, const struct fabric_node *top);
/* Owners, indices, and defaults that follow from other values (complete.c). */
void fabric_complete(struct fabric_loader *loader);
/* validate_*.c */
void fabric_validate(struct fabric_loader *loader);
/* Puts sets (of prefixes, of backends) into an order that does not depend on the file, and adds
 * what gateways bring along (complete.c). */
void fabric_settle(struct fabric_loader *loader);
/* The NICs of gateways' instances and the implicit route servers (bring_along.c). */
void fabric_bring_along(struct fabric_loader *loader);

#endif
