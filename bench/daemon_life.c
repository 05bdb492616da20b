/*
 * Daemons come, are measured and go.
 */
#include "bench/daemon.h"

#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/clock.h"
#include "bench/lines.h"
#include "bench/netns.h"

#define LOG "log"
/* How long a part may take to offer the socket that the next one wants. */
#define PART_WAIT_NS 5000000000u

/* --- Directory -------------------------------------------------------------------------------- */

/* Daemons that drop their privileges write there too. */
static int give_directory(const struct bench_daemon *daemon)
{
    const struct passwd *user = daemon->kind->user ? getpwnam(daemon->kind->user) : NULL;
    char name[512];
    struct dirent *entry;
    DIR *directory;

    if (!user)
        return 0;
    directory = opendir(daemon->directory);
    if (!directory)
        return -errno;
    while ((entry = readdir(directory)) != NULL) {
        snprintf(name, sizeof(name), "%s/%s", daemon->directory, entry->d_name);
        if (strcmp(entry->d_name, "..") != 0 && chown(name, user->pw_uid, user->pw_gid) < 0) {
            closedir(directory);
            return -EPERM;
        }
    }
    closedir(directory);
    return 0;
}

static void remove_directory(const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    char name[512];

    while (directory && (entry = readdir(directory)) != NULL) {
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        unlink(name);
    }
    if (directory)
        closedir(directory);
    rmdir(path);
}

/* The last line that the daemon wrote, or "nothing". */
static void last_words(const struct bench_daemon *daemon, char words[200])
{
    char path[128], line[200];
    FILE *in;

    snprintf(words, 200, "nothing");
    snprintf(path, sizeof(path), "%s/" LOG, daemon->directory);
    in = fopen(path, "r");
    while (in && fgets(line, sizeof(line), in)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0])
            memcpy(words, line, sizeof(line));
    }
    if (in)
        fclose(in);
}

/* --- Life ------------------------------------------------------------------------------------- */

static int start_part(struct bench_daemon *daemon, const char *self, unsigned part, int file)
{
    const char *words[16] = {NULL};
    char text[4][128], log[128];
    const char *program = daemon->kind->programs[part] ? daemon->kind->programs[part] : self;

    snprintf(log, sizeof(log), "%s/" LOG, daemon->directory);
    daemon->kind->arguments(program, daemon->directory, part, words, text);
    daemon->parts[part] = bench_netns_spawn(file, words, log);
    return daemon->parts[part] < 0 ? (int)daemon->parts[part] : 0;
}

/* Waits until the first part serves the second. */
static void wait_for_part(const struct bench_daemon *daemon)
{
    uint64_t end = bench_now_ns() + PART_WAIT_NS;
    char path[128];

    snprintf(path, sizeof(path), "%s/zserv", daemon->directory);
    while (access(path, F_OK) != 0 && bench_now_ns() < end)
        usleep(10000);
}

int bench_daemon_start(const struct bench_daemon_kind *kind, const char *self, unsigned routers,
                       int file, struct bench_daemon *daemon, struct bench_error *error)
{
    int result = 0;

    *daemon = (struct bench_daemon){.kind = kind};
    snprintf(daemon->directory, sizeof(daemon->directory), "/tmp/fingerpost-bench-%d-XXXXXX",
             (int)getpid());
    if (!mkdtemp(daemon->directory))
        return bench_fail(error, -errno, "cannot make a directory in /tmp: %s", strerror(errno));
    result = kind->configure(daemon->directory, routers);
    if (result == 0)
        result = give_directory(daemon);
    for (unsigned part = 0; part < BENCH_DAEMON_PARTS && result == 0; part++) {
        if (part > 0 && !kind->programs[part])
            break;
        if (part > 0)
            wait_for_part(daemon);
        result = start_part(daemon, self, part, file);
    }
    if (result == 0)
        return 0;
    bench_daemon_stop(daemon);
    return bench_fail(error, result, "cannot start %s: %s", kind->name, strerror(-result));
}

bool bench_daemon_runs(struct bench_daemon *daemon, struct bench_error *error)
{
    char words[200];

    for (unsigned part = 0; part < BENCH_DAEMON_PARTS; part++) {
        if (daemon->parts[part] <= 0 || waitpid(daemon->parts[part], NULL, WNOHANG) == 0)
            continue;
        daemon->parts[part] = 0;
        last_words(daemon, words);
        bench_fail(error, -ECHILD, "%s has ended; it said last: %s", daemon->kind->name, words);
        return false;
    }
    return true;
}

void bench_daemon_stop(struct bench_daemon *daemon)
{
    for (unsigned part = BENCH_DAEMON_PARTS; part-- > 0;)
        bench_netns_kill(daemon->parts[part]);
    if (daemon->directory[0])
        remove_directory(daemon->directory);
    *daemon = (struct bench_daemon){.kind = daemon->kind};
}

/* --- Measures --------------------------------------------------------------------------------- */

static double process_cpu_s(pid_t process)
{
    char path[64];
    struct dirent *entry;
    uint64_t ns = 0;
    DIR *directory;

    snprintf(path, sizeof(path), "/proc/%d/task", process);
    directory = opendir(path);
    while (directory && (entry = readdir(directory)) != NULL)
        if (entry->d_name[0] != '.')
            ns += bench_thread_cpu_ns(process, entry->d_name);
    if (directory)
        closedir(directory);
    return (double)ns / 1e9;
}

static double process_rss_mb(pid_t process)
{
    char path[64], line[128];
    unsigned long kilobytes = 0;
    FILE *in;

    snprintf(path, sizeof(path), "/proc/%d/status", process);
    in = fopen(path, "r");
    while (in && fgets(line, sizeof(line), in))
        if (sscanf(line, "VmRSS: %lu", &kilobytes) == 1)
            break;
    if (in)
        fclose(in);
    return (double)kilobytes / 1024;
}

/* Sums over every process of the daemon's groups: some fork helpers. */
static double sum(const struct bench_daemon *daemon, double (*measure)(pid_t process))
{
    DIR *directory = opendir("/proc");
    struct dirent *entry;
    double total = 0;

    while (directory && (entry = readdir(directory)) != NULL) {
        pid_t process = (pid_t)strtol(entry->d_name, NULL, 10);
        pid_t group = process > 0 ? getpgid(process) : -1;

        for (unsigned part = 0; part < BENCH_DAEMON_PARTS; part++)
            if (group > 0 && group == daemon->parts[part])
                total += measure(process);
    }
    if (directory)
        closedir(directory);
    return total;
}

double bench_daemon_cpu_s(const struct bench_daemon *daemon)
{
    return sum(daemon, process_cpu_s);
}

double bench_daemon_rss_mb(const struct bench_daemon *daemon)
{
    return sum(daemon, process_rss_mb);
}

/* The first line of the status that the log has behind `from`; 0: not there yet. */
static double find_slice(const char *path, long from)
{
    static const char words[] = "at most ";
    FILE *in = fopen(path, "r");
    char line[256];
    double slice = 0;

    if (!in)
        return 0;
    fseek(in, from, SEEK_SET);
    while (slice == 0 && fgets(line, sizeof(line), in)) {
        const char *at = strstr(line, words);

        if (strncmp(line, "fabric ", 7) == 0 && at)
            slice = strtod(at + sizeof(words) - 1, NULL);
    }
    fclose(in);
    return slice;
}

double bench_daemon_slice_ms(const struct bench_daemon *daemon)
{
    uint64_t end = bench_now_ns() + PART_WAIT_NS;
    char path[128];
    double slice = 0;
    struct stat status;

    snprintf(path, sizeof(path), "%s/" LOG, daemon->directory);
    if (daemon->kind->programs[0] || stat(path, &status) < 0)
        return 0;
    kill(daemon->parts[0], SIGUSR1);
    while (slice == 0 && bench_now_ns() < end) {
        usleep(5000);
        slice = find_slice(path, (long)status.st_size);
    }
    return slice;
}
