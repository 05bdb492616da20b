/*
 * What boxes on the other side of BGP are told: an export policy, branch_to_branch or a community changes
 * no NIC's routes, and yet whom on-premises can reach.
 */
#include <errno.h>
#include <stdio.h>

#include "engine/cli/diff_parts.h"
#include "engine/sim/sim.h"

#define PATH_TEXT 512

/* "10.0.0.0/8" -> {"65515-65001 from rs1": true}, of one router. */
static int take_choice(void *context, const struct lpm_prefix *prefix,
                       const struct rib_choice *choice)
{
    char key[LPM_PREFIX_TEXT], path[PATH_TEXT - 100], text[PATH_TEXT];
    json_t *paths = json_object();

    for (unsigned i = 0; i < choice->n; i++) {
        if (!choice->paths[i].peer)
            continue; /* its own */
        bgp_as_path_format(choice->paths[i].attributes, '-', path, sizeof(path));
        snprintf(text, sizeof(text), "%s%sfrom %.90s", path, path[0] ? " " : "",
                 speaker_peer_config(choice->paths[i].peer)->name);
        json_object_set_new(paths, text, json_true()); /* instances say the same */
    }
    if (json_object_size(paths) == 0) {
        json_decref(paths);
        return 0;
    }
    return json_object_set_new(context, lpm_prefix_format(prefix, key), paths) ? -ENOMEM : 0;
}

static json_t *learned_by(struct twin *twin, const char *name)
{
    const uint32_t router = fabric_find_router(twin->fabric, name);
    const struct speaker *speaker =
        router == FABRIC_NONE ? NULL : sim_router_speaker(twin->sim, router);
    json_t *learned = json_object();

    if (speaker && speaker_each_choice(speaker, take_choice, learned)) {
        json_decref(learned);
        return NULL;
    }
    return learned;
}

static json_t *texts_of(json_t *paths)
{
    json_t *list = json_array(), *unused;
    const char *text;

    json_object_foreach(paths, text, unused)
    {
        json_array_append_new(list, json_string(text));
    }
    return list;
}

static void tell(json_t *list, const char *router, const char *prefix, json_t *before,
                 json_t *after)
{
    if (!json_equal(before, after))
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:o, s:o}", "router", router, "prefix", prefix,
                                        "before", texts_of(before), "after", texts_of(after)));
}

static int compare_router(struct twin *before, struct twin *after, const char *name, json_t *list)
{
    json_t *was = learned_by(before, name), *is = learned_by(after, name), *paths;
    const char *prefix;

    if (was && is) {
        json_object_foreach(was, prefix, paths)
        {
            tell(list, name, prefix, paths, json_object_get(is, prefix));
        }
        json_object_foreach(is, prefix, paths)
        {
            if (!json_object_get(was, prefix))
                tell(list, name, prefix, NULL, paths);
        }
    }
    int error = was && is ? 0 : -ENOMEM;
    json_decref(was);
    json_decref(is);
    return error;
}

int diff_learned(struct twin *before, struct twin *after, json_t *list)
{
    int error = 0;

    for (uint32_t i = 0; i < before->fabric->routers_count && !error; i++)
        error = compare_router(before, after, before->fabric->routers[i].name, list);
    for (uint32_t i = 0; i < after->fabric->routers_count && !error; i++)
        if (fabric_find_router(before->fabric, after->fabric->routers[i].name) == FABRIC_NONE)
            error = compare_router(before, after, after->fabric->routers[i].name, list);
    return error;
}
