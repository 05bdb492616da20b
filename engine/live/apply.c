/*
 * See apply.h. What runs is the first reading, which is the caller's of live_run(), or the last one that was
 * applied, which is ours; one that another took the place of is freed, as nothing points there any more.
 *
 * The stream that answers and the work live on their own: a client that goes leaves the work to its end, and
 * work that ends leaves the stream its answer.
 */
#include "engine/live/apply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fabric/placement.h"
#include "engine/live/control_capture.h"
#include "engine/live/control_trace.h"
#include "engine/live/follow.h"
#include "engine/live/listener.h"
#include "engine/live/log.h"

struct live_reading {
    struct fabric *fabric;
    struct fabric_outline *outline;
    char *path;
};

/* Whose client waits for the answer. */
struct answering {
    struct live_stream stream;
    struct live_apply *apply; /* NULL: it is over */
    json_t *document;
};

enum apply_state { READING, BUILDING };

struct live_apply {
    struct live *live;
    struct answering *answering; /* NULL: the client has gone */
    enum apply_state state;
    bool dry_run;
    uint64_t began_ms;
    uv_work_t work;
    char *path;
    struct live_reading *made;
    struct fabric_problems problems;
    struct fabric_changes changes;
    struct live_follow *follow; /* while it builds */
};

static void free_reading(struct live_reading *reading)
{
    if (!reading)
        return;
    fabric_free(reading->fabric);
    fabric_outline_free(reading->outline);
    free(reading->path);
    free(reading);
}

/* --- The answer ------------------------------------------------------------------------------- */

static enum live_stream_state next_piece(struct live_stream *stream, struct live_text *text)
{
    struct answering *answering = (struct answering *)stream;
    if (!answering->document)
        return answering->apply ? LIVE_STREAM_WAITS : LIVE_STREAM_OVER;
    live_text_json(text, answering->document);
    live_text_add(text, "\n", 1);
    answering->document = NULL;
    return LIVE_STREAM_OVER;
}

static void end_answer(struct live_stream *stream)
{
    struct answering *answering = (struct answering *)stream;
    if (answering->apply)
        answering->apply->answering = NULL;
    json_decref(answering->document);
    free(answering);
}

static json_t *plan_json(const struct fabric_changes *changes)
{
    json_t *plan = json_array();
    for (size_t i = 0; i < changes->n; i++) {
        const struct fabric_change *change = &changes->items[i];
        json_array_append_new(plan, json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "change",
                                              fabric_change_kind_text(change->kind), "object",
                                              change->object, "keys", change->keys, "way",
                                              fabric_change_way_text(change->way), "file",
                                              change->place.file ? change->place.file : "", "line",
                                              (json_int_t)change->place.line));
    }
    return plan;
}

static json_t *errors_json(const struct fabric_problems *problems)
{
    json_t *errors = json_array();
    for (size_t i = 0; i < problems->n; i++)
        if (problems->items[i].error)
            json_array_append_new(errors,
                                  json_pack("{s:s, s:I, s:s}", "file", problems->items[i].file,
                                            "line", (json_int_t)problems->items[i].line, "message",
                                            problems->items[i].message));
    return errors;
}

/* The end, one way or the other; takes document. */
static void finish(struct live_apply *apply, json_t *document)
{
    struct answering *answering = apply->answering;
    apply->live->apply = NULL;
    if (answering) {
        answering->document = document;
        answering->apply = NULL;
        live_stream_wake(&answering->stream);
    } else {
        json_decref(document);
    }
    live_follow_drop(apply->live, apply->follow);
    fabric_problems_free(&apply->problems);
    fabric_changes_free(&apply->changes);
    free_reading(apply->made);
    free(apply->path);
    free(apply);
}

static void refuse(struct live_apply *apply, const char *why)
{
    live_log("apply: %s: %s; nothing is changed", apply->path, why);
    finish(apply, json_pack("{s:s, s:o}", "error", why, "errors", errors_json(&apply->problems)));
}

static void succeed(struct live_apply *apply, bool applied)
{
    double seconds = (double)(live_now() - apply->began_ms) / 1000.0;
    finish(apply, json_pack("{s:{s:s, s:b, s:b, s:o, s:f}}", "answer", "path", apply->path,
                            "dry_run", apply->dry_run, "applied", applied, "plan",
                            plan_json(&apply->changes), "seconds", seconds));
}

/* --- The work --------------------------------------------------------------------------------- */

static bool has_way(const struct fabric_changes *changes, enum fabric_change_way way)
{
    for (size_t i = 0; i < changes->n; i++)
        if (changes->items[i].way == way)
            return true;
    return false;
}

static int set_policies(struct live *live, const struct fabric *fabric)
{
    unsigned missing;
    return controller_set_policies(live->plane.controller, fabric, live_now(), &missing);
}

/* What SIGHUP took since the last reading is in no outline. */
static bool gives_policies(const struct live_apply *apply)
{
    return has_way(&apply->changes, FABRIC_CHANGE_POLICY) || apply->live->policies_reread;
}

static void take_policies_back(struct live_apply *apply)
{
    if (gives_policies(apply))
        set_policies(apply->live, apply->live->fabric);
}

/* From here on it runs. Returns what it took the place of, which the plan still speaks of. */
static struct live_reading *take_over(struct live_apply *apply)
{
    struct live *live = apply->live;
    struct live_reading *before = live->reading;
    live->plane.fabric = NULL; /* not to be compared: a reading may come to stand where it stood */
    live->reading = apply->made;
    live->fabric = apply->made->fabric;
    live->options.outline = apply->made->outline;
    live->options.path = apply->made->path;
    live->policies_reread = false;
    live->readings++;
    apply->made = NULL;
    return before;
}

/* The same host as before: the hosts are no others. */
static void stand_on_the_same_host(const struct live *live, struct fabric *fabric)
{
    const struct fabric *before = live->fabric;
    if (before->here > 0)
        fabric_stand_on(fabric, fabric_find_host(fabric, before->hosts[before->here - 1].name));
}

/* Policies come once nothing refuses the rest, and before it, as they can be taken back. */
static void begin(struct live_apply *apply)
{
    struct live *live = apply->live;
    char error[LIVE_ERROR_TEXT] = "";
    stand_on_the_same_host(live, apply->made->fabric);
    int failed =
        live_follow_prepare(live, apply->made->fabric, &apply->follow, error, sizeof(error));
    if (!failed)
        failed = controller_apply_begin(live->plane.controller, apply->made->fabric, error);
    if (failed) {
        refuse(apply, error[0] ? error : strerror(-failed));
        return;
    }
    if (gives_policies(apply) && set_policies(live, apply->made->fabric) != 0) {
        controller_apply_cancel(live->plane.controller);
        refuse(apply, "not enough memory for its policies");
        return;
    }
    apply->state = BUILDING;
}

static void compare(struct live_apply *apply)
{
    if (!apply->made->fabric) {
        refuse(apply, "the file has errors");
        return;
    }
    if (fabric_outline_compare(apply->live->options.outline, apply->made->outline,
                               &apply->changes) != 0) {
        refuse(apply, "not enough memory for the plan");
        return;
    }
    fabric_changes_judge(&apply->changes, apply->live->fabric, apply->made->fabric);
    if (apply->dry_run || has_way(&apply->changes, FABRIC_CHANGE_RESTART))
        succeed(apply, false);
    else
        begin(apply);
}

static void on_read(uv_work_t *work, int status)
{
    struct live_apply *apply = work->data;
    if (status != 0 || apply->live->stopping)
        refuse(apply, "the engine is stopping");
    else
        compare(apply);
}

static void read_file(uv_work_t *work)
{
    struct live_apply *apply = work->data;
    apply->made->fabric =
        apply->live->options.read(apply->path, &apply->made->outline, &apply->problems);
}

bool live_apply_turn(struct live *live)
{
    struct live_apply *apply = live->apply;
    char error[DP_ERROR_TEXT] = "";
    if (!apply || apply->state != BUILDING)
        return false;
    if (live->stopping) {
        live_apply_close(live);
        return false;
    }
    int more = controller_apply_step(live->plane.controller, live_now(), error);
    if (more > 0)
        return true;
    if (more < 0 && controller_fabric(live->plane.controller) != apply->made->fabric) {
        take_policies_back(apply);
        refuse(apply, error);
        return true;
    }
    if (more < 0)
        live_log("apply: %s", error);
    live_log("apply: %s: %zu changes in force after %.3f s", apply->path, apply->changes.n,
             (double)(live_now() - apply->began_ms) / 1000.0);
    const struct fabric *former = live->fabric;
    struct live_reading *before = take_over(apply);
    live_follow_take(live, apply->follow, former);
    live_captures_follow(live);
    live_traces_follow(live);
    apply->follow = NULL;
    succeed(apply, true);
    free_reading(before);
    return true;
}

/* --- Begin and end ---------------------------------------------------------------------------- */

static struct live_apply *make(struct live *live, const char *path, bool dry_run)
{
    struct live_apply *apply = calloc(1, sizeof(*apply));
    struct live_reading *made = calloc(1, sizeof(*made));
    struct answering *answering = calloc(1, sizeof(*answering));
    char *copies[2] = {strdup(path), strdup(path)};
    if (!apply || !made || !answering || !copies[0] || !copies[1]) {
        free(apply);
        free(made);
        free(answering);
        free(copies[0]);
        free(copies[1]);
        return NULL;
    }
    *answering =
        (struct answering){.stream = {.next = next_piece, .end = end_answer}, .apply = apply};
    made->path = copies[1];
    apply->live = live;
    apply->answering = answering;
    apply->dry_run = dry_run;
    apply->began_ms = live_now();
    apply->work.data = apply;
    apply->path = copies[0];
    apply->made = made;
    return apply;
}

static json_t *wrong(const char *text)
{
    return json_pack("{s:s}", "error", text);
}

struct live_stream *live_apply_open(struct live *live, const json_t *request, json_t **result)
{
    const char *path = json_string_value(json_object_get(request, "path"));
    const json_t *dry_run = json_object_get(request, "dry_run");
    *result = NULL;
    if (!path || path[0] != '/' || (dry_run && !json_is_boolean(dry_run)))
        *result = wrong("'path' is an absolute path, and 'dry_run' is true or false");
    else if (!live->options.read || !live->options.outline)
        *result = wrong("this engine was started without a fabric file that it could compare with");
    else if (live->apply)
        *result = wrong("another file is being applied; wait until it is done");
    struct live_apply *apply = *result ? NULL : make(live, path, json_is_true(dry_run));
    if (!apply) {
        if (!*result)
            *result = wrong("not enough memory");
        return NULL;
    }
    struct answering *answering = apply->answering;
    live->apply = apply;
    /* It fails only without a function to call. */
    uv_queue_work(&live->loop, &apply->work, read_file, on_read);
    return &answering->stream;
}

void live_apply_close(struct live *live)
{
    struct live_apply *apply = live->apply;
    if (!apply || apply->state != BUILDING)
        return; /* the thread that reads has its end in the loop */
    controller_apply_cancel(live->plane.controller);
    refuse(apply, "the engine is stopping");
}

void live_apply_free(struct live *live)
{
    free_reading(live->reading);
    live->reading = NULL;
}
