/*
 * Time, statistics, CPUs and memory for measuring.
 */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Time that the calling thread has been running on a CPU. A system call. */
uint64_t bench_cpu_ns(void);
/* The same of a thread of any process, by the names of its folders in /proc; 0: there is none. As exact,
 * where /proc/PID/stat counts hundredths of a second. */
uint64_t bench_thread_cpu_ns(pid_t process, const char *thread);
/* Time that passes. A few nanoseconds. */
uint64_t bench_now_ns(void);

/* When the calling thread last asked. */
struct bench_absence {
    uint64_t now_ns, cpu_ns;
};
/* How long it was off the CPU since it last asked; the first answer, of a zeroed one, means nothing. A system
 * call. */
uint64_t bench_absence_ns(struct bench_absence *absence);

struct bench_summary {
    double min, median, max;
};
/* Sorts values. n > 0. */
struct bench_summary bench_summarize(double *values, size_t n);

/* The CPUs that the process may use; read before the first pinning, which threads inherit. */
struct bench_cpus {
    cpu_set_t allowed;
};
void bench_cpus_read(struct bench_cpus *cpus);
/* Pins the calling thread to the CPU `index` places from the last one, wrapping: 0 and 1 are two
 * CPUs wherever there are two. */
void bench_cpus_pin(const struct bench_cpus *cpus, unsigned index);
void bench_cpus_restore(const struct bench_cpus *cpus);

/* Memory on 2 MB pages where the kernel gives them: walking the keys must not cost TLB misses that
 * the engines would be blamed for. NULL when there is none. Release with free(). */
void *bench_memory(size_t bytes);

#endif
