/*
 * Buckets: all that a base shows under one place, cut into ranges and searched by keys.
 *
 * Where a place has few ranges, a search by keys comes to the leaf in two or three cache lines, and a
 * walk bit by bit would in one or two lines for every 6 bits. IPv6 tables have most of their routes
 * 24 to 30 bits below the last place where they are many; and a small table is all one bucket, or a
 * node of buckets.
 *
 * An entry that names a bucket is marked as one and carries its form. A bucket begins with a cache line
 * that begins like a node (node.h), so that both are counted, shared and buried alike:
 *
 *      size         2 words: bytes of the bucket
 *      references   1 word
 *      short        6 keys, then the values of 7 ranges: one cache line in all
 *      broad        13 keys, and on a second line the values of 14 ranges
 *      tall         13 keys, of up to 14 bottoms that follow: a line each, 8 keys and the values of 8 ranges
 *      great        13 keys and 16 on a second line, of up to 30 bottoms
 *
 * A key is the last address of a range, or of all ranges of a bottom: the 32 bits from the place on.
 * So no route below it may be longer than 32 bits more than the place has. The number of keys that are
 * less than an address is where to go on; padding is the highest key, which is less than none. Adjacent
 * ranges have different leaves, so a bucket's content depends on what it shows alone.
 */
#ifndef LPM_BUCKET_H
#define LPM_BUCKET_H

#include "lpm/line.h"
#include "lpm/node.h"

/* The odd ones have a second line before all else. */
enum lpm_bucket_form { LPM_BUCKET_SHORT, LPM_BUCKET_BROAD, LPM_BUCKET_TALL, LPM_BUCKET_GREAT };

#define LPM_BUCKET_BITS  32 /* of the address, that keys have */
#define LPM_BUCKET_MOST  240
#define LPM_BUCKET_WORDS 16 /* of 32 bits, in a cache line */

/* Words of the first line. */
#define LPM_BUCKET_HEAD        3
#define LPM_BUCKET_SHORT_MOST  7
#define LPM_BUCKET_BROAD_MOST  14
#define LPM_BUCKET_BOTTOM_MOST 8
#define LPM_BUCKET_TALL_MOST   112

static inline enum lpm_bucket_form lpm_bucket_form(uint32_t entry)
{
    return (enum lpm_bucket_form)(entry >> LPM_ENTRY_FORM_SHIFT & 3);
}

/* The first line. */
static inline const uint32_t *lpm_bucket_at(const char *window, uint32_t entry)
{
    return lpm_memory_at(window, lpm_bucket_cell(entry));
}

static inline bool lpm_bucket_has_bottoms(enum lpm_bucket_form form)
{
    return (unsigned)form >> 1;
}

/* Which words of a line are keys, by bit. The line of a bucket with bottoms is the bottom. Forms come in
 * no order that a branch predictor could learn, so there is no branch here. */
static inline unsigned lpm_bucket_keys(enum lpm_bucket_form form)
{
    return UINT64_C(0x00ff00fffff801f8) >> (16 * (unsigned)form) & 0xffff;
}

/* Where the values begin: after 3 + 6 words, on the next line, or after 8. */
static inline unsigned lpm_bucket_values(enum lpm_bucket_form form)
{
    return 0x08081009u >> (8 * (unsigned)form) & 0xff;
}

/* The same of the first two lines of a bucket with bottoms. */
#define LPM_BUCKET_FIRST_KEYS 0xfff8u

static inline unsigned lpm_bucket_second_keys(enum lpm_bucket_form form)
{
    return 0xffff * ((unsigned)form & 1);
}

/* The second line, or the first where that is all. */
static inline const uint32_t *lpm_bucket_second(const uint32_t *first, enum lpm_bucket_form form)
{
    return first + LPM_BUCKET_WORDS * ((unsigned)form & 1);
}

/* The leaf at address, the 32 bits of it from the place on. */
static inline uint32_t lpm_bucket_look_up(const char *window, uint32_t entry, uint32_t address)
{
    const uint32_t *line = lpm_bucket_at(window, entry);
    enum lpm_bucket_form form = lpm_bucket_form(entry);

    if (lpm_bucket_has_bottoms(form)) {
        const uint32_t *second = lpm_bucket_second(line, form);
        unsigned place = lpm_line_before(line, LPM_BUCKET_FIRST_KEYS, address) +
                         lpm_line_before(second, lpm_bucket_second_keys(form), address);

        line = second + LPM_BUCKET_WORDS * (1 + place);
    }
    return line[lpm_bucket_values(form) + lpm_line_before(line, lpm_bucket_keys(form), address)];
}

/* Makes the bucket of a place that shows routes (not 0) under inherited; or the leaf, where it shows
 * but one. LPM_ENTRY_UNKNOWN where these are too many or too long for a bucket, LPM_ENTRY_FAILED when
 * there is no memory. */
uint32_t lpm_bucket_make(struct lpm_memory *memory, uint32_t routes, uint32_t inherited);
bool lpm_bucket_equal(const char *window, uint32_t a, uint32_t b);

#endif
