/* See metrics_scrape.h. */
#include "engine/live/metrics_scrape.h"

#include <errno.h>

static const struct metrics_family *family_of(const struct metrics_scrape *scrape)
{
    unsigned i = scrape->family;
    if (i < metrics_control_count)
        return &metrics_control[i];
    i -= metrics_control_count;
    return i < metrics_forwarding_count ? &metrics_forwarding[i] : NULL;
}

/* Next hops are numbered from 1 on, without gaps. */
static void count(struct metrics_scrape *scrape)
{
    const struct dp_forwarding *forwarding = scrape->live->plane.forwarding;
    struct lpm_address address;
    while (dp_next_hop_address(forwarding, scrape->next_hop_count + 1, &address))
        scrape->next_hop_count++;
    dp_counters_total(forwarding, &scrape->total);
    program_size(controller_program(scrape->live->plane.controller), &scrape->size);
    scrape->counted = true;
}

int metrics_scrape_next(struct metrics_scrape *scrape, FILE *out)
{
    const struct metrics_family *family = family_of(scrape);
    if (!family)
        return 0;
    if (scrape->readings != scrape->live->readings)
        return -ESTALE;
    if (!scrape->counted)
        count(scrape);
    uint32_t rows = family->rows ? family->rows(scrape) : 1;
    if (scrape->row == 0 && rows > 0)
        metric_head(out, family->name, family->kind, family->help);
    do {
        if (scrape->row < rows)
            family->write(scrape, family, scrape->row++, out);
    } while (family->whole && scrape->row < rows);
    if (scrape->row >= rows) {
        scrape->family++;
        scrape->row = 0;
    }
    return 1;
}
