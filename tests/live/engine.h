/*
 * Starts and stops an engine (engine_main.c) as a process of its own and keeps what it prints. The
 * program is named by the environment variable LIVE_ENGINE.
 */
#ifndef TESTS_LIVE_ENGINE_H
#define TESTS_LIVE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#define ENGINE_PORT 17900
/* Further peers, which only a few scenarios play: p00, p01, … at host ENGINE_CROWD_HOST and on. */
#define ENGINE_CROWD      100
#define ENGINE_CROWD_HOST 100
#define ENGINE_CROWD_ASN  65100

struct engine {
    pid_t pid;     /* 0: not running */
    char base[16]; /* "127.1.2": addresses of this engine and its peers */
    char directory[32];
    char address[2][20]; /* of the two instances */
    char peer[3][20];    /* nva1, nva2, and one that nobody knows */
};

/* Fills in the addresses that an engine of this process will have; engine_start() does the same. */
void engine_name(struct engine *engine);
/* Starts it and waits until it runs. with_traffic: a data plane with workers too, and a VM that
 * sends to 20.0.0.0/16 as fast as it can. False: it did not start. */
bool engine_start(struct engine *engine, bool with_traffic);
/* The same without waiting, for starts that must fail. base: instead of a loopback one of this
 * process. */
bool engine_spawn(struct engine *engine, const char *base, bool with_traffic);
void engine_signal(const struct engine *engine, int number);
/* Waits for its end; returns the exit status, -1 when it did not end in time or by a signal. */
int engine_wait(struct engine *engine, int timeout_ms);
/* SIGTERM and engine_wait(). */
int engine_stop(struct engine *engine);
/* Kills what still runs and removes what was kept. */
void engine_clean(struct engine *engine);

/* Kilobytes that it has resident; 0: unknown, as under a sanitizer, which keeps what was freed. */
size_t engine_resident_kb(const struct engine *engine);

/* What it printed; free() it. */
char *engine_log(const struct engine *engine);
/* The JSON document of standard output, the only thing there; NULL: it is not that. */
json_t *engine_report(const struct engine *engine);
/* Waits until the log has text. */
bool engine_says(const struct engine *engine, const char *text, int timeout_ms);
unsigned engine_count(const struct engine *engine, const char *text); /* how often the log has it */

#endif
