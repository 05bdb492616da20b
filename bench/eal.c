/*
 * Starts EAL for the peers.
 *
 * The tables of DPDK are as large as 2 GB for a full IPv6 table, so memory on huge pages is taken
 * only when the kernel has enough of them; else it is ordinary memory, of which only what is
 * touched costs anything. DPDK's tables are slower on ordinary pages: the log says which they
 * were on.
 *
 * Trap: EAL refuses AVX-512 in its libraries unless told that 512 bits are fine. And it narrows the
 * calling thread to one CPU, which is put right here.
 */
#include "bench/eal.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_malloc.h>

#include "bench/lines.h"
#include "bench/words.h"

#define HUGE_PAGE     ((size_t)2 << 20)
#define HUGE_2MB      (21 << MAP_HUGE_SHIFT)
#define ARGUMENTS_MAX 16

/* EAL is a property of the process, hence so is this. */
static struct {
    bool started, huge;
} eal;

/* The kernel reserves huge pages at mmap(), so asking is trying. */
static bool huge_pages_free(size_t bytes)
{
    bytes = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | HUGE_2MB, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    munmap(memory, bytes);
    return true;
}

/* --in-memory keeps huge pages without files; --no-huge takes all memory at the start, by mapping
 * it, and cannot grow. The file prefix keeps apart two benches on one machine. */
static int start(size_t bytes)
{
    char megabytes[32], prefix[64], lcores[32];
    const char *arguments[ARGUMENTS_MAX];
    const char *common[] = {"fingerpost",
                            "--no-pci",
                            "--no-shconf",
                            "--no-telemetry",
                            "--iova-mode=va",
                            "--lcores",
                            lcores,
                            "--log-level=error",
                            "--file-prefix",
                            prefix,
                            "--force-max-simd-bitwidth=512"};
    int n = (int)(sizeof(common) / sizeof(common[0]));

    memcpy(arguments, common, sizeof(common));
    snprintf(lcores, sizeof(lcores), "0@%d", sched_getcpu());
    snprintf(prefix, sizeof(prefix), "fingerpost-bench-%d", (int)getpid());
    snprintf(megabytes, sizeof(megabytes), "%zu", (bytes >> 20) + 1);
    if (eal.huge) {
        arguments[n++] = "--in-memory";
    } else {
        arguments[n++] = "--no-huge";
        arguments[n++] = "-m";
        arguments[n++] = megabytes;
    }
    arguments[n] = NULL;
    return rte_eal_init(n, bench_no_const(arguments));
}

int bench_eal_start(size_t bytes, struct bench_error *error)
{
    cpu_set_t cpus;

    if (eal.started)
        return 0;
    CPU_ZERO(&cpus);
    sched_getaffinity(0, sizeof(cpus), &cpus);
    eal.huge = huge_pages_free(bytes);
    int result = start(bytes);
    sched_setaffinity(0, sizeof(cpus), &cpus);
    rmdir(rte_eal_get_runtime_dir()); /* made although nothing is kept in it */
    if (result < 0)
        return bench_fail(error, -rte_errno, "DPDK cannot start: %s", rte_strerror(rte_errno));
    eal.started = true;
    return 0;
}

bool bench_eal_huge(void)
{
    return eal.huge;
}

size_t bench_eal_used(void)
{
    struct rte_malloc_socket_stats stats;
    size_t used = 0;

    for (int socket = 0; socket < RTE_MAX_NUMA_NODES; socket++)
        if (rte_malloc_get_socket_stats(socket, &stats) == 0)
            used += stats.heap_allocsz_bytes;
    return used;
}
