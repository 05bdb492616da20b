/*
 * Preloaded into a program: counts what each of its threads allocates, frees and locks, in a file that another process
 * reads while the program runs (COUNT_CALLS names it; test_undisturbed.py has the same layout).
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <jemalloc/jemalloc.h>

#define ROWS 256

/* One thread's, which alone writes it. */
struct row {
    uint64_t thread; /* its id in the kernel; 0: nobody's */
    uint64_t allocations;
    uint64_t locks;
};

static struct row *rows;
static _Atomic unsigned taken;
static __thread struct row *own __attribute__((tls_model("initial-exec")));

static struct {
    void *(*malloc)(size_t size);
    void *(*calloc)(size_t n, size_t size);
    void *(*realloc)(void *memory, size_t size);
    void (*free)(void *memory);
    void *(*mallocx)(size_t size, int flags);
    void *(*rallocx)(void *memory, size_t size, int flags);
    void (*dallocx)(void *memory, int flags);
    void (*sdallocx)(void *memory, size_t size, int flags);
    int (*lock)(pthread_mutex_t *mutex);
    int (*try_lock)(pthread_mutex_t *mutex);
} real;

/* dlsym() may allocate before calloc is known: from here, and it is never given back. */
static char early[4096] __attribute__((aligned(16)));
static size_t early_used;

static void find(void *function, const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);

    memcpy(function, &found, sizeof(found));
}

__attribute__((constructor)) static void start(void)
{
    const char *path = getenv("COUNT_CALLS");
    int file = path ? open(path, O_RDWR | O_CREAT, 0600) : -1;

    find(&real.calloc, "calloc");
    find(&real.malloc, "malloc");
    find(&real.realloc, "realloc");
    find(&real.free, "free");
    find(&real.mallocx, "mallocx");
    find(&real.rallocx, "rallocx");
    find(&real.dallocx, "dallocx");
    find(&real.sdallocx, "sdallocx");
    find(&real.lock, "pthread_mutex_lock");
    find(&real.try_lock, "pthread_mutex_trylock");
    if (file < 0 || ftruncate(file, ROWS * sizeof(*rows)) < 0)
        abort();
    void *shared = mmap(NULL, ROWS * sizeof(*rows), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (shared == MAP_FAILED)
        abort();
    close(file);
    rows = shared;
}

static struct row *own_row(void)
{
    static struct row nobody;

    if (!rows)
        return &nobody;
    if (!own) {
        unsigned place = atomic_fetch_add(&taken, 1);

        if (place >= ROWS)
            abort();
        own = &rows[place];
        own->thread = (uint64_t)gettid();
    }
    return own;
}

void *malloc(size_t size)
{
    if (!real.malloc)
        start();
    own_row()->allocations++;
    return real.malloc(size);
}

void *calloc(size_t n, size_t size)
{
    if (real.calloc) {
        own_row()->allocations++;
        return real.calloc(n, size);
    }
    size_t bytes = (n * size + 15) / 16 * 16;
    if (early_used + bytes > sizeof(early))
        abort();
    early_used += bytes;
    return early + early_used - bytes;
}

void *realloc(void *memory, size_t size)
{
    own_row()->allocations++;
    return real.realloc(memory, size);
}

void free(void *memory)
{
    if ((char *)memory >= early && (char *)memory < early + sizeof(early))
        return;
    own_row()->allocations++;
    real.free(memory);
}

void *mallocx(size_t size, int flags)
{
    own_row()->allocations++;
    return real.mallocx(size, flags);
}

void *rallocx(void *memory, size_t size, int flags)
{
    own_row()->allocations++;
    return real.rallocx(memory, size, flags);
}

void dallocx(void *memory, int flags)
{
    own_row()->allocations++;
    real.dallocx(memory, flags);
}

void sdallocx(void *memory, size_t size, int flags)
{
    own_row()->allocations++;
    real.sdallocx(memory, size, flags);
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    if (!real.lock)
        start();
    own_row()->locks++;
    return real.lock(mutex);
}

int pthread_mutex_trylock(pthread_mutex_t *mutex)
{
    if (!real.try_lock)
        start();
    own_row()->locks++;
    return real.try_lock(mutex);
}
