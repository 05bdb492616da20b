/*
 * The engine's own settings: cores, collectors.
 */
#include "engine/fabric/validate.h"

#include <string.h>

static void check_cores(struct fabric_loader *loader)
{
    const struct fabric_engine *engine = &loader->fabric->engine;
    bool seen[FABRIC_CORE_MAX + 1] = {false};

    for (unsigned i = 0; i < engine->core_count; i++) {
        if (seen[engine->cores[i]])
            FABRIC_ERROR(loader, fabric_noted(loader, &engine->cores[i]),
                         "engine.cores: core %u stands twice", engine->cores[i]);
        seen[engine->cores[i]] = true;
    }
}

/* One connection to each: what is to be told of is a matter of `routes`. What the file does not give is
 * put in here. */
static void check_collectors(struct fabric_loader *loader)
{
    const struct fabric_engine *engine = &loader->fabric->engine;

    for (uint32_t i = 0; i < engine->bmp_count; i++) {
        struct fabric_bmp *bmp = &engine->bmp[i];

        if (bmp->routes == 0)
            bmp->routes = FABRIC_BMP_PRE_POLICY | FABRIC_BMP_POST_POLICY;
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(engine->bmp[j].collector, bmp->collector) == 0)
                FABRIC_ERROR(loader, &bmp->place, "engine.bmp: collector %s stands twice (%s:%u)",
                             bmp->collector, engine->bmp[j].place.file, engine->bmp[j].place.line);
    }
}

/* For what only the running engine finds: that the port is taken. */
static void place_metrics(struct fabric_loader *loader)
{
    struct fabric_engine *engine = &loader->fabric->engine;
    const struct fabric_place *place = fabric_noted(loader, &engine->metrics_listen);

    if (place)
        engine->metrics_place = *place;
}

void fabric_validate_engine(struct fabric_loader *loader)
{
    place_metrics(loader);
    check_cores(loader);
    check_collectors(loader);
}
