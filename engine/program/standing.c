/*
 *   index ──> entries[] ─┬─ paths[]   what stands, attributes held
 *                        ├─ damped    in the list of those that changed lately, the oldest first
 *                        └─ failback  in the list of those that wait, the oldest first
 *
 * Both delays are constants, so each list is in the order of its times, and no step grows with how many wait.
 * An entry with an empty choice is there only while it is in a list.
 */
#include "engine/program/standing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "engine/rib/index.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

struct entry {
    struct lpm_prefix prefix;
    uint32_t hash, id;
    unsigned n; /* paths; 0: no route stands */
    struct rib_path *paths;
    bool failed_over; /* lost a next hop, and did not get back to the speaker's best since */
    bool changes;     /* the speaker's choice is another one, and damping holds it up */
    bool damped, waits_failback;
    uint64_t damped_since_ms, failback_since_ms;
    TAILQ_ENTRY(entry) by_damping;
    TAILQ_ENTRY(entry) by_failback;
};
TAILQ_HEAD(entries, entry);

struct program_standing {
    struct speaker *speaker;
    struct program_standing_config config;
    struct rib_index index;
    struct entry **entries; /* by id; NULL: free */
    uint32_t capacity, used;
    uint32_t *free_ids, free_count;
    struct entries damped, failback;
    size_t changes, failbacks; /* how many wait */
};

/* --- Entries ---------------------------------------------------------------------------------- */

static uint32_t hash_of(const struct lpm_prefix *prefix)
{
    uint8_t key[2 + sizeof(prefix->bytes)];
    key[0] = prefix->family;
    key[1] = prefix->length;
    memcpy(key + 2, prefix->bytes, sizeof(prefix->bytes));
    return (uint32_t)XXH3_64bits(key, sizeof(key));
}

struct wanted {
    const struct program_standing *standing;
    const struct lpm_prefix *prefix;
};

static bool is_wanted(const void *context, uint32_t id)
{
    const struct wanted *wanted = context;
    return lpm_prefix_equal(&wanted->standing->entries[id]->prefix, wanted->prefix);
}

static struct entry *find(const struct program_standing *standing, const struct lpm_prefix *prefix)
{
    const struct wanted wanted = {standing, prefix};
    uint32_t id = rib_index_find(&standing->index, hash_of(prefix), is_wanted, &wanted);
    return id == RIB_INDEX_NONE ? NULL : standing->entries[id];
}

/* Room for one more id, free or new; the list of free ones can hold them all. */
static int reserve(struct program_standing *standing)
{
    if (standing->free_count > 0 || standing->used < standing->capacity)
        return 0;
    uint32_t capacity = standing->capacity ? 2 * standing->capacity : 64;
    void *entries = realloc(standing->entries, capacity * sizeof(struct entry *));
    if (!entries)
        return -ENOMEM;
    standing->entries = entries;
    void *ids = realloc(standing->free_ids, capacity * sizeof(*standing->free_ids));
    if (!ids)
        return -ENOMEM;
    standing->free_ids = ids;
    standing->capacity = capacity;
    return 0;
}

static struct entry *add(struct program_standing *standing, const struct lpm_prefix *prefix)
{
    struct entry *entry = reserve(standing) == 0 ? calloc(1, sizeof(*entry)) : NULL;
    if (!entry)
        return NULL;
    entry->prefix = *prefix;
    entry->hash = hash_of(prefix);
    entry->id =
        standing->free_count > 0 ? standing->free_ids[standing->free_count - 1] : standing->used;
    if (rib_index_add(&standing->index, entry->hash, entry->id) != 0) {
        free(entry);
        return NULL;
    }
    if (standing->free_count > 0)
        standing->free_count--;
    else
        standing->used++;
    standing->entries[entry->id] = entry;
    return entry;
}

static void release_paths(struct program_standing *standing, struct entry *entry)
{
    for (unsigned i = 0; i < entry->n; i++)
        bgp_attributes_release(speaker_attribute_table(standing->speaker),
                               entry->paths[i].attributes);
    free(entry->paths);
    entry->paths = NULL;
    entry->n = 0;
}

static void leave_lists(struct program_standing *standing, struct entry *entry)
{
    if (entry->damped)
        TAILQ_REMOVE(&standing->damped, entry, by_damping);
    if (entry->waits_failback)
        TAILQ_REMOVE(&standing->failback, entry, by_failback);
    standing->changes -= entry->changes;
    standing->failbacks -= entry->waits_failback;
    entry->damped = entry->waits_failback = entry->changes = false;
}

static void drop(struct program_standing *standing, struct entry *entry)
{
    leave_lists(standing, entry);
    release_paths(standing, entry);
    rib_index_remove(&standing->index, entry->hash, entry->id);
    standing->entries[entry->id] = NULL;
    standing->free_ids[standing->free_count++] = entry->id;
    free(entry);
}

/* Takes the choice over. Without memory the prefix follows the speaker from now on: false, and there is no entry. */
static bool set_paths(struct program_standing *standing, struct entry *entry,
                      const struct rib_choice *choice)
{
    struct rib_path *paths = calloc(choice->n + 1, sizeof(*paths));
    if (!paths) {
        drop(standing, entry);
        return false;
    }
    for (unsigned i = 0; i < choice->n; i++) {
        paths[i] = choice->paths[i];
        bgp_attributes_hold(paths[i].attributes);
    }
    release_paths(standing, entry);
    entry->paths = paths;
    entry->n = choice->n;
    return true;
}

/* --- Comparing -------------------------------------------------------------------------------- */

static const struct rib_path *with_next_hop(const struct rib_path *paths, unsigned n,
                                            const struct lpm_address *next_hop)
{
    for (unsigned i = 0; i < n; i++)
        if (lpm_address_equal(&paths[i].next_hop, next_hop))
            return &paths[i];
    return NULL;
}

static int compare_bandwidth(float a, float b)
{
    return (a > b) - (a < b);
}

/* Do NICs do the same with both? */
static bool programs_alike(const struct entry *entry, const struct rib_choice *choice)
{
    if (entry->n != choice->n)
        return false;
    for (unsigned i = 0; i < choice->n; i++) {
        const struct rib_path *path = &choice->paths[i];
        const struct rib_path *own = with_next_hop(entry->paths, entry->n, &path->next_hop);
        if (!own || own->discard != path->discard ||
            compare_bandwidth(own->bandwidth, path->bandwidth) != 0)
            return false;
    }
    return true;
}

/* Which of an entry's paths are still offered as they were. */
struct offer {
    const struct entry *entry;
    bool found[RIB_ECMP_MAX];
};

static int find_offer(void *context, const struct rib_path *path, enum rib_verdict verdict)
{
    struct offer *offer = context;
    const struct entry *entry = offer->entry;
    if (rib_verdict_filtered(verdict) || verdict == RIB_LOST_SHUTDOWN || verdict == RIB_LOST_STALE)
        return 0;
    for (unsigned i = 0; i < entry->n; i++)
        if (entry->paths[i].attributes == path->attributes &&
            lpm_address_equal(&entry->paths[i].next_hop, &path->next_hop))
            offer->found[i] = true;
    return 0;
}

/* True: the speaker could go on with what stands, and has only found something better. */
static bool is_still_offered(const struct program_standing *standing, const struct entry *entry)
{
    struct offer offer = {.entry = entry};
    speaker_each_learned_candidate(standing->speaker, &entry->prefix, find_offer, &offer);
    for (unsigned i = 0; i < entry->n; i++)
        if (!offer.found[i])
            return false;
    return entry->n > 0;
}

/* --- Following -------------------------------------------------------------------------------- */

static void set_changes(struct program_standing *standing, struct entry *entry, bool changes)
{
    standing->changes += changes;
    standing->changes -= entry->changes;
    entry->changes = changes;
}

static void end_failback(struct program_standing *standing, struct entry *entry)
{
    if (!entry->waits_failback)
        return;
    TAILQ_REMOVE(&standing->failback, entry, by_failback);
    entry->waits_failback = false;
    standing->failbacks--;
}

static void begin_failback(struct program_standing *standing, struct entry *entry, uint64_t now_ms)
{
    if (entry->waits_failback)
        return;
    entry->waits_failback = true;
    entry->failback_since_ms = now_ms;
    standing->failbacks++;
    TAILQ_INSERT_TAIL(&standing->failback, entry, by_failback);
}

static void begin_damping(struct program_standing *standing, struct entry *entry, uint64_t now_ms)
{
    if (standing->config.damping_ms == 0)
        return;
    if (entry->damped)
        TAILQ_REMOVE(&standing->damped, entry, by_damping);
    entry->damped = true;
    entry->damped_since_ms = now_ms;
    TAILQ_INSERT_TAIL(&standing->damped, entry, by_damping);
}

/* optional: nothing of what stood was lost. */
static void adopt(struct program_standing *standing, struct entry *entry,
                  const struct rib_choice *choice, bool optional, uint64_t now_ms)
{
    entry->failed_over = !optional && choice->n > 0 && entry->n > 0;
    end_failback(standing, entry);
    set_changes(standing, entry, false);
    begin_damping(standing, entry, now_ms);
    if (set_paths(standing, entry, choice) && entry->n == 0 && !entry->damped)
        drop(standing, entry);
}

/* What the speaker has chosen, against what stands. Returns true when it is followed now; the entry may be gone
 * then. */
static bool consider(struct program_standing *standing, struct entry *entry, uint64_t now_ms)
{
    struct rib_choice choice;
    if (!speaker_learned_choice(standing->speaker, &entry->prefix, &choice))
        choice.n = 0;
    if (programs_alike(entry, &choice)) {
        end_failback(standing, entry);
        set_changes(standing, entry, false);
        set_paths(standing, entry, &choice);
        return false;
    }
    if (entry->damped && now_ms < entry->damped_since_ms + standing->config.damping_ms) {
        end_failback(standing, entry);
        set_changes(standing, entry, true);
        return false;
    }
    set_changes(standing, entry, false);
    bool optional = is_still_offered(standing, entry);
    if (standing->config.failback_ms > 0 && entry->failed_over && optional) {
        begin_failback(standing, entry, now_ms);
        return false;
    }
    adopt(standing, entry, &choice, optional, now_ms);
    return true;
}

void program_standing_note(struct program_standing *standing, const struct lpm_prefix *prefix,
                           uint64_t now_ms)
{
    struct rib_choice choice;
    struct entry *entry = find(standing, prefix);
    if (entry) {
        consider(standing, entry, now_ms);
        return;
    }
    if (!speaker_learned_choice(standing->speaker, prefix, &choice))
        return;
    entry = add(standing, prefix);
    if (entry)
        set_paths(standing, entry, &choice);
}

/* --- Time ------------------------------------------------------------------------------------- */

static uint64_t later(uint64_t since_ms, uint64_t delay_ms)
{
    return delay_ms >= UINT64_MAX - since_ms ? UINT64_MAX : since_ms + delay_ms;
}

uint64_t program_standing_deadline(const struct program_standing *standing)
{
    const struct entry *damped = TAILQ_FIRST(&standing->damped);
    const struct entry *failback = TAILQ_FIRST(&standing->failback);
    uint64_t first =
        damped ? later(damped->damped_since_ms, standing->config.damping_ms) : UINT64_MAX;
    uint64_t second =
        failback ? later(failback->failback_since_ms, standing->config.failback_ms) : UINT64_MAX;
    return first < second ? first : second;
}

struct telling {
    void (*changed)(void *context, const struct lpm_prefix *prefix);
    void *context;
};

static void end_damping(struct program_standing *standing, struct entry *entry, uint64_t now_ms,
                        const struct telling *telling)
{
    const struct lpm_prefix prefix = entry->prefix;
    bool changes = entry->changes;
    TAILQ_REMOVE(&standing->damped, entry, by_damping);
    entry->damped = false;
    if (changes && consider(standing, entry, now_ms))
        telling->changed(telling->context, &prefix);
    entry = find(standing, &prefix); /* it may be gone */
    if (entry && entry->n == 0 && !entry->damped)
        drop(standing, entry);
}

static void follow_failback(struct program_standing *standing, struct entry *entry, uint64_t now_ms,
                            const struct telling *telling)
{
    const struct lpm_prefix prefix = entry->prefix;
    struct rib_choice choice;
    if (!speaker_learned_choice(standing->speaker, &prefix, &choice))
        choice.n = 0;
    adopt(standing, entry, &choice, true, now_ms);
    telling->changed(telling->context, &prefix);
}

void program_standing_tick(struct program_standing *standing, uint64_t now_ms,
                           void (*changed)(void *context, const struct lpm_prefix *prefix),
                           void *context)
{
    const struct telling telling = {changed, context};
    struct entry *entry;
    while ((entry = TAILQ_FIRST(&standing->damped)) &&
           later(entry->damped_since_ms, standing->config.damping_ms) <= now_ms)
        end_damping(standing, entry, now_ms, &telling);
    while ((entry = TAILQ_FIRST(&standing->failback)) &&
           later(entry->failback_since_ms, standing->config.failback_ms) <= now_ms)
        follow_failback(standing, entry, now_ms, &telling);
}

/* --- Questions -------------------------------------------------------------------------------- */

bool program_standing_choice(const struct program_standing *standing,
                             const struct lpm_prefix *prefix, struct rib_choice *choice)
{
    const struct entry *entry = find(standing, prefix);
    if (!entry)
        return speaker_learned_choice(standing->speaker, prefix, choice);
    choice->n = entry->n;
    memcpy(choice->paths, entry->paths, entry->n * sizeof(*entry->paths));
    return choice->n > 0;
}

int program_standing_each(const struct program_standing *standing,
                          int (*visit)(void *context, const struct lpm_prefix *prefix),
                          void *context)
{
    int stopped = 0;
    for (uint32_t i = 0; i < standing->used && !stopped; i++)
        if (standing->entries[i] && standing->entries[i]->n > 0)
            stopped = visit(context, &standing->entries[i]->prefix);
    return stopped;
}

enum program_waiting program_standing_waits(const struct program_standing *standing,
                                            const struct lpm_prefix *prefix)
{
    const struct entry *entry = find(standing, prefix);
    if (!entry || (!entry->changes && !entry->waits_failback))
        return PROGRAM_WAITS_NOT;
    return entry->changes ? PROGRAM_WAITS_DAMPING : PROGRAM_WAITS_FAILBACK;
}

size_t program_standing_waiting(const struct program_standing *standing, enum program_waiting what)
{
    switch (what) {
    case PROGRAM_WAITS_DAMPING:
        return standing->changes;
    case PROGRAM_WAITS_FAILBACK:
        return standing->failbacks;
    case PROGRAM_WAITS_NOT:
        break;
    }
    return 0;
}

bool program_standing_is_damping(const struct program_standing *standing)
{
    return !TAILQ_EMPTY(&standing->damped);
}

/* --- Life ------------------------------------------------------------------------------------- */

struct program_standing *program_standing_create(struct speaker *speaker,
                                                 const struct program_standing_config *config)
{
    struct program_standing *standing = calloc(1, sizeof(*standing));
    if (!standing)
        return NULL;
    standing->speaker = speaker;
    standing->config = *config;
    TAILQ_INIT(&standing->damped);
    TAILQ_INIT(&standing->failback);
    return standing;
}

void program_standing_destroy(struct program_standing *standing)
{
    if (!standing)
        return;
    for (uint32_t i = 0; i < standing->used; i++)
        if (standing->entries[i]) {
            release_paths(standing, standing->entries[i]);
            free(standing->entries[i]);
        }
    free(standing->entries);
    free(standing->free_ids);
    rib_index_free(&standing->index);
    free(standing);
}
