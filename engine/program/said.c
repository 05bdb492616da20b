/* See said.h. Words are few: a list is enough, and none at all is the common case. */
#include "engine/program/said.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct program_word *find(const struct program_said *said, uint32_t group,
                                 const struct lpm_address *next_hop)
{
    for (size_t i = 0; i < said->n; i++)
        if (said->words[i].group == group && lpm_address_equal(&said->words[i].next_hop, next_hop))
            return &said->words[i];
    return NULL;
}

enum program_member_state program_said_state(const struct program_said *said, uint32_t group,
                                             const struct lpm_address *next_hop)
{
    const struct program_word *word = find(said, group, next_hop);
    if (!word)
        word = find(said, 0, next_hop);
    return word ? word->state : PROGRAM_MEMBER_UP;
}

struct dp_patience program_patience(const struct fabric *fabric)
{
    const struct fabric_ecmp *ecmp = &fabric->ecmp;
    return (struct dp_patience){ecmp->sticky, ecmp->sticky_idle_ms, ecmp->sticky_forced_ms};
}

static void remove_word(struct program_said *said, struct program_word *word)
{
    *word = said->words[--said->n];
}

/* Words about single groups, for a word about all of them. */
static void remove_single(struct program_said *said, const struct lpm_address *next_hop)
{
    for (size_t i = said->n; i > 0; i--) {
        struct program_word *word = &said->words[i - 1];
        if (word->group != 0 && lpm_address_equal(&word->next_hop, next_hop))
            remove_word(said, word);
    }
}

static int add(struct program_said *said, const struct program_word *word)
{
    if (said->n == PROGRAM_SAID_MOST)
        return -ENOSPC;
    if (said->n == said->room) {
        size_t room = said->room ? 2 * said->room : 8;
        void *grown = realloc(said->words, room * sizeof(*said->words));
        if (!grown)
            return -ENOMEM;
        said->words = grown;
        said->room = room;
    }
    said->words[said->n++] = *word;
    return 0;
}

/* "Up" needs a word only against another about all groups. */
int program_said_set(struct program_said *said, uint32_t group, const struct lpm_address *next_hop,
                     enum program_member_state state)
{
    const struct program_word new = {group, state, *next_hop};
    bool needed = state != PROGRAM_MEMBER_UP || (group != 0 && find(said, 0, next_hop));
    struct program_word *word = find(said, group, next_hop);
    int error = 0;
    if (word && needed)
        *word = new;
    else if (word)
        remove_word(said, word);
    else if (needed)
        error = add(said, &new);
    if (!error && group == 0)
        remove_single(said, next_hop);
    return error;
}

void program_said_forget(struct program_said *said, uint32_t group)
{
    for (size_t i = said->n; i > 0; i--)
        if (said->words[i - 1].group == group)
            remove_word(said, &said->words[i - 1]);
}

static int reserve_cut(struct program_said *said, uint32_t nic)
{
    uint32_t room = said->cut_room ? said->cut_room : 64;
    while (room <= nic)
        room *= 2;
    if (room == said->cut_room)
        return 0;
    uint64_t *grown = realloc(said->cut, room / 8);
    if (!grown)
        return -ENOMEM;
    memset(grown + said->cut_room / 64, 0, (room - said->cut_room) / 8);
    said->cut = grown;
    said->cut_room = room;
    return 0;
}

int program_said_cut(struct program_said *said, uint32_t nic, bool cut)
{
    int error = cut ? reserve_cut(said, nic) : 0;
    if (error || nic >= said->cut_room)
        return error;
    uint64_t bit = UINT64_C(1) << nic % 64;
    said->cut[nic / 64] = cut ? said->cut[nic / 64] | bit : said->cut[nic / 64] & ~bit;
    return 0;
}

bool program_said_is_cut(const struct program_said *said, uint32_t nic)
{
    return nic < said->cut_room && (said->cut[nic / 64] >> nic % 64 & 1) != 0;
}

struct program_said *program_said_create(void)
{
    struct program_said *said = calloc(1, sizeof(*said));
    if (said)
        said->holders = 1;
    return said;
}

struct program_said *program_said_hold(struct program_said *said)
{
    said->holders++;
    return said;
}

void program_said_release(struct program_said *said)
{
    if (!said || --said->holders > 0)
        return;
    free(said->words);
    free(said->cut);
    free(said);
}
