/*
 * See testpmd.h. testpmd talks over a terminal (to a pipe it would say nothing before its buffer is
 * full): it is asked for its counters twice, and in between its worker thread's time on a CPU is read from /proc, so that what else runs there is not counted.
 */
#include "bench/testpmd.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/clock.h"
#include "bench/eal.h"
#include "bench/lines.h"
#include "bench/words.h"

#define PROGRAM    "dpdk-testpmd"
#define DIRECTORY  "/usr/bin"
#define START_MS   15000
#define ANSWER_MS  5000
#define TEXT_MAX   65536
#define COUNTED    "RX-packets:"
#define WORKER     "-worker-" /* in the name of the thread that forwards */
#define MEGABYTES  128u
#define MBUF_BYTES 2560u

struct testpmd {
    pid_t pid;
    int terminal;
    char text[TEXT_MAX];
    size_t length;
};

bool bench_testpmd_installed(void)
{
    return access(DIRECTORY "/" PROGRAM, X_OK) == 0;
}

/* --- The process ------------------------------------------------------------------------------ */

static void become(const struct bench_feed *feed, const unsigned cpus[2])
{
    char device[128], cores[64], prefix[64], memory[32], mbufs[48];
    snprintf(device, sizeof(device), "net_pcap0,rx_pcap=%s,infinite_rx=1", feed->path);
    snprintf(cores, sizeof(cores), "--lcores=0@%u,1@%u", cpus[1], cpus[0]);
    snprintf(prefix, sizeof(prefix), "--file-prefix=fingerpost-testpmd-%d", (int)getpid());
    snprintf(memory, sizeof(memory), "%u", MEGABYTES + feed->frames / 1024 * MBUF_BYTES / 1024);
    snprintf(mbufs, sizeof(mbufs), "--total-num-mbufs=%u", feed->frames + 16384);
    /* Its buffers on the same kind of pages as ours. */
    const char *arguments[] = {PROGRAM,
                               "--no-pci",
                               "--no-shconf",
                               "--no-telemetry",
                               bench_eal_huge() ? "--in-memory" : "--no-huge",
                               "-m",
                               memory,
                               cores,
                               prefix,
                               "--vdev",
                               device,
                               "--vdev",
                               "net_null0,no-rx=1",
                               "--",
                               "-i",
                               "--auto-start",
                               "--forward-mode=mac",
                               "--no-mlockall",
                               "--portmask=3",
                               mbufs,
                               NULL};
    execv(DIRECTORY "/" PROGRAM, bench_no_const(arguments));
    _exit(127);
}

static int start(struct testpmd *testpmd, const struct bench_feed *feed,
                 const struct bench_cpus *cpus, const unsigned chosen[2])
{
    testpmd->pid = forkpty(&testpmd->terminal, NULL, NULL, NULL);
    if (testpmd->pid == 0) {
        bench_cpus_restore(cpus); /* EAL takes no CPU that the process may not use */
        become(feed, chosen);
    }
    return testpmd->pid < 0 ? -errno : 0;
}

static void stop(struct testpmd *testpmd)
{
    close(testpmd->terminal);
    kill(testpmd->pid, SIGKILL);
    waitpid(testpmd->pid, NULL, 0);
}

/* --- What it says ----------------------------------------------------------------------------- */

/* Reads until `word` stands in what came since the last call. NULL: it did not in time. */
static const char *wait_for(struct testpmd *testpmd, const char *word, int milliseconds)
{
    const uint64_t end_ns = bench_now_ns() + (uint64_t)milliseconds * 1000000;
    struct pollfd ready = {.fd = testpmd->terminal, .events = POLLIN};

    testpmd->length = 0;
    testpmd->text[0] = '\0';
    while (bench_now_ns() < end_ns && testpmd->length + 1 < TEXT_MAX) {
        if (poll(&ready, 1, 100) <= 0)
            continue;
        ssize_t n = read(testpmd->terminal, testpmd->text + testpmd->length,
                         TEXT_MAX - 1 - testpmd->length);
        if (n <= 0)
            return NULL;
        testpmd->length += (size_t)n;
        testpmd->text[testpmd->length] = '\0';
        const char *found = strstr(testpmd->text, word);
        if (found && strchr(found, '\n'))
            return found;
    }
    return NULL;
}

static bool read_count(struct testpmd *testpmd, uint64_t *count)
{
    static const char question[] = "show port stats 0\n";
    if (write(testpmd->terminal, question, sizeof(question) - 1) < 0)
        return false;
    const char *said = wait_for(testpmd, COUNTED, ANSWER_MS);
    if (said)
        *count = strtoull(said + strlen(COUNTED), NULL, 10);
    return said != NULL;
}

/* --- Its worker's time ------------------------------------------------------------------------ */

static bool read_line(const char *path, char *line, size_t size)
{
    FILE *file = fopen(path, "r");
    const bool read = file && fgets(line, (int)size, file);
    if (file)
        fclose(file);
    return read;
}

/* Nanoseconds that the thread which forwards has been on a CPU; 0: not found. */
static uint64_t worker_ns(pid_t pid)
{
    char path[320], line[128];
    struct dirent *entry;
    uint64_t ns = 0;
    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    while (tasks && ns == 0 && (entry = readdir(tasks)) != NULL) {
        snprintf(path, sizeof(path), "/proc/%d/task/%s/comm", (int)pid, entry->d_name);
        if (!read_line(path, line, sizeof(line)) || !strstr(line, WORKER))
            continue;
        ns = bench_thread_cpu_ns(pid, entry->d_name);
    }
    if (tasks)
        closedir(tasks);
    return ns;
}

/* --- Measuring -------------------------------------------------------------------------------- */

/* The last CPU forwards; the one before it, where there is one, has the rest. */
static void choose_cpus(const struct bench_cpus *cpus, unsigned chosen[2])
{
    unsigned found = 0;
    for (unsigned cpu = CPU_SETSIZE; cpu-- > 0 && found < 2;)
        if (CPU_ISSET(cpu, &cpus->allowed))
            chosen[found++] = cpu;
    if (found == 1)
        chosen[1] = chosen[0];
}

int bench_testpmd_measure(const struct bench_feed *feed, const struct bench_cpus *cpus,
                          unsigned milliseconds, double *mpps, struct bench_error *error)
{
    struct testpmd *testpmd = calloc(1, sizeof(*testpmd));
    const struct timespec pause = {.tv_sec = milliseconds / 1000,
                                   .tv_nsec = milliseconds % 1000 * 1000000L};
    uint64_t before, after, before_ns, after_ns;
    unsigned chosen[2] = {0, 0};

    *mpps = 0;
    choose_cpus(cpus, chosen);
    int result = testpmd ? start(testpmd, feed, cpus, chosen) : -ENOMEM;
    if (result < 0) {
        free(testpmd);
        return bench_fail(error, result, PROGRAM ": %s", strerror(-result));
    }
    if (wait_for(testpmd, "packet forwarding - ports=", START_MS) && read_count(testpmd, &before)) {
        before_ns = worker_ns(testpmd->pid);
        nanosleep(&pause, NULL);
        after_ns = worker_ns(testpmd->pid);
        if (read_count(testpmd, &after) && after_ns > before_ns)
            *mpps = (double)(after - before) * 1e3 / (double)(after_ns - before_ns);
    }
    stop(testpmd);
    free(testpmd);
    return 0;
}
