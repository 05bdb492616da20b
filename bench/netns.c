/*
 * Two namespaces and a wire, by unshare(2), setns(2) and ip(8).
 */
#include "bench/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/lines.h"

/* The namespace of a thread, not of its process: only this thread has moved. */
#define OWN_NAMESPACE "/proc/thread-self/ns/net"

/* --- Programs --------------------------------------------------------------------------------- */

static void become(int file, const char *const *arguments, const char *log)
{
    int output = open(log ? log : "/dev/null", O_WRONLY | O_CREAT | O_APPEND, 0644);
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (output < 0 || dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0 ||
        setns(file, CLONE_NEWNET) < 0)
        _exit(126);
    /* exec wants its words writable for historic reasons, and does not write them. */
    execvp(arguments[0], (char **)(uintptr_t)arguments);
    _exit(127);
}

pid_t bench_netns_spawn(int file, const char *const *arguments, const char *log)
{
    pid_t child = fork();

    if (child < 0)
        return -errno;
    if (child == 0)
        become(file, arguments, log);
    setpgid(child, child); /* whoever comes first */
    return child;
}

void bench_netns_kill(pid_t leader)
{
    if (leader <= 0)
        return;
    kill(-leader, SIGKILL);
    waitpid(leader, NULL, 0);
}

/* Runs ip with what it reads from a batch: one process for a thousand addresses. */
static int run_ip(int file, const char *batch, struct bench_error *error)
{
    const char *const arguments[] = {"ip", "-batch", batch, NULL};
    pid_t child = bench_netns_spawn(file, arguments, NULL);
    int status;

    if (child < 0)
        return bench_fail(error, (int)child, "cannot start a program: %s", strerror((int)-child));
    if (waitpid(child, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return bench_fail(error, -EIO, "ip (package iproute2) could not set up the namespaces");
    return 0;
}

/* --- Namespaces ------------------------------------------------------------------------------- */

/* A new namespace, which the thread is in afterwards. */
static int make_namespace(int *file)
{
    if (unshare(CLONE_NEWNET) < 0)
        return -errno;
    *file = open(OWN_NAMESPACE, O_RDONLY | O_CLOEXEC);
    return *file < 0 ? -errno : 0;
}

/* What ip has to do on one side. */
static int write_batch(char *path, const struct bench_netns *netns, unsigned peers, bool speaker)
{
    int file = mkstemp(path);
    FILE *out = file < 0 ? NULL : fdopen(file, "w");

    if (!out) {
        int result = -errno;
        if (file >= 0)
            close(file);
        return result;
    }
    fputs("link set lo up\n", out);
    if (speaker) {
        fputs("address add 10.99.0.4/16 dev " BENCH_NETNS_WIRE "\nlink set " BENCH_NETNS_WIRE
              " up\n",
              out);
    } else {
        fprintf(out,
                "link add fp-load type veth peer name " BENCH_NETNS_WIRE " netns /proc/%d/fd/%d\n",
                getpid(), netns->speaker);
        for (unsigned i = 0; i < peers; i++)
            fprintf(out, "address add 10.99.%u.%u/16 dev fp-load\n", BENCH_NETNS_PEER(i) >> 8 & 255,
                    BENCH_NETNS_PEER(i) & 255);
        fputs("link set fp-load up\n", out);
    }
    return fclose(out) == 0 ? 0 : -errno;
}

static int configure(const struct bench_netns *netns, unsigned peers, bool speaker,
                     struct bench_error *error)
{
    char path[48];
    int result;

    snprintf(path, sizeof(path), "/tmp/fingerpost-bench-%d-XXXXXX", (int)getpid());
    result = write_batch(path, netns, peers, speaker);
    if (result < 0)
        bench_fail(error, result, "%s: %s", path, strerror(-result));
    else
        result = run_ip(speaker ? netns->speaker : netns->load, path, error);
    unlink(path);
    return result;
}

int bench_netns_open(struct bench_netns *netns, unsigned peers, struct bench_error *error)
{
    int result;

    *netns = (struct bench_netns){.before = -1, .load = -1, .speaker = -1};
    netns->before = open(OWN_NAMESPACE, O_RDONLY | O_CLOEXEC);
    result = netns->before < 0 ? -errno : make_namespace(&netns->speaker);
    if (result == 0)
        result = make_namespace(&netns->load);
    if (result < 0)
        return bench_fail(error, result,
                          "cannot make network namespaces (%s): run this bench as root",
                          strerror(-result));
    result = configure(netns, peers, false, error);
    return result < 0 ? result : configure(netns, peers, true, error);
}

void bench_netns_close(struct bench_netns *netns)
{
    if (netns->before >= 0)
        setns(netns->before, CLONE_NEWNET);
    for (unsigned i = 0; i < 3; i++) {
        int file = i == 0 ? netns->before : i == 1 ? netns->load : netns->speaker;
        if (file >= 0)
            close(file);
    }
    *netns = (struct bench_netns){.before = -1, .load = -1, .speaker = -1};
}
