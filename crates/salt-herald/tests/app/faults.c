/* Stands between a process and its disk, for tests: writes down what is written and synced, lets it
 * fail, or makes it slow.  Loaded with LD_PRELOAD; FAULT_FOLDER says whose files are meant.
 *
 * FAULT_LOG=FILE   each write, sync and cut is appended there (see `Op` in faults.rs)
 * FAULT_ONE_IN=N   one in N fails: no room, half of a write, an error of the disk
 * FAULT_SEED=N     which ones
 * FAULT_SLOW=FILE  while this file is there, a sync takes half a minute; it ends as soon as the file is gone
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -2;
static uint64_t state;

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_fsync)(int), (*real_fdatasync)(int), (*real_ftruncate)(int, off_t);

static void set_up(void) {
    if (log_fd != -2) return;
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate");
    const char *log = getenv("FAULT_LOG"), *seed = getenv("FAULT_SEED");
    state = seed ? strtoull(seed, 0, 10) : 1;
    log_fd = log ? open(log, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
}

/* Which file it is: d(atabase), w(al), t(old), or 0 for all others. */
static char kind(int fd) {
    char link[64], path[4096];
    const char *folder = getenv("FAULT_FOLDER");
    if (!folder || fd == log_fd) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    if (strncmp(path, folder, strlen(folder))) return 0;
    const char *name = strrchr(path, '/') + 1;
    if (!strcmp(name, "journal.db")) return 'd';
    if (!strcmp(name, "journal.db-wal")) return 'w';
    if (!strcmp(name, "told")) return 't';
    return 0;
}

static void note(char what, char file, off_t at, const void *data, size_t length) {
    if (log_fd < 0) return;
    unsigned char head[18] = {what, file};
    uint64_t place = at, size = length;
    memcpy(head + 2, &place, 8);
    memcpy(head + 10, &size, 8);
    real_write(log_fd, head, sizeof head);
    if (data && length) real_write(log_fd, data, length);
}

static uint64_t chance(void) {
    state += 0x9e3779b97f4a7c15u;
    uint64_t mixed = state;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
    return mixed ^ mixed >> 31;
}

static int fails(char file) {
    const char *one_in = getenv("FAULT_ONE_IN");
    return one_in && file != 't' && chance() % strtoull(one_in, 0, 10) == 0;
}

static ssize_t put(int fd, const void *data, size_t length, off_t at, int here) {
    set_up();
    char file = kind(fd);
    if (!file) return here ? real_write(fd, data, length) : real_pwrite(fd, data, length, at);
    pthread_mutex_lock(&lock);
    if (here) at = lseek(fd, 0, SEEK_CUR);
    ssize_t done = -1;
    int bad = fails(file) ? 1 + chance() % 3 : 0;
    if (bad == 1) errno = ENOSPC;
    else if (bad == 2) errno = EIO;
    else {
        size_t part = bad == 3 ? length / 2 : length;
        done = here ? real_write(fd, data, part) : real_pwrite(fd, data, part, at);
        if (done > 0) note('W', file, at, data, done);
    }
    int error = errno;
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

static int sync_with(int (*sync)(int), int fd) {
    const char *slow = getenv("FAULT_SLOW");
    char file = kind(fd);
    for (int tenths = 0; file && slow && tenths < 300 && !access(slow, F_OK); tenths++) usleep(100000);
    if (file && fails(file)) {
        errno = EIO;
        return -1;
    }
    int done = sync(fd);
    if (file && !done) {
        pthread_mutex_lock(&lock);
        note('S', file, 0, 0, 0);
        pthread_mutex_unlock(&lock);
    }
    return done;
}

ssize_t write(int fd, const void *data, size_t length) { return put(fd, data, length, 0, 1); }
ssize_t pwrite(int fd, const void *data, size_t length, off_t at) { return put(fd, data, length, at, 0); }
ssize_t pwrite64(int fd, const void *data, size_t length, off_t at) { return put(fd, data, length, at, 0); }
int fsync(int fd) { set_up(); return sync_with(real_fsync, fd); }
int fdatasync(int fd) { set_up(); return sync_with(real_fdatasync, fd); }

int ftruncate(int fd, off_t length) {
    set_up();
    char file = kind(fd);
    if (file && fails(file)) {
        errno = EIO;
        return -1;
    }
    int done = real_ftruncate(fd, length);
    if (file && !done) {
        pthread_mutex_lock(&lock);
        note('T', file, length, 0, 0);
        pthread_mutex_unlock(&lock);
    }
    return done;
}
int ftruncate64(int fd, off_t length) { return ftruncate(fd, length); }
