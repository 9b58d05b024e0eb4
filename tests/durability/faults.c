/* A disk that forgets what was never synced, refuses, or lies, and a clock that jumps: for one process, by LD_PRELOAD.
 *
 * FAULTS_ROOT     the folder whose files are watched
 * FAULTS_KEPT     a folder that holds what would be left of them if the power failed now: a file `f-KEY` for the content
 *                 of each file as of its last fsync, a file `d-PATH` for the names in each folder as of its last fsync
 *                 (a line `KEY NAME` each; slashes in PATH are written as %), and a file `x-KEY` for the pages that a
 *                 failed fsync has given up
 * FAULTS_CONTROL  a file with one `struct control`, which the test changes while the process runs
 *
 * A file is known by its inode and its time of birth, whatever it is called. What a killed process wrote and did not
 * sync is not kept, but the first sync of the next process keeps all of the file, as a kernel does. A sync that fails
 * gives up: the kernel takes the pages for written, everybody reads them, and no later sync writes them, nor one of
 * another process, unless somebody has written them anew.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct control {
    int32_t sync_error;  /* errno of every fsync, 0 for none */
    int32_t damages;     /* a sync that fails leaves garbage in the pages that it gives up */
    int32_t lies;        /* every fsync says that it worked, and keeps nothing */
    int32_t unused;
    int64_t room;        /* bytes that may still be written; -1 for no limit; then ENOSPC */
    int64_t clock_shift; /* nanoseconds that the clock on the wall is off */
    int64_t syncs;       /* told to the test: fsyncs that kept something */
    int64_t mapped;      /* told to the test: writable shared mappings of watched files other than *-shm */
};

#define PAGE 4096
#define RANGES 2048
#define FILES 512

struct file {
    char key[64];
    int watched, whole, count;
    int64_t cut; /* the shortest that the file was since its last sync; -1: it was not cut */
    struct { int64_t from, to; } range[RANGES];
    int64_t *lost, pages; /* the pages that were given up */
};

static const char *root, *kept;
static struct control *control;
static struct file *files[FILES];
static int known;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __thread int inside;

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static int key_of(int fd, const char *path, char *key, mode_t *mode) {
    struct statx s;
    if (statx(fd, path, path[0] ? AT_SYMLINK_NOFOLLOW : AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &s)) return 0;
    *mode = s.stx_mode;
    sprintf(key, "%llx-%llx-%x", (unsigned long long)s.stx_ino, (unsigned long long)s.stx_btime.tv_sec,
            s.stx_btime.tv_nsec);
    return 1;
}

/* The path of an open file relative to the root ("" for the root); NULL if it is not in there. */
static const char *watched_path(int fd, char *path) {
    char link[64];
    sprintf(link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, 4000);
    size_t r = strlen(root);
    if (n < 0) return NULL;
    path[n] = 0;
    if (strncmp(path, root, r) || (path[r] && path[r] != '/')) return NULL;
    return path[r] ? path + r + 1 : path + r;
}

static void kept_path(char *path, char kind, const char *name) {
    int n = sprintf(path, "%s/%c-%s", kept, kind, name);
    for (char *c = path + n - strlen(name); *c; c++)
        if (*c == '/') *c = '%';
}

static void read_lost(struct file *f) {
    char path[4200];
    struct stat s;
    kept_path(path, 'x', f->key);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    f->lost = fstat(fd, &s) ? NULL : malloc(s.st_size);
    f->pages = read(fd, f->lost, s.st_size) / sizeof *f->lost;
    close(fd);
}

static void write_lost(struct file *f) {
    REAL(pwrite64);
    char path[4200];
    kept_path(path, 'x', f->key);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    real(fd, f->lost, f->pages * sizeof *f->lost, 0);
    close(fd);
}

static int is_lost(struct file *f, int64_t page) {
    for (int64_t i = 0; i < f->pages; i++)
        if (f->lost[i] == page) return 1;
    return 0;
}

static struct file *file_of(int fd) {
    char key[64], path[4096];
    mode_t mode;
    if (!control || !key_of(fd, "", key, &mode) || !S_ISREG(mode)) return NULL;
    for (int i = 0; i < known; i++)
        if (!strcmp(files[i]->key, key)) return files[i]->watched ? files[i] : NULL;
    if (known == FILES) abort();
    struct file *f = files[known] = calloc(1, sizeof *f);
    strcpy(f->key, key);
    f->whole = 1, f->cut = -1;
    const char *name = watched_path(fd, path);
    f->watched = name != NULL && !strstr(name, "-shm");
    if (f->watched) read_lost(f);
    known++;
    return f->watched ? f : NULL;
}

static void copy(int from, int to, int64_t at, int64_t end) {
    REAL(pwrite64);
    static __thread char buffer[1 << 16];
    while (at < end) {
        size_t want = end - at < (int64_t)sizeof buffer ? (size_t)(end - at) : sizeof buffer;
        ssize_t n = pread(from, buffer, want, at);
        if (n <= 0) return;
        real(to, buffer, n, at);
        at += n;
    }
}

/* Open a file anew, and what is kept of it; return its size. */
static int64_t open_both(int fd, struct file *f, int *from, int *to) {
    char link[64], path[4200];
    struct stat s;
    sprintf(link, "/proc/self/fd/%d", fd);
    kept_path(path, 'f', f->key);
    *from = open(link, O_RDONLY | O_CLOEXEC), *to = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*from < 0 || *to < 0 || fstat(*from, &s)) abort();
    return s.st_size;
}

static void keep_file(int fd, struct file *f) {
    REAL(ftruncate64);
    int from, to;
    int64_t size = open_both(fd, f, &from, &to);
    if (f->whole) {
        for (int64_t page = 0; page * PAGE < size; page++)
            if (!is_lost(f, page)) copy(from, to, page * PAGE, page * PAGE + PAGE < size ? page * PAGE + PAGE : size);
    } else {
        struct stat k;
        if (f->cut >= 0 && !fstat(to, &k) && k.st_size > f->cut) real(to, f->cut);
        for (int i = 0; i < f->count; i++) copy(from, to, f->range[i].from, f->range[i].to);
    }
    real(to, size);
    close(from), close(to);
}

/* Take the pages that are not on disk for written, as Linux does after an error. */
static void give_up(int fd, struct file *f) {
    REAL(pwrite64);
    static char newest[PAGE], synced[PAGE];
    int from, to;
    int64_t size = open_both(fd, f, &from, &to);
    f->lost = realloc(f->lost, (f->pages + size / PAGE + 1) * sizeof *f->lost);
    for (int64_t page = 0; page * PAGE < size; page++) {
        ssize_t n = pread(from, newest, PAGE, page * PAGE), k = pread(to, synced, PAGE, page * PAGE);
        if ((n != k || memcmp(newest, synced, n)) && !is_lost(f, page)) {
            f->lost[f->pages++] = page;
            memset(synced, 0xa5, PAGE);
            if (control->damages) real(to, synced, k, page * PAGE);
        }
    }
    close(from), close(to);
    write_lost(f);
}

static void keep_folder(const char *path, const char *relative) {
    char into[4200], fresh[4208], key[64];
    mode_t mode;
    kept_path(into, 'd', relative);
    sprintf(fresh, "%s.new", into);
    FILE *out = fopen(fresh, "w");
    DIR *folder = opendir(path);
    if (!out || !folder) abort();
    for (struct dirent *e; (e = readdir(folder));)
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..") && key_of(dirfd(folder), e->d_name, key, &mode))
            fprintf(out, "%s %s\n", S_ISDIR(mode) ? "/" : key, e->d_name);
    closedir(folder);
    fclose(out);
    rename(fresh, into);
}

/* Take everything that is there at the start for synced, unless an earlier process has said what is. */
static void adopt(const char *path, const char *relative) {
    char below[4096], name[4096], known_names[4200];
    mode_t mode;
    char key[64];
    kept_path(known_names, 'd', relative);
    if (!relative[0] && !access(known_names, F_OK)) return;
    DIR *folder = opendir(path);
    if (!folder) abort();
    for (struct dirent *e; (e = readdir(folder));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        sprintf(below, "%s/%s", path, e->d_name);
        sprintf(name, "%s%s%s", relative, relative[0] ? "/" : "", e->d_name);
        if (!key_of(dirfd(folder), e->d_name, key, &mode)) continue;
        if (S_ISDIR(mode)) adopt(below, name);
        int fd = S_ISREG(mode) ? open(below, O_RDONLY | O_CLOEXEC) : -1;
        if (fd >= 0) {
            static struct file f = {.whole = 1, .cut = -1};
            strcpy(f.key, key);
            keep_file(fd, &f);
            close(fd);
        }
    }
    closedir(folder);
    keep_folder(path, relative);
}

__attribute__((constructor)) static void begin(void) {
    root = getenv("FAULTS_ROOT"), kept = getenv("FAULTS_KEPT");
    const char *name = getenv("FAULTS_CONTROL");
    int fd = root && kept && name ? open(name, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return;
    inside = 1;
    void *page = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (page == MAP_FAILED) abort();
    adopt(root, "");
    control = page;
    inside = 0;
}

static void wrote(struct file *f, int64_t from, int64_t n) {
    if (f->pages) {
        int64_t left = 0;
        for (int64_t i = 0; i < f->pages; i++)
            if (f->lost[i] < from / PAGE || f->lost[i] > (from + n - 1) / PAGE) f->lost[left++] = f->lost[i];
            else if (f->count < RANGES) {
                f->range[f->count].from = f->lost[i] * PAGE; /* a page goes to the disk as a whole */
                f->range[f->count++].to = f->lost[i] * PAGE + PAGE;
            } else f->whole = 1;
        f->pages = left;
        write_lost(f);
    }
    if (f->count == RANGES) f->whole = 1;
    if (f->whole) return;
    if (f->count && f->range[f->count - 1].to == from) { f->range[f->count - 1].to += n; return; }
    f->range[f->count].from = from;
    f->range[f->count++].to = from + n;
}

/* How many of n bytes there is room for; sets errno where for none. */
static size_t room_for(size_t n) {
    if (control->room < 0) return n;
    size_t may = (int64_t)n < control->room ? n : (size_t)control->room;
    control->room -= may;
    if (n && !may) errno = ENOSPC;
    return may;
}

#define WRITING(call, offset) \
    if (inside) return call(n); \
    pthread_mutex_lock(&lock); \
    inside = 1; \
    struct file *f = file_of(fd); \
    size_t may = f ? room_for(n) : n; \
    inside = 0; \
    if (!f) pthread_mutex_unlock(&lock); \
    if (n && !may) { pthread_mutex_unlock(&lock); return -1; } \
    int64_t from = f ? offset : 0; \
    ssize_t done = call(may); \
    if (f) { \
        int error = errno; \
        if (done > 0) wrote(f, from, done); \
        pthread_mutex_unlock(&lock); \
        errno = error; \
    } \
    return done

ssize_t write(int fd, const void *data, size_t n) {
    REAL(write);
#define CALL(m) real(fd, data, m)
    WRITING(CALL, lseek(fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR));
#undef CALL
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t at) {
    REAL(pwrite);
#define CALL(m) real(fd, data, m, at)
    WRITING(CALL, at);
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) {
    REAL(pwrite64);
    WRITING(CALL, at);
#undef CALL
}

/* Ways of writing whose ranges are not looked at: the whole file counts as written. */
static void wrote_somewhere(int fd) {
    if (inside) return;
    pthread_mutex_lock(&lock);
    inside = 1;
    struct file *f = file_of(fd);
    if (f) f->whole = 1;
    inside = 0;
    pthread_mutex_unlock(&lock);
}

ssize_t writev(int fd, const struct iovec *parts, int n) { REAL(writev); wrote_somewhere(fd); return real(fd, parts, n); }

ssize_t sendfile64(int out, int in, off64_t *at, size_t n) {
    REAL(sendfile64);
    wrote_somewhere(out);
    return real(out, in, at, n);
}

ssize_t sendfile(int out, int in, off_t *at, size_t n) {
    REAL(sendfile);
    wrote_somewhere(out);
    return real(out, in, at, n);
}

ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t n, unsigned flags) {
    REAL(copy_file_range);
    wrote_somewhere(out);
    return real(in, from, out, to, n, flags);
}

static void was_cut(int fd, int64_t size) {
    if (inside) return;
    pthread_mutex_lock(&lock);
    inside = 1;
    struct file *f = file_of(fd);
    if (f && (f->cut < 0 || size < f->cut)) f->cut = size;
    inside = 0;
    pthread_mutex_unlock(&lock);
}

int ftruncate(int fd, off_t size) { REAL(ftruncate); was_cut(fd, size); return real(fd, size); }
int ftruncate64(int fd, off64_t size) { REAL(ftruncate64); was_cut(fd, size); return real(fd, size); }

static int synced(int fd, int (*real)(int)) {
    char path[4096], key[64];
    mode_t mode;
    if (!control || inside) return real(fd);
    if (control->lies) return 0;
    int told = 0;
    pthread_mutex_lock(&lock);
    inside = 1;
    struct file *f = file_of(fd);
    const char *relative;
    if (f) {
        if (control->sync_error) told = control->sync_error, give_up(fd, f);
        else keep_file(fd, f), control->syncs++;
        f->whole = f->count = 0, f->cut = -1;
    } else if (key_of(fd, "", key, &mode) && S_ISDIR(mode) && (relative = watched_path(fd, path))) {
        if (control->sync_error) told = control->sync_error;
        else keep_folder(path, relative), control->syncs++;
    }
    inside = 0;
    pthread_mutex_unlock(&lock);
    errno = told;
    return told ? -1 : 0;
}

int fsync(int fd) { REAL(fsync); return synced(fd, real); }
int fdatasync(int fd) { REAL(fdatasync); return synced(fd, real); }

static void was_mapped(int protection, int flags, int fd) {
    if (!control || inside || fd < 0 || !(protection & PROT_WRITE) || !(flags & MAP_SHARED)) return;
    pthread_mutex_lock(&lock);
    inside = 1;
    if (file_of(fd)) control->mapped++;
    inside = 0;
    pthread_mutex_unlock(&lock);
}

void *mmap(void *at, size_t n, int protection, int flags, int fd, off_t from) {
    REAL(mmap);
    was_mapped(protection, flags, fd);
    return real(at, n, protection, flags, fd, from);
}

void *mmap64(void *at, size_t n, int protection, int flags, int fd, off64_t from) {
    REAL(mmap64);
    was_mapped(protection, flags, fd);
    return real(at, n, protection, flags, fd, from);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    REAL(clock_gettime);
    int told = real(clock, now);
    if (control && control->clock_shift && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t ns = now->tv_sec * INT64_C(1000000000) + now->tv_nsec + control->clock_shift;
        now->tv_sec = ns / 1000000000, now->tv_nsec = ns % 1000000000;
    }
    return told;
}

time_t time(time_t *into) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (into) *into = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict into, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    into->tv_sec = now.tv_sec, into->tv_usec = now.tv_nsec / 1000;
    return 0;
}
