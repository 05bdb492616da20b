/*
 * Time, statistics, CPUs and memory for measuring.
 */
#include "bench/clock.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define HUGE_PAGE ((size_t)2 << 20)

static uint64_t read_clock(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* On a machine that others use too, what a thread had of the CPU is the only time that a median of
 * a few runs can be taken of. */
uint64_t bench_cpu_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t bench_thread_cpu_ns(pid_t process, const char *thread)
{
    char path[320];
    unsigned long long ns = 0;
    FILE *in;

    snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", (int)process, thread);
    in = fopen(path, "r");
    if (!in)
        return 0;
    if (fscanf(in, "%llu", &ns) != 1)
        ns = 0;
    fclose(in);
    return ns;
}

uint64_t bench_now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t bench_absence_ns(struct bench_absence *absence)
{
    const struct bench_absence before = *absence;
    uint64_t passed_ns, ran_ns;

    *absence = (struct bench_absence){.now_ns = bench_now_ns(), .cpu_ns = bench_cpu_ns()};
    passed_ns = absence->now_ns - before.now_ns;
    ran_ns = absence->cpu_ns - before.cpu_ns;
    return passed_ns > ran_ns ? passed_ns - ran_ns : 0;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

struct bench_summary bench_summarize(double *values, size_t n)
{
    qsort(values, n, sizeof(*values), compare);
    return (struct bench_summary){
        .min = values[0],
        .median = n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2,
        .max = values[n - 1],
    };
}

/* --- CPUs ------------------------------------------------------------------------------------- */

void bench_cpus_read(struct bench_cpus *cpus)
{
    CPU_ZERO(&cpus->allowed);
    sched_getaffinity(0, sizeof(cpus->allowed), &cpus->allowed);
}

/* From the last CPU down: interrupts and other programs tend to be on the first. */
void bench_cpus_pin(const struct bench_cpus *cpus, unsigned index)
{
    unsigned skip = index % (unsigned)CPU_COUNT(&cpus->allowed);
    cpu_set_t one;

    for (int cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--) {
        if (!CPU_ISSET(cpu, &cpus->allowed) || skip-- > 0)
            continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        sched_setaffinity(0, sizeof(one), &one);
        return;
    }
}

void bench_cpus_restore(const struct bench_cpus *cpus)
{
    sched_setaffinity(0, sizeof(cpus->allowed), &cpus->allowed);
}

/* --- Memory ----------------------------------------------------------------------------------- */

/* aligned_alloc() wants a size that is a multiple of the alignment. Where the kernel has no huge
 * page to give, madvise() fails and the memory serves as it is. */
void *bench_memory(size_t bytes)
{
    size_t rounded = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    void *memory = aligned_alloc(HUGE_PAGE, rounded);

    if (memory)
        madvise(memory, rounded, MADV_HUGEPAGE);
    return memory;
}
