/*
 * What NICs follow, over a real speaker with real sessions: random announcements and withdrawals in virtual time,
 * against the two promises of standing.h.
 */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "engine/program/standing.h"
#include "tests/rib/world.h"

#define PREFIXES 6
#define NVAS     3
#define WINDOW   30000u
#define STEPS    400

static const char *const prefixes[PREFIXES] = {"9.9.9.0/24", "9.9.8.0/24",  "10.0.0.0/8",
                                               "0.0.0.0/0",  "10.9.0.0/16", "172.16.0.0/12"};

struct setting {
    struct world *world;
    struct node *server, *nvas[NVAS];
    struct program_standing *standing;
    /* Of each prefix: what stood last, and when that came about. */
    char last[PREFIXES][256];
    uint64_t changed_ms[PREFIXES];
    bool counts[PREFIXES]; /* that was a change, no first appearance */
};

static int compare_addresses(const void *a, const void *b)
{
    return lpm_address_compare(a, b);
}

/* Next hops in order; "": no route. */
static void text_of(const struct rib_choice *choice, char text[256])
{
    struct lpm_address sorted[RIB_ECMP_MAX];
    char address[LPM_ADDRESS_TEXT];
    text[0] = '\0';
    for (unsigned i = 0; i < choice->n; i++)
        sorted[i] = choice->paths[i].next_hop;
    if (choice->n > 0)
        qsort(sorted, choice->n, sizeof(*sorted), compare_addresses);
    for (unsigned i = 0; i < choice->n; i++) {
        strcat(text, lpm_address_format(&sorted[i], address));
        strcat(text, " ");
    }
}

static void standing_text(const struct setting *setting, unsigned i, char text[256])
{
    struct lpm_prefix prefix = world_prefix(prefixes[i]);
    struct rib_choice choice;
    program_standing_choice(setting->standing, &prefix, &choice);
    text_of(&choice, text);
}

static void speaker_text(const struct setting *setting, unsigned i, char text[256])
{
    struct lpm_prefix prefix = world_prefix(prefixes[i]);
    struct rib_choice choice;
    speaker_learned_choice(setting->server->speaker, &prefix, &choice);
    text_of(&choice, text);
}

static void ignore(void *context, const struct lpm_prefix *prefix)
{
    (void)context;
    (void)prefix;
}

/* The world's own handler keeps no note for others: every prefix is told, which has to do no harm. */
static void follow(struct setting *setting)
{
    for (unsigned i = 0; i < PREFIXES; i++) {
        struct lpm_prefix prefix = world_prefix(prefixes[i]);
        program_standing_note(setting->standing, &prefix, setting->world->now);
    }
    program_standing_tick(setting->standing, setting->world->now, ignore, NULL);
}

static void set_up(struct setting *setting, const struct program_standing_config *config)
{
    static const char *const addresses[NVAS] = {"10.0.1.4", "10.0.1.5", "10.0.1.6"};
    struct speaker_config server = {.name = "rs1", .asn = 65515, .prepend_own_asn = true};
    struct speaker_config nva = {.name = "nva", .prepend_own_asn = true};
    *setting = (struct setting){.world = world_create()};
    setting->server = world_node(setting->world, &server);
    for (unsigned i = 0; i < NVAS; i++) {
        nva.asn = 65001 + i;
        setting->nvas[i] = world_node(setting->world, &nva);
        world_join(setting->world, setting->server, 65515, "10.0.0.4", setting->nvas[i], nva.asn,
                   addresses[i]);
    }
    world_start(setting->world);
    world_settle(setting->world);
    setting->standing = program_standing_create(setting->server->speaker, config);
}

static void tear_down(struct setting *setting)
{
    program_standing_destroy(setting->standing);
    world_destroy(setting->world);
}

static void change(struct setting *setting, unsigned *seed)
{
    struct node *nva = setting->nvas[(unsigned)rand_r(seed) % NVAS];
    unsigned i = (unsigned)rand_r(seed) % PREFIXES;
    struct lpm_prefix prefix = world_prefix(prefixes[i]);
    if (rand_r(seed) % 3 == 0 && speaker_originates(nva->speaker, &prefix)) {
        world_withdraw(nva, prefixes[i]);
    } else {
        struct route route = {.prefix = prefixes[i]};
        for (unsigned n = (unsigned)rand_r(seed) % 3; n > 0; n--)
            route.as_path[n - 1] = 64900 + n;
        world_originate(nva, &route);
    }
    world_settle(setting->world);
}

static void check_window(struct setting *setting, unsigned i, unsigned seed)
{
    char now[256];
    standing_text(setting, i, now);
    if (strcmp(now, setting->last[i]) == 0)
        return;
    bool first =
        setting->last[i][0] == '\0' && setting->world->now - setting->changed_ms[i] >= WINDOW;
    if (!first && setting->counts[i])
        cr_assert_geq(setting->world->now - setting->changed_ms[i], WINDOW, "seed %u: %s: %s to %s",
                      seed, prefixes[i], setting->last[i], now);
    setting->counts[i] = !first;
    setting->changed_ms[i] = setting->world->now;
    strcpy(setting->last[i], now);
}

Test(standing, no_prefix_changes_twice_within_the_window_and_all_follow_in_the_end)
{
    const struct program_standing_config config = {.damping_ms = WINDOW};
    for (unsigned start = 1; start <= 4; start++) {
        unsigned seed = start;
        struct setting setting;
        set_up(&setting, &config);
        world_run(setting.world, 2 * WINDOW); /* "long ago" is a time, too */
        for (unsigned step = 0; step < STEPS; step++) {
            change(&setting, &seed);
            follow(&setting);
            for (unsigned i = 0; i < PREFIXES; i++)
                check_window(&setting, i, start);
            world_run(setting.world, (uint64_t)rand_r(&seed) % 7000);
            follow(&setting);
            for (unsigned i = 0; i < PREFIXES; i++)
                check_window(&setting, i, start);
        }
        /* What waits may be followed by nothing but time. */
        while (program_standing_deadline(setting.standing) != UINT64_MAX) {
            world_run(setting.world, 1000);
            program_standing_tick(setting.standing, setting.world->now, ignore, NULL);
        }
        cr_assert_eq(program_standing_waiting(setting.standing, PROGRAM_WAITS_DAMPING), 0);
        for (unsigned i = 0; i < PREFIXES; i++) {
            char stands[256], chosen[256];
            standing_text(&setting, i, stands);
            speaker_text(&setting, i, chosen);
            cr_assert_str_eq(stands, chosen, "seed %u: %s", start, prefixes[i]);
        }
        tear_down(&setting);
    }
}

static int strike_out(void *context, const struct rib_path *path, enum rib_verdict verdict)
{
    char *text = context, address[LPM_ADDRESS_TEXT + 1];
    lpm_address_format(&path->next_hop, address);
    strcat(address, " ");
    char *at = rib_verdict_filtered(verdict) ? NULL : strstr(text, address);
    if (at)
        memmove(at, at + strlen(address), strlen(at + strlen(address)) + 1);
    return 0;
}

/* Whatever happens, NICs are not sent where nothing is offered any more, and with no more changes than
 * time they come back to the speaker's best. */
Test(standing, hold_down_never_keeps_what_is_gone)
{
    const struct program_standing_config config = {.failback_ms = 60000};
    for (unsigned start = 1; start <= 4; start++) {
        unsigned seed = 100 + start;
        size_t held = 0;
        struct setting setting;
        set_up(&setting, &config);
        for (unsigned step = 0; step < STEPS; step++) {
            change(&setting, &seed);
            follow(&setting);
            held += program_standing_waiting(setting.standing, PROGRAM_WAITS_FAILBACK);
            for (unsigned i = 0; i < PREFIXES; i++) {
                char text[256], chosen[256];
                struct lpm_prefix prefix = world_prefix(prefixes[i]);
                standing_text(&setting, i, text);
                speaker_text(&setting, i, chosen);
                cr_assert_eq(text[0] == '\0', chosen[0] == '\0', "seed %u", start);
                speaker_each_learned_candidate(setting.server->speaker, &prefix, strike_out, text);
                cr_assert_str_empty(text, "seed %u: %s is offered by nobody", start, text);
            }
            world_run(setting.world, (uint64_t)rand_r(&seed) % 20000);
        }
        while (program_standing_deadline(setting.standing) != UINT64_MAX) {
            world_run(setting.world, 1000);
            program_standing_tick(setting.standing, setting.world->now, ignore, NULL);
        }
        for (unsigned i = 0; i < PREFIXES; i++) {
            char stands[256], chosen[256];
            standing_text(&setting, i, stands);
            speaker_text(&setting, i, chosen);
            cr_assert_str_eq(stands, chosen, "seed %u: %s", start, prefixes[i]);
        }
        cr_assert_gt(held, 0, "seed %u: nothing ever waited", start);
        tear_down(&setting);
    }
}
