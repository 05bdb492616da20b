/*
 * See engine.h. Standard output and standard error go to files, not pipes: an engine that says much
 * must never wait for a test that does not read.
 */
#include "tests/live/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void nap(void)
{
    usleep(10000);
}

static char *read_file(const struct engine *engine, const char *name)
{
    char path[64];
    snprintf(path, sizeof(path), "%s/%s", engine->directory, name);
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    for (int c; file && (c = fgetc(file)) != EOF;)
        fputc(c, memory);
    fclose(memory);
    if (file)
        fclose(file);
    return text;
}

static void redirect(const struct engine *engine, const char *name, int to)
{
    char path[64];
    snprintf(path, sizeof(path), "%s/%s", engine->directory, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(fd, to);
    close(fd);
}

static void name_addresses(struct engine *engine, const char *base)
{
    /* Two octets of the process id: programs that run at the same time do not share addresses. */
    unsigned id = (unsigned)getpid();
    if (base)
        snprintf(engine->base, sizeof(engine->base), "%s", base);
    else
        snprintf(engine->base, sizeof(engine->base), "127.%u.%u", 1 + (id >> 8) % 254, id & 255);
    for (unsigned i = 0; i < 2; i++)
        snprintf(engine->address[i], sizeof(engine->address[i]), "%s.%u", engine->base, 4 + i);
    for (unsigned i = 0; i < 3; i++)
        snprintf(engine->peer[i], sizeof(engine->peer[i]), "%s.%u", engine->base, 10 + i);
}

void engine_name(struct engine *engine)
{
    name_addresses(engine, NULL);
}

/* --- Traffic ---------------------------------------------------------------------------------- */

#define FRAME_SIZE  60
#define FRAME_COUNT 256

/* UDP from vm1 to 20.0.i.1 by way of the subnet's gateway. */
static void make_frame(uint8_t frame[FRAME_SIZE], uint8_t i)
{
    static const uint8_t head[] = {
        0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 2, 0, 0,    0,  2,    4, 8, 0,  /* Ethernet */
        0x45, 0,    0,    46,   0,    0,    0, 0, 64,   17, 0,    0,        /* IPv4, 46 bytes */
        10,   0,    2,    4,    20,   0,    0, 1, 0x10, 0,  0x20, 0, 0, 26, /* UDP, 26 bytes */
    };
    memset(frame, 0, FRAME_SIZE);
    memcpy(frame, head, sizeof(head));
    frame[32] = i;
    uint32_t sum = 0;
    for (unsigned at = 14; at < 34; at += 2)
        sum += (uint32_t)frame[at] << 8 | frame[at + 1];
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16));
    frame[24] = (uint8_t)(sum >> 8);
    frame[25] = (uint8_t)sum;
}

static void write_trace(const char *path)
{
    static const uint32_t header[6] = {0xa1b2c3d4, 0x00040002, 0, 0, 65535, 1};
    static const uint32_t record[4] = {0, 0, FRAME_SIZE, FRAME_SIZE};
    uint8_t frame[FRAME_SIZE];
    FILE *file = fopen(path, "w");
    if (!file)
        return;
    fwrite(header, sizeof(header), 1, file);
    for (unsigned i = 0; i < FRAME_COUNT; i++) {
        make_frame(frame, (uint8_t)i);
        fwrite(record, sizeof(record), 1, file);
        fwrite(frame, sizeof(frame), 1, file);
    }
    fclose(file);
}

/* --- Process ---------------------------------------------------------------------------------- */

bool engine_spawn(struct engine *engine, const char *base, bool with_traffic)
{
    const char *program = getenv("LIVE_ENGINE");
    if (!program) {
        fprintf(stderr, "LIVE_ENGINE does not name the engine's program\n");
        return false;
    }
    memset(engine, 0, sizeof(*engine));
    name_addresses(engine, base);
    strcpy(engine->directory, "/tmp/live-test-XXXXXX");
    if (!mkdtemp(engine->directory))
        return false;
    char port[16], trace[64];
    snprintf(port, sizeof(port), "%u", ENGINE_PORT);
    snprintf(trace, sizeof(trace), "%s/trace", engine->directory);
    if (with_traffic)
        write_trace(trace);
    engine->pid = fork();
    if (engine->pid == 0) {
        redirect(engine, "out", STDOUT_FILENO);
        redirect(engine, "log", STDERR_FILENO);
        execl(program, program, engine->base, port, with_traffic ? trace : NULL, NULL);
        _exit(127);
    }
    return engine->pid > 0;
}

bool engine_start(struct engine *engine, bool with_traffic)
{
    if (engine_spawn(engine, NULL, with_traffic) && engine_says(engine, " running: ", 20000))
        return true;
    char *log = engine_log(engine);
    fprintf(stderr, "the engine did not start:\n%s\n", log);
    free(log);
    return false;
}

void engine_signal(const struct engine *engine, int number)
{
    if (engine->pid > 0)
        kill(engine->pid, number);
}

int engine_wait(struct engine *engine, int timeout_ms)
{
    int status;
    for (; timeout_ms > 0; timeout_ms -= 10) {
        if (waitpid(engine->pid, &status, WNOHANG) == engine->pid) {
            engine->pid = 0;
            return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        }
        nap();
    }
    return -1;
}

int engine_stop(struct engine *engine)
{
    engine_signal(engine, SIGTERM);
    return engine_wait(engine, 20000);
}

void engine_clean(struct engine *engine)
{
    char path[64];
    if (engine->pid > 0) {
        kill(engine->pid, SIGKILL);
        waitpid(engine->pid, NULL, 0);
        engine->pid = 0;
    }
    static const char *const kept[] = {"out", "log", "trace"};
    for (unsigned i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", engine->directory, kept[i]);
        unlink(path);
    }
    rmdir(engine->directory);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

size_t engine_resident_kb(const struct engine *engine)
{
#ifdef SANITIZED
    (void)engine;
    return 0;
#else
    char path[64];
    unsigned long total = 0, resident = 0;
    snprintf(path, sizeof(path), "/proc/%d/statm", (int)engine->pid);
    FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "%lu %lu", &total, &resident) != 2)
        resident = 0;
    if (file)
        fclose(file);
    return resident * (unsigned long)sysconf(_SC_PAGESIZE) / 1024;
#endif
}

char *engine_log(const struct engine *engine)
{
    return read_file(engine, "log");
}

json_t *engine_report(const struct engine *engine)
{
    char *text = read_file(engine, "out");
    json_t *report = text ? json_loads(text, 0, NULL) : NULL;
    free(text);
    return report;
}

unsigned engine_count(const struct engine *engine, const char *text)
{
    char *log = engine_log(engine);
    unsigned n = 0;
    for (const char *at = log; at && (at = strstr(at, text)); at++)
        n++;
    free(log);
    return n;
}

bool engine_says(const struct engine *engine, const char *text, int timeout_ms)
{
    for (; timeout_ms > 0; timeout_ms -= 10) {
        if (engine_count(engine, text) > 0)
            return true;
        if (waitpid(engine->pid, NULL, WNOHANG | WNOWAIT) == engine->pid)
            return engine_count(engine, text) > 0;
        nap();
    }
    return false;
}
