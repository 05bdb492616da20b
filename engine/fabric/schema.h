/*
 * The keys of the fabric file, as tables: one line a key. Internal to the room.
 *
 *   schema (an object of the file) ── keys[]: name, type, field, default
 *                                        └── schema of a nested object
 *
 * read.c fills the model by these tables, and a test compares them with docs/fabric-file.md, so
 * that the reference says what the loader does.
 */
#ifndef ENGINE_FABRIC_SCHEMA_H
#define ENGINE_FABRIC_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/fabric/loader.h"

enum fabric_type {
    FABRIC_TYPE_NAME,              /* const char *: of an object */
    FABRIC_TYPE_STRING,            /* const char * */
    FABRIC_TYPE_BOOLEAN,           /* bool */
    FABRIC_TYPE_NUMBER,            /* unsigned of any width; or one of words */
    FABRIC_TYPE_WORD,              /* one of words; unsigned of any width */
    FABRIC_TYPE_ADDRESS,           /* struct lpm_address */
    FABRIC_TYPE_PREFIX,            /* struct lpm_prefix */
    FABRIC_TYPE_MAC,               /* uint8_t[6] */
    FABRIC_TYPE_SOCKET,            /* const char *: address:port */
    FABRIC_TYPE_COMMUNITY,         /* const char *: 65001:100 */
    FABRIC_TYPE_COMMUNITY_PATTERN, /* const char *: 65001:* */
    FABRIC_TYPE_PREFIX_RANGE,      /* const char *: 10.0.0.0/8 ge 16 le 24 */
    FABRIC_TYPE_NUMBER_RANGE,      /* const char *: ge 2 le 5 */
    FABRIC_TYPE_AS_PATH,           /* const char *: regular expression */
    FABRIC_TYPE_REFERENCE,         /* uint32_t: index in a section, or in fabric.subnets */
    FABRIC_TYPE_NAMED,   /* const char *: name of an object of a section that must exist */
    FABRIC_TYPE_OBJECT,  /* a nested mapping; its fields lie in the same structure, at offset */
    FABRIC_TYPE_OBJECTS, /* list of mappings */
    FABRIC_TYPE_HANDLED, /* by handler */
};

/* Section of FABRIC_TYPE_REFERENCE that stands for "vnet/subnet". */
#define FABRIC_SUBNETS FABRIC_SECTION_COUNT

struct fabric_word {
    const char *text;
    uint32_t value;
};

/* Where reading stands, for messages: "nics[vm1].addresses". */
struct fabric_path {
    const struct fabric_path *parent;
    const char *key;
    const char *name; /* of the list element, or NULL: index is shown */
    uint32_t index;   /* FABRIC_NONE: no list element */
};
#define FABRIC_PATH_TEXT 256
char *fabric_path_format(const struct fabric_path *path, char text[FABRIC_PATH_TEXT]);

struct fabric_schema;

struct fabric_key {
    const char *name;
    enum fabric_type type;
    bool required;
    bool list;   /* items at offset, their number (uint32_t) at count_offset */
    bool or_one; /* a single value may stand for a list of one */
    uint32_t fixed_min,
        fixed_max; /* list inside the structure itself (no pointer): how many it takes */
    size_t offset, count_offset;
    size_t size;          /* of the field, or of one item */
    uint32_t least, most; /* NUMBER */
    const struct fabric_word *words;
    unsigned section; /* REFERENCE, NAMED, and OBJECTS at the top */
    const struct fabric_schema *object;
    const char *
        fallback; /* default, as it would stand in the file; NULL: zero, or what `otherwise` says */
    const char *otherwise; /* default in words, for the reference */
    const char *shape;     /* HANDLED: the type in words, for the reference */
    bool (*handler)(struct fabric_loader *loader, const struct fabric_key *key,
                    const struct fabric_node *node, void *object, const struct fabric_path *path);
    size_t present_offset; /* OBJECT: bool that says that the file gives it; 0: none */
};

struct fabric_schema {
    const char *title; /* path of keys, "route_servers.peers"; "" for the top */
    const char *word;  /* "peer": what one is called in messages */
    const struct fabric_key *keys;
    unsigned key_count;
    size_t size;         /* of the structure of one list element */
    size_t place_offset; /* of its struct fabric_place */
    bool has_place;
    bool named; /* the first member and the key `name` are its name; elements stand in name order */
    /* Puts unnamed elements in an order that does not depend on the file; NULL: the file's order
     * means something. */
    int (*compare)(const void *a, const void *b);
    /* Takes keys that are not in the table: names that the file gives itself. */
    void (*other_key)(struct fabric_loader *loader, const struct fabric_node *key,
                      const struct fabric_node *value, void *object,
                      const struct fabric_path *path);
    const struct fabric_schema *other_object; /* what stands under such keys */
};

/* The whole file. */
extern const struct fabric_schema fabric_schema_top;
/* One side's options of a peering: its key is the name of a VNet. */
extern const struct fabric_schema fabric_schema_side;
extern const struct fabric_schema fabric_schema_subnet;

extern const struct fabric_schema fabric_schema_vnet, fabric_schema_peering,
    fabric_schema_route_table, fabric_schema_service_tag, fabric_schema_host, fabric_schema_nic,
    fabric_schema_port;
extern const struct fabric_schema fabric_schema_route_server, fabric_schema_gateway,
    fabric_schema_load_balancer, fabric_schema_policy;
extern const struct fabric_schema fabric_schema_transport, fabric_schema_bgp, fabric_schema_bfd,
    fabric_schema_block, fabric_schema_graceful_restart, fabric_schema_router, fabric_schema_tunnel,
    fabric_schema_neighbor;
extern const struct fabric_schema fabric_schema_engine, fabric_schema_ecmp, fabric_schema_internet,
    fabric_schema_quirks;

/* Calls visit for each key of the file, objects before what is nested in them: "vnets.subnets",
 * its key, its type in words ("list of prefixes"), its default in words ("required" where there
 * is none). For the test of the reference. */
void fabric_schema_each(void (*visit)(void *context, const char *object, const char *key,
                                      const char *type, const char *fallback),
                        void *context);

/* The type in words, as messages and the reference put it: "an IPv4 or IPv6 address". */
const char *fabric_type_text(enum fabric_type type);

/* "VNet", "route table": what an object of the section is called. */
const char *fabric_section_text(unsigned section);

/* --- Reading by table (read.c, values.c) ------------------------------------------------------ */

/* Reads one scalar into slot. Problems are told; false then. */
bool fabric_read_scalar(struct fabric_loader *loader, const struct fabric_key *key,
                        const struct fabric_node *node, void *slot, const struct fabric_path *path);
/* The same for a default of the tables: the file does not give it, so there is no note. */
bool fabric_read_default(struct fabric_loader *loader, const struct fabric_key *key, void *slot);
/* Reads a list of scalars into the field of object. */
bool fabric_read_list(struct fabric_loader *loader, const struct fabric_key *key,
                      const struct fabric_node *node, void *object, const struct fabric_path *path);
/* Reads the keys of a mapping (NULL: absent, defaults only) into object. */
bool fabric_read_object(struct fabric_loader *loader, const struct fabric_schema *schema,
                        const struct fabric_node *node, void *object,
                        const struct fabric_path *path);
/* Checks a list of objects and puts its nodes in order: by name where they have one, which must
 * then be unique. */
bool fabric_collect(struct fabric_loader *loader, const struct fabric_schema *schema,
                    const struct fabric_node *list, const struct fabric_path *path,
                    struct fabric_objects *objects);
/* Fills an array of schema->size structures from collected nodes. */
bool fabric_fill(struct fabric_loader *loader, const struct fabric_schema *schema,
                 const struct fabric_objects *objects, void *array, const struct fabric_path *path);
/* "path: expected <what>, found <node>". Always false. */
bool fabric_expected(struct fabric_loader *loader, const struct fabric_node *node,
                     const struct fabric_path *path, const char *what);
/* Index of the object of that name in a section (or "vnet/subnet"); FABRIC_NONE with an error
 * told. */
uint32_t fabric_refer(struct fabric_loader *loader, unsigned section,
                      const struct fabric_node *node, const struct fabric_path *path);

/* --- Lines of the tables ---------------------------------------------------------------------- */

#define FABRIC_FIELD(structure, field)                                                             \
    .offset = offsetof(struct structure, field), .size = sizeof(((struct structure *)0)->field)
/* A list kept as a pointer and a count. */
#define FABRIC_ITEMS(structure, items, count)                                                      \
    .list = true, .offset = offsetof(struct structure, items),                                     \
    .size = sizeof(*((struct structure *)0)->items),                                               \
    .count_offset = offsetof(struct structure, count)
/* A list of at least/at most so many, inside the structure. */
#define FABRIC_FIXED(structure, items, minimum, maximum)                                           \
    .list = true, .offset = offsetof(struct structure, items),                                     \
    .size = sizeof(*((struct structure *)0)->items), .fixed_min = minimum, .fixed_max = maximum
#define FABRIC_KEYS(table) .keys = table, .key_count = sizeof(table) / sizeof(*table)
#define FABRIC_OF(structure)                                                                       \
    .size = sizeof(struct structure), .place_offset = offsetof(struct structure, place),           \
    .has_place = true

#endif
