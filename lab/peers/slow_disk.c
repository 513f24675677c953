/* Makes a program's disk slow: each sync to it takes DELAY more seconds. For LD_PRELOAD, in tests only.
 * It changes nothing of what is written. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>

static int late(const char *name, int file) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    sleep(DELAY);
    return real(file);
}

int fsync(int file) { return late("fsync", file); }
int fdatasync(int file) { return late("fdatasync", file); }
