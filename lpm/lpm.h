/*
 * lpm: longest-prefix-match tables (FIBs) that share what they have in common.
 *
 * A FIB maps an address to a leaf, a small integer that the caller gave with the longest prefix
 * that covers the address. A FIB is either a *base* (a whole table) or *derived* from a base ("the
 * base, but for these routes"). A derived FIB holds only what differs; a change of its base is
 * seen through it at once, but where the FIB has an override of its own.
 *
 *      struct lpm                 one per process or engine: memory, writer-side state
 *        +- struct lpm_fib        base:    the routes of a VNet, or a full Internet table
 *        |    +- struct lpm_fib   derived: that base, but for k routes (costs about k paths)
 *        |    +- struct lpm_fib
 *        +- struct lpm_fib        another base, of the other address family, say
 *
 * Threads. One writer thread calls everything that changes a FIB; it needs no lock because it is
 * alone. Any number of reader threads call lpm_lookup(), lpm_lookup_bulk4/6() and
 * lpm_explain(); each must be registered with lpm/rcu.h and announce a quiescent state now and
 * then. Readers are wait-free: no lock, no atomic read-modify-write, no retry.
 *
 * Consistency. For the address it looks up, a reader sees the FIB before a change or after it,
 * never a mixture and never freed memory. A batch is one such change for each address, not for all
 * of them at once; but where it changes 0/0 as well, that is a change of its own after the others.
 *
 * Memory. What a change replaces, readers may still hold. It is counted as deferred until a grace
 * period has passed, which the writer sees to by calling lpm_rcu_poll() between changes and
 * lpm_rcu_flush() (lpm/rcu.h) when there are no more for a while. So there wait at most
 * LPM_RCU_ENOUGH bytes, those that were replaced since the grace period under way began, and those
 * that it is for. Of what has come back, up to 16 MB are kept at hand for later changes.
 *
 * Errors. Functions return 0 or -errno. After an error (-ENOMEM above all) the FIB is what it was
 * before the call.
 */
#ifndef LPM_LPM_H
#define LPM_LPM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lpm_family { LPM_IPV4 = 4, LPM_IPV6 = 6 };

/* An address. bytes are in network order; IPv4 takes the first four and leaves the rest zero. */
struct lpm_address {
    uint8_t family; /* enum lpm_family */
    uint8_t bytes[16];
};

/* A prefix: the first length bits of bytes; the bits beyond are zero (see lpm_prefix_mask()). */
struct lpm_prefix {
    uint8_t family; /* enum lpm_family */
    uint8_t length; /* 0..32 or 0..128 */
    uint8_t bytes[16];
};

/* A leaf is 1 .. LPM_LEAF_MAX; 0 means that no route covers the address. */
#define LPM_NO_ROUTE 0u
#define LPM_LEAF_MAX 0x00ffffffu

struct lpm_route {
    struct lpm_prefix prefix;
    uint32_t leaf;
};

enum lpm_change_kind {
    LPM_SET,     /* prefix -> leaf; in a derived FIB: an override */
    LPM_REMOVE,  /* no such route; in a derived FIB: although the base may have it */
    LPM_INHERIT, /* derived FIBs only: drop the override, the base decides again */
};

struct lpm_change {
    enum lpm_change_kind kind;
    struct lpm_prefix prefix;
    uint32_t leaf; /* LPM_SET only */
};

struct lpm;
struct lpm_fib;

/* --- Life ------------------------------------------------------------------------------- */

/* Makes an empty set of tables. Returns NULL with errno. The caller is the writer from here on. */
struct lpm *lpm_create(void);

/* Frees everything. Every FIB must have been released and no reader may hold one. Waits for a
 * grace period; the calling thread must not be inside a read section. */
void lpm_destroy(struct lpm *lpm);

/* Builds a base from n routes in any order; a later duplicate of a prefix wins. -EINVAL for a route
 * of the other family, a length or leaf out of range, or bits set beyond the length. */
int lpm_base_create(struct lpm *lpm, enum lpm_family family, const struct lpm_route *routes,
                    size_t n, struct lpm_fib **fib);

/* Derives a FIB from a base (-EINVAL if it is not one). changes may hold LPM_SET and LPM_REMOVE.
 * The base lives at least as long as its last derived FIB: releasing it earlier only drops the
 * caller's claim. */
int lpm_derive(struct lpm_fib *base, const struct lpm_change *changes, size_t n,
               struct lpm_fib **fib);

/* Drops the caller's claim. Memory goes back after a grace period. No reader may find fib after this
 * call (take it out of whatever readers find it by first); who found it before may still look up until
 * its next quiescent state. NULL is allowed. */
void lpm_release(struct lpm_fib *fib);

/* Applies n changes in order, all or none (in the sense of errors). Costs, for a base, what changes,
 * whatever number of FIBs are derived from it. Only where a route comes or goes (not: gets another
 * leaf) inside of an override, the derived FIBs with this override are worked out anew, a few
 * microseconds each; but if there are very many, lookups in that override ask the base's routes from
 * then on, which is slower, and no more is to be worked out there. For a derived FIB it costs all
 * overrides that it has, so give it many changes in one call.
 *
 * A change of a base may wait for a grace period: when a route comes or goes inside of an override, up
 * to twice; and when, since the last one, a derived FIB got or lost overrides where the base changes
 * now, or lost any while it had a removal or one over very many routes, or was moved away, or any
 * fallback (0/0) changed.
 * Otherwise a reader half way through a lookup could see what its FIB never showed. So readers
 * must be quiescent or offline now and then, and a writer that has both to do changes bases first,
 * derived FIBs after. */
int lpm_update(struct lpm_fib *fib, const struct lpm_change *changes, size_t n);

/* Makes a derived FIB stand alone with the routes that it shows now. A base does so already. */
int lpm_detach(struct lpm_fib *fib);

/* Moves a derived FIB onto another base of its family; its overrides stay. */
int lpm_rebase(struct lpm_fib *fib, struct lpm_fib *base);

/* --- Lookup (any registered reader thread) ---------------------------------------------------- */

/* Leaf of the longest prefix of fib that covers address, or LPM_NO_ROUTE. The family of address
 * must be that of fib. */
uint32_t lpm_lookup(const struct lpm_fib *fib, const struct lpm_address *address);

/* The same for n (FIB, address) pairs; every pair may name another FIB. IPv4 addresses are in host
 * byte order. All FIBs must be of the function's family. */
void lpm_lookup_bulk4(const struct lpm_fib *const *fibs, const uint32_t *addresses,
                      uint32_t *leaves, unsigned n);
void lpm_lookup_bulk6(const struct lpm_fib *const *fibs, const uint8_t (*addresses)[16],
                      uint32_t *leaves, unsigned n);

/* The bulk calls have variants for what the processor can do; all give the same answers. A default
 * is chosen at start. For tests and measurements: the names of those usable here, NULL at the end,
 * ... */
const char *const *lpm_variants(void);
/* ... and a way to force one while no reader looks up. NULL: the default again. -EINVAL: no such
 * name, or not usable here. */
int lpm_force_variant(const char *name);

/* --- Questions (writer thread; lpm_explain() also readers) ------------------------------------ */

/* Which prefix decides for address? Returns false when none does, or for another family. In a
 * reader, while the writer changes both the FIB and its base at that place, the answer may be a
 * mixture of the two states. */
bool lpm_explain(const struct lpm_fib *fib, const struct lpm_address *address,
                 struct lpm_route *route);

/* Exact match: the leaf of this very prefix as fib shows it, or LPM_NO_ROUTE. */
uint32_t lpm_get(const struct lpm_fib *fib, const struct lpm_prefix *prefix);

/* Calls visit for each route that fib shows, in prefix order (by address, then by length), until
 * it returns non-zero; returns that value or 0. visit must not change any FIB of the same struct
 * lpm. */
int lpm_each(const struct lpm_fib *fib, int (*visit)(void *context, const struct lpm_route *route),
             void *context);

/* Calls visit for each route in which two FIBs of one family differ, in prefix order, with the leaf
 * that each has for this prefix (LPM_NO_ROUTE: no such route), until it returns non-zero; returns
 * that value or 0. -EINVAL, with no call, for FIBs of different families. visit must not change
 * any FIB of either struct lpm.
 *
 * Costs what the FIBs do not share: for two FIBs of one base, or a base and a FIB derived from it,
 * the overrides of both, whatever the base holds; nothing where the overrides are equal; for FIBs
 * of different bases, all that both show. */
int lpm_diff(const struct lpm_fib *a, const struct lpm_fib *b,
             int (*visit)(void *context, const struct lpm_prefix *prefix, uint32_t leaf_a,
                          uint32_t leaf_b),
             void *context);

enum lpm_family lpm_fib_family(const struct lpm_fib *fib);
const struct lpm_fib *lpm_fib_base(const struct lpm_fib *fib); /* NULL for a base */
size_t lpm_fib_routes(const struct lpm_fib *fib);              /* as fib shows them */

/* Bytes that one FIB holds and shares with no other: for a base its table; for a derived FIB what
 * it costs beyond its base, shared overrides counted in full (lpm_bytes() counts them once). */
struct lpm_fib_bytes {
    size_t lookup; /* read on the packet path */
    size_t writer; /* routes and overrides kept to rebuild what a change touches */
};
void lpm_fib_bytes(const struct lpm_fib *fib, struct lpm_fib_bytes *bytes);

/* Bytes of everything, each object once: live, waiting for a grace period, and kept free for reuse. */
struct lpm_bytes {
    size_t lookup, writer, deferred, free;
};
void lpm_bytes(const struct lpm *lpm, struct lpm_bytes *bytes);

/* Checks every invariant of the structure; true when all hold. Slow; for tests and debug builds. */
bool lpm_validate(const struct lpm *lpm);

/* --- Addresses and prefixes as text ------------------------------------------------------------ */

#define LPM_ADDRESS_TEXT 46 /* enough for any address and its final zero */
#define LPM_PREFIX_TEXT  50

/* "10.0.0.4" or "fd00::1". Returns 0 or -EINVAL, leaving *address as it was. */
int lpm_address_parse(const char *text, struct lpm_address *address);
/* "10.0.0.0/8" or "::/0". -EINVAL: not a prefix; -EDOM: bits set beyond the length. */
int lpm_prefix_parse(const char *text, struct lpm_prefix *prefix);
/* Canonical text (RFC 5952 for IPv6); both return text. */
char *lpm_address_format(const struct lpm_address *address, char text[LPM_ADDRESS_TEXT]);
char *lpm_prefix_format(const struct lpm_prefix *prefix, char text[LPM_PREFIX_TEXT]);

/* Clears the bits beyond the length. */
void lpm_prefix_mask(struct lpm_prefix *prefix);
bool lpm_prefix_contains(const struct lpm_prefix *prefix, const struct lpm_address *address);
/* True when inner is outer or lies inside it. */
bool lpm_prefix_covers(const struct lpm_prefix *outer, const struct lpm_prefix *inner);
bool lpm_prefix_equal(const struct lpm_prefix *a, const struct lpm_prefix *b);
/* Order of lpm_each(): IPv4 before IPv6, then by address, then the shorter first. <0, 0, >0. */
int lpm_prefix_compare(const struct lpm_prefix *a, const struct lpm_prefix *b);
bool lpm_address_equal(const struct lpm_address *a, const struct lpm_address *b);
int lpm_address_compare(const struct lpm_address *a, const struct lpm_address *b);
/* The /32 or /128 of an address. */
struct lpm_prefix lpm_address_prefix(const struct lpm_address *address);

#endif
