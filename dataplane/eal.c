/*
 * EAL: arguments worked out here, log lines kept here, nothing left behind.
 *
 * Arguments. The process is alone (no secondary processes, no telemetry, no shared configuration),
 * so EAL needs no file at all. Memory comes from 2 MB pages when enough of them are free for what
 * the caller is about to make, else from ordinary memory, which EAL maps once and cannot grow:
 * hence the generous floor, of which only what is touched costs anything. EAL gets one lcore, the
 * calling thread; workers are threads of ours that register themselves, so that a second engine or
 * a replay in the same process may run on other cores than the first.
 *
 * Log. EAL and the drivers tell why a device could not be opened only in their log. The stream
 * below keeps the first error line for the message that names the port, and passes the lines on to
 * stderr unless the caller wants quiet.
 *
 * Trap: EAL narrows the calling thread's affinity to its lcore and makes a runtime directory even
 * when nothing will be written to it. Both are put right after the start.
 */
#include "dataplane/eal.h"
#include "dataplane/error.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_log.h>
#include <rte_mbuf.h>

#include "dataplane/stages.h"

#define HUGE_PAGE_BYTES   ((size_t)2 << 20)
#define EAL_OWN_BYTES     ((size_t)32 << 20)  /* EAL's and the drivers' own tables */
#define PLAIN_FLOOR_BYTES ((size_t)512 << 20) /* of memory that cannot grow later */
#define POOL_CACHE        128                 /* buffers that each thread keeps at hand */

#define ARGUMENT_MAX  24
#define ARGUMENT_TEXT 64

struct arguments {
    char text[ARGUMENT_MAX][ARGUMENT_TEXT];
    char *pointers[ARGUMENT_MAX + 1];
    unsigned n;
};

/* EAL is a property of the process, hence so is this. */
static struct {
    bool started, failed;
    bool pci;
    bool quiet;
    unsigned serial;
    FILE *log;
    char first_error[DP_ERROR_TEXT];
} eal;

unsigned dp_eal_serial(void)
{
    return eal.serial++;
}

/* --- Log -------------------------------------------------------------------------------------- */

static void keep_error(const char *line, size_t n)
{
    size_t end = strcspn(line, "\n");

    /* The bus repeats every driver's failure in words that say less. */
    if (eal.first_error[0] || strstr(line, "Failed to attach device"))
        return;
    if (end > n)
        end = n;
    snprintf(eal.first_error, sizeof(eal.first_error), "%.*s", (int)end, line);
}

/* The stream is unbuffered, so a call is a line; the copy ends it with a zero. */
static ssize_t log_write(void *cookie, const char *bytes, size_t n)
{
    char line[DP_ERROR_TEXT];

    (void)cookie;
    snprintf(line, sizeof(line), "%.*s", (int)n, bytes);
    if (rte_log_cur_msg_loglevel() <= (int)RTE_LOG_ERR)
        keep_error(line, sizeof(line));
    if (!eal.quiet)
        fwrite(bytes, 1, n, stderr);
    return (ssize_t)n;
}

static int log_open(void)
{
    static const cookie_io_functions_t functions = {.write = log_write};

    eal.log = fopencookie(NULL, "w", functions);
    if (!eal.log)
        return -ENOMEM;
    setvbuf(eal.log, NULL, _IOLBF, 1024);
    if (rte_openlog_stream(eal.log))
        return -ENOMEM;
    rte_log_set_global_level(RTE_LOG_NOTICE);
    return 0;
}

const char *dp_eal_error(void)
{
    fflush(eal.log);
    return eal.first_error;
}

void dp_eal_forget_error(void)
{
    fflush(eal.log);
    eal.first_error[0] = '\0';
}

/* --- Arguments -------------------------------------------------------------------------------- */

static void __attribute__((format(printf, 2, 3)))
add(struct arguments *arguments, const char *format, ...)
{
    char *text = arguments->text[arguments->n];
    va_list list;

    va_start(list, format);
    vsnprintf(text, ARGUMENT_TEXT, format, list);
    va_end(list);
    arguments->pointers[arguments->n++] = text;
    arguments->pointers[arguments->n] = NULL;
}

/* The kernel reserves huge pages at mmap(), so this asks it rather than believe a count in /sys
 * that a control group may forbid to use. */
static bool huge_pages_free(size_t bytes)
{
    void *memory;

    bytes = (bytes + HUGE_PAGE_BYTES - 1) / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES;
    memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | (21 << MAP_HUGE_SHIFT), -1, 0);
    if (memory == MAP_FAILED)
        return false;
    munmap(memory, bytes);
    return true;
}

static void add_memory(struct arguments *arguments, const struct dp_eal_request *request)
{
    size_t bytes = request->pool_bytes + request->pool_bytes / 2 + EAL_OWN_BYTES;

    if (huge_pages_free(bytes)) {
        add(arguments, "--in-memory");
        if (request->shares_memory)
            add(arguments, "--single-file-segments");
        return;
    }
    if (bytes < PLAIN_FLOOR_BYTES)
        bytes = PLAIN_FLOOR_BYTES;
    add(arguments, "--no-huge");
    add(arguments, "-m");
    add(arguments, "%zu", (bytes + (1 << 20) - 1) >> 20);
}

/* With PCI, the list of allowed devices names only a host bridge, which no driver takes: nothing is
 * probed at the start, and each port is plugged on its own, where a failure can name it. */
static void add_buses(struct arguments *arguments, bool pci)
{
    if (pci) {
        add(arguments, "-a");
        add(arguments, "0000:00:00.0");
        return;
    }
    add(arguments, "--no-pci");
    add(arguments, "--iova-mode=va");
}

static unsigned first_cpu(const cpu_set_t *cpus)
{
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, cpus))
            return cpu;
    }
    return 0;
}

static void build_arguments(struct arguments *arguments, const struct dp_eal_request *request,
                            const cpu_set_t *cpus)
{
    add(arguments, "fingerpost");
    add(arguments, "--lcores");
    add(arguments, "0@%u", first_cpu(cpus));
    add(arguments, "--no-shconf");
    add(arguments, "--no-telemetry");
    add(arguments, "--file-prefix");
    add(arguments, "fingerpost-%d", (int)getpid());
    add_buses(arguments, request->pci_port != NULL);
    add_memory(arguments, request);
}

/* --- Start ------------------------------------------------------------------------------------ */

/* Both directories are empty unless another DPDK program uses the upper one: then rmdir() fails,
 * as it should. */
static void remove_runtime_directory(void)
{
    char path[512];
    char *slash;

    snprintf(path, sizeof(path), "%s", rte_eal_get_runtime_dir());
    slash = strrchr(path, '/');
    if (rmdir(path) || !slash || slash == path)
        return;
    *slash = '\0';
    rmdir(path);
}

static int start_once(const struct dp_eal_request *request, char error[DP_ERROR_TEXT])
{
    struct arguments arguments = {.n = 0};
    cpu_set_t cpus;
    int result;

    if (sched_getaffinity(0, sizeof(cpus), &cpus) || log_open()) {
        return dp_fail(error, -ENOMEM, "DPDK cannot start: out of memory");
    }
    build_arguments(&arguments, request, &cpus);
    result = rte_eal_init((int)arguments.n, arguments.pointers);
    sched_setaffinity(0, sizeof(cpus), &cpus);
    if (result < 0) {
        return dp_fail(error, rte_errno ? -rte_errno : -EIO, "DPDK cannot start: %s",
                       *dp_eal_error() ? dp_eal_error() : rte_strerror(rte_errno));
    }
    remove_runtime_directory();
    return 0;
}

int dp_eal_start(const struct dp_eal_request *request, char error[DP_ERROR_TEXT])
{
    int result;

    eal.quiet = request->quiet;
    if (eal.failed) {
        return dp_fail(error, -EBUSY, "DPDK could not start before; start the program again");
    }
    if (eal.started && request->pci_port && !eal.pci) {
        return dp_fail(error, -EBUSY,
                       "port %s: DPDK runs already, without PCI devices; open PCI ports at its "
                       "first start",
                       request->pci_port);
    }
    if (eal.started)
        return 0;
    result = start_once(request, error);
    eal.failed = result != 0;
    eal.started = result == 0;
    eal.pci = request->pci_port != NULL;
    return result;
}

/* --- Pools ------------------------------------------------------------------------------------ */

size_t dp_pool_bytes(unsigned n, uint32_t frame_bytes)
{
    size_t each = sizeof(struct rte_mbuf) + sizeof(struct dp_note) + RTE_PKTMBUF_HEADROOM +
                  frame_bytes + 3 * RTE_CACHE_LINE_SIZE;

    return (size_t)n * each;
}

struct rte_mempool *dp_pool_create(unsigned n, uint32_t frame_bytes)
{
    char name[RTE_MEMPOOL_NAMESIZE];

    snprintf(name, sizeof(name), "fingerpost_%u", dp_eal_serial());
    return rte_pktmbuf_pool_create(name, n, POOL_CACHE,
                                   RTE_ALIGN(sizeof(struct dp_note), RTE_MBUF_PRIV_ALIGN),
                                   (uint16_t)(frame_bytes + RTE_PKTMBUF_HEADROOM), SOCKET_ID_ANY);
}
