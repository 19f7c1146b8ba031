/* A disk that loses what was not synced, under a program that writes to a database and to a file of messages: loaded by
 * LD_PRELOAD.
 *
 * Before each write to a watched file it notes in a log what was there and what comes; when a sync has returned, it notes
 * that. After the program was killed, lossy.rs undoes what no sync had covered, as a power cut would have.
 *
 * LOSSY_LOG names the log. Watched are files whose names end with .db, .db-wal or .jsonl.
 *
 * A line of the log is a struct entry, the file's path, the old bytes and the new ones. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { WRITE = 1, TRUNCATE = 2, SYNC = 3, REMOVE = 4 };

struct entry {
    uint64_t kind;
    uint64_t path_bytes;
    uint64_t offset;    /* of a write; the new size of a file that is cut */
    uint64_t old_size;  /* of the file */
    uint64_t old_bytes;
    uint64_t new_bytes;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;

static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_write)(int, const void *, size_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_unlink)(const char *);

__attribute__((constructor)) static void start(void) {
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_write = dlsym(RTLD_NEXT, "write");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    const char *path = getenv("LOSSY_LOG");
    if (path) {
        log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
}

static int ends_with(const char *text, const char *end) {
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

static int is_watched(const char *path) {
    return ends_with(path, ".db") || ends_with(path, ".db-wal") || ends_with(path, ".jsonl");
}

/* The path of an open file, if it is watched. */
static int watched(int fd, char *path, size_t size) {
    char link[64];
    if (log_fd < 0 || fd == log_fd) {
        return 0;
    }
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    if (length <= 0) {
        return 0;
    }
    path[length] = 0;
    return is_watched(path);
}

/* A log that cannot be written would make the test say nothing. */
static void put(const void *bytes, size_t count) {
    const char *rest = bytes;
    while (count > 0) {
        ssize_t done = real_write(log_fd, rest, count);
        if (done <= 0) {
            abort();
        }
        rest += done;
        count -= (size_t)done;
    }
}

static void note(int fd, enum kind kind, const char *path, uint64_t offset, const void *bytes, size_t count) {
    struct stat file;
    if (fstat(fd, &file) != 0) {
        abort();
    }
    struct entry entry = {kind, strlen(path), offset, (uint64_t)file.st_size, 0, count};
    char *old = NULL;
    size_t end = kind == TRUNCATE ? (size_t)file.st_size : (size_t)offset + count;
    if (end > offset && kind != SYNC) {
        old = malloc(end - offset);
        ssize_t there = old ? pread64(fd, old, end - offset, (off_t)offset) : -1;
        if (there < 0) {
            abort();
        }
        entry.old_bytes = (uint64_t)there;
    }
    put(&entry, sizeof entry);
    put(path, strlen(path));
    put(old, entry.old_bytes);
    put(bytes, count);
    free(old);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t offset) {
    char path[4096];
    if (!watched(fd, path, sizeof path)) {
        return real_pwrite(fd, bytes, count, offset);
    }
    pthread_mutex_lock(&lock);
    note(fd, WRITE, path, (uint64_t)offset, bytes, count);
    ssize_t done = real_pwrite(fd, bytes, count, offset);
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) { return pwrite64(fd, bytes, count, offset); }

ssize_t write(int fd, const void *bytes, size_t count) {
    char path[4096];
    if (!real_write) {
        real_write = dlsym(RTLD_NEXT, "write");
    }
    if (!watched(fd, path, sizeof path)) {
        return real_write(fd, bytes, count);
    }
    pthread_mutex_lock(&lock);
    int whence = fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR;
    note(fd, WRITE, path, (uint64_t)lseek64(fd, 0, whence), bytes, count);
    ssize_t done = real_write(fd, bytes, count);
    pthread_mutex_unlock(&lock);
    return done;
}

int ftruncate64(int fd, off_t size) {
    char path[4096];
    if (!watched(fd, path, sizeof path)) {
        return real_ftruncate(fd, size);
    }
    pthread_mutex_lock(&lock);
    note(fd, TRUNCATE, path, (uint64_t)size, NULL, 0);
    int done = real_ftruncate(fd, size);
    pthread_mutex_unlock(&lock);
    return done;
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

static int synced(int fd, int (*sync)(int)) {
    char path[4096];
    if (!watched(fd, path, sizeof path)) {
        return sync(fd);
    }
    pthread_mutex_lock(&lock);
    int done = sync(fd);
    if (done == 0) {
        note(fd, SYNC, path, 0, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return done;
}

int fsync(int fd) { return synced(fd, real_fsync); }

int fdatasync(int fd) { return synced(fd, real_fdatasync); }

/* A file that is removed: its entries have nothing to go back to. Databases in WAL mode do it only in good order. */
int unlink(const char *path) {
    pthread_mutex_lock(&lock);
    if (log_fd >= 0 && is_watched(path)) {
        struct entry entry = {REMOVE, strlen(path), 0, 0, 0, 0};
        put(&entry, sizeof entry);
        put(path, strlen(path));
    }
    int done = real_unlink(path);
    pthread_mutex_unlock(&lock);
    return done;
}
