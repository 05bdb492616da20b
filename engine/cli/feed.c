/*
 * routers.table: files to records, records to the router's feed. A damaged record is said and left
 * out, as by mrt show; a file without a single route for the router is a mistake.
 */
#include "engine/cli/feed.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/cli/mrt_file.h"
#include "engine/sim/feed.h"

#define PATH_BYTES 4096

struct feeding {
    const struct cli_command *command;
    const struct fabric_router *router;
    struct sim_feed *feed;
};

/* A name in the fabric file counts from the folder of that file. */
static int resolve(const struct feeding *feeding, const char *name, char path[PATH_BYTES])
{
    const char *file = feeding->router->place.file, *slash = strrchr(file, '/');
    int folder = *name == '/' || !slash ? 0 : (int)(slash - file) + 1;
    int n = snprintf(path, PATH_BYTES, "%.*s%s", folder, file, name);
    return n < PATH_BYTES ? 0 : -ENAMETOOLONG;
}

static int say(const struct feeding *feeding, const char *key, const char *what)
{
    const struct fabric_router *router = feeding->router;
    return cli_error(feeding->command, "%s:%u: routers[%s].table.%s: %s", router->place.file,
                     router->place.line, router->name, key, what);
}

static int take_file(struct feeding *feeding, const char *key, const char *name,
                     int (*take)(struct sim_feed *feed, const struct mrt_record *record))
{
    char path[PATH_BYTES];
    struct mrt_record record;
    if (resolve(feeding, name, path))
        return say(feeding, key, "the path is too long");
    struct mrt_file *file = mrt_file_open(feeding->command, path);
    if (!file)
        return say(feeding, key, "the file cannot be read");
    int error = 0;
    while (error != -ENOMEM && mrt_file_next(file, &record)) {
        error = take(feeding->feed, &record);
        if (error && error != -ENOMEM)
            mrt_file_blame(file, &record, error);
    }
    mrt_file_conclude(file);
    mrt_file_close(file);
    return error == -ENOMEM ? say(feeding, key, "not enough memory for its routes") : 0;
}

static int take_files(struct feeding *feeding)
{
    const struct fabric_router_table *table = &feeding->router->table;
    char peers[SIM_FEED_PEERS_TEXT], what[SIM_FEED_PEERS_TEXT + 80];
    int code = take_file(feeding, "mrt", table->mrt, sim_feed_take_table);
    if (code)
        return code;
    if (sim_feed_routes(feeding->feed) == 0) {
        snprintf(what, sizeof(what), "it has no routes for this router; its peers are: %s",
                 sim_feed_peers(feeding->feed, peers));
        return say(feeding, "mrt", what);
    }
    return table->updates ? take_file(feeding, "updates", table->updates, sim_feed_take_update) : 0;
}

static int feed_router(const struct cli_command *command, struct twin *twin, uint32_t router)
{
    struct feeding feeding = {.command = command, .router = &twin->fabric->routers[router]};
    feeding.feed = sim_feed_create(&feeding.router->table);
    if (!feeding.feed)
        return say(&feeding, "mrt", "not enough memory");
    int code = take_files(&feeding);
    if (code) {
        sim_feed_destroy(feeding.feed);
        return code;
    }
    return sim_set_feed(twin->sim, router, feeding.feed)
               ? say(&feeding, "mrt", "not enough memory for its routes")
               : 0;
}

int twin_feed(const struct cli_command *command, struct twin *twin)
{
    int code = 0;
    for (uint32_t i = 0; !code && i < twin->fabric->routers_count; i++)
        if (twin->fabric->routers[i].table.present)
            code = feed_router(command, twin, i);
    return code;
}
