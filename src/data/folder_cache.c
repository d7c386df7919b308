/* The cache of folders of pictures: KEY.pictures in the cache folder is a header and then the images.
 *
 * KEY is the SHA-256 of what is asked for (the reading, this version) and of all pictures' names, sizes, inodes and
 * times. Their bytes are not in it: of 60 000 PNG of 28x28, decoded in 0.88 s by two threads and read from here in
 * 0.22 s, to open, read and hash every one would take 0.27 s more. Instead the time of the last change of the inode
 * counts, which no program can set: whatever is written or renamed in place of a picture has another. A folder that was
 * changed a moment ago is not kept, as a further change in the same tick of the file system's clock would not show.
 *
 * Files are written beside and renamed, not synced: check sums over all of their bytes tell what is whole, and what is
 * not is decoded anew. What is small is not kept, as nothing is won; of all that is kept, what was not used for the
 * longest goes when `most` bytes are exceeded, and no set is kept that takes more than half of them. The whole folder
 * may be deleted at any time. */
#include "data/folder_cache.h"

#include "base/cache.h"
#include "base/file.h"
#include "base/large.h"
#include "data/picture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

enum {
    PARTS = 16,              /* that are summed one by one, by all threads */
    FILE_WORK = 1024,        /* to open a file counts as much as to decode so many of its bytes */
    WORTHWHILE = 8 << 20,    /* the work from which on it is kept */
    TICK = 20 * 1000 * 1000, /* nanoseconds in which two changes may get the same time */
    LONG_TICKS = 100         /* of file systems that keep whole or even seconds */
};
static const uint64_t most = (uint64_t)4 << 30;
static const char     suffix[] = ".pictures";

typedef struct head {
    char          magic[8];
    unsigned char key[LN_FOLDER_KEY];
    uint64_t      n, c, h, w;
    uint32_t      sums[PARTS], own_sum; /* CRC-32 of the parts, and of what stands before it */
    uint32_t      unused;
} head;

/* -------------------------------------------------------------------- find */

static bool is_worthwhile(const ln_folder *f) {
    size_t work = 0;
    for (size_t i = 0; i < f->pictures.n; i++) work += f->pictures.file[i].n_bytes + FILE_WORK;
    return work >= WORTHWHILE;
}

static void add_number(struct sha256_ctx *sum, uint64_t number) {
    sha256_update(sum, sizeof number, (const uint8_t *)&number);
}

static void add_text(struct sha256_ctx *sum, const char *text) {
    sha256_update(sum, strlen(text) + 1, (const uint8_t *)text);
}

static void make_key(const ln_folder *f, unsigned char key[LN_FOLDER_KEY]) {
    struct sha256_ctx       sum;
    const ln_reading *const r = f->reading;
    sha256_init(&sum);
    add_text(&sum, ln_version());
    add_number(&sum, r->h);
    add_number(&sum, r->w);
    add_number(&sum, (uint64_t)(r->grayscale + 2 * r->invert));
    for (size_t i = 0; i < f->pictures.n; i++) {
        const ln_folder_file *const e = &f->pictures.file[i];
        add_text(&sum, e->name);
        add_number(&sum, e->n_bytes);
        add_number(&sum, e->inode);
        add_number(&sum, (uint64_t)e->modified);
        add_number(&sum, (uint64_t)e->changed);
    }
    sha256_digest(&sum, LN_FOLDER_KEY, key);
}

void ln_folder_cache_find(const ln_folder *f, ln_folder_cache *cache) {
    char folder[PATH_MAX], name[2 * LN_FOLDER_KEY + 1];
    cache->usable = false;
    if (!is_worthwhile(f) || !ln_cache_folder(folder)) return;
    make_key(f, cache->key);
    for (size_t i = 0; i < LN_FOLDER_KEY; i++) snprintf(name + 2 * i, 3, "%02x", cache->key[i]);
    cache->usable = snprintf(cache->path, PATH_MAX, "%s/%s%s", folder, name, suffix) < PATH_MAX;
}

/* -------------------------------------------------------------------- sums */

typedef struct summing {
    const ln_context *context;
    unsigned char    *pixels;
    size_t            n_bytes;
    int               fd; /* where pixels are read from first; -1: they are there */
    uint32_t          sums[PARTS];
    _Atomic size_t    next;
    atomic_bool       failed;
} summing;

static bool read_at(int fd, unsigned char *to, size_t n, size_t at) {
    while (n) {
        const ssize_t got = pread(fd, to, n, (off_t)at);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        to += got, at += (size_t)got, n -= (size_t)got;
    }
    return true;
}

static void sum_parts(void *argument, int t) {
    summing *const s = argument;
    size_t         low, high;
    (void)t;
    for (size_t p; (p = atomic_fetch_add(&s->next, 1)) < PARTS;) {
        ln_part(s->n_bytes, p, PARTS, &low, &high);
        if (s->fd >= 0 && !read_at(s->fd, s->pixels + low, high - low, sizeof(head) + low))
            atomic_store(&s->failed, true);
        s->sums[p] = (uint32_t)crc32_z(0, s->pixels + low, high - low);
    }
}

/* False where they cannot be read. */
static bool sum_all(summing *s) {
    ln_threads_run(s->context->threads, ln_context_threads(s->context), sum_parts, s);
    return !atomic_load(&s->failed);
}

static uint32_t sum_head(const head *h) {
    return (uint32_t)crc32_z(0, (const unsigned char *)h, offsetof(head, own_sum));
}

static size_t pixel_bytes(const head *h) { return (size_t)(h->n * h->c * h->h * h->w); }

/* -------------------------------------------------------------------- read */

/* Is it the head of such a file, and has the file the length that it announces? */
static bool read_head(const ln_folder *f, const ln_folder_cache *cache, int fd, head *h) {
    struct stat st;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode) || !read_at(fd, (unsigned char *)h, sizeof *h, 0)) return false;
    return memcmp(h->magic, "linnet 1", sizeof h->magic) == 0 && memcmp(h->key, cache->key, sizeof h->key) == 0 &&
           sum_head(h) == h->own_sum && h->n == f->pictures.n && (h->c == 1 || h->c == 3) && h->h && h->w &&
           h->h <= LN_PICTURE_MAX_SIDE && h->w <= LN_PICTURE_MAX_SIDE &&
           (uint64_t)st.st_size == sizeof *h + pixel_bytes(h);
}

static ln_status read_pixels(const ln_folder *f, int fd, const head *h, void **pixels, ln_error *error) {
    const ln_status status = ln_allocate_large(f->context, f->path, pixel_bytes(h), pixels, error);
    if (status != LN_OK) return status;
    summing s = {.context = f->context, .pixels = *pixels, .n_bytes = pixel_bytes(h), .fd = fd};
    if (sum_all(&s) && memcmp(s.sums, h->sums, sizeof s.sums) == 0) {
        futimens(fd, NULL); /* used now */
        return LN_OK;
    }
    ln_release(f->context, *pixels);
    *pixels = NULL;
    return LN_OK;
}

ln_status ln_folder_cache_read(const ln_folder *f, const ln_folder_cache *cache, ln_data_parts *p, void **pixels,
                               ln_error *error) {
    head      h;
    ln_status status = LN_OK;
    const int fd = cache->usable ? open(cache->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) : -1;
    *pixels = NULL;
    if (fd < 0) return LN_OK;
    if (read_head(f, cache, fd, &h)) status = read_pixels(f, fd, &h, pixels, error);
    close(fd);
    if (*pixels) p->c = h.c, p->h = h.h, p->w = h.w;
    return status;
}

/* ------------------------------------------------------------------- write */

/* Long enough that a change after it was listed has another time. */
static bool is_settled(const ln_folder *f) {
    int64_t last = INT64_MIN, tick = TICK;
    for (size_t i = 0; i < f->pictures.n; i++) {
        const int64_t changed = f->pictures.file[i].changed;
        last = changed > last ? changed : last;
    }
    if (last % 1000000000 == 0) tick *= LONG_TICKS;
    return last < f->listed - tick;
}

static bool is_before(struct timespec a, struct timespec b) {
    return a.tv_sec < b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec < b.tv_nsec);
}

/* The bytes of all such files in dir, and the name of the one that was used the longest ago ("": there is none). */
static uint64_t weigh(DIR *dir, char oldest[NAME_MAX + 1]) {
    uint64_t        total = 0;
    struct timespec first = {0};
    oldest[0] = '\0';
    for (const struct dirent *d; (d = readdir(dir));) {
        struct stat  st;
        const size_t n = strlen(d->d_name), n_suffix = sizeof suffix - 1;
        if (n < n_suffix || strcmp(d->d_name + n - n_suffix, suffix) != 0) continue;
        if (fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW)) continue;
        total += (uint64_t)st.st_size;
        if (oldest[0] && !is_before(st.st_mtim, first)) continue;
        first = st.st_mtim;
        snprintf(oldest, NAME_MAX + 1, "%s", d->d_name);
    }
    return total;
}

/* Removes what was used the longest ago until n_bytes more are within the limit. */
static void make_place(const char *path, uint64_t n_bytes) {
    char folder[PATH_MAX], oldest[NAME_MAX + 1];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    DIR *const dir = opendir(folder);
    while (dir && weigh(dir, oldest) + n_bytes > most && oldest[0] && !unlinkat(dirfd(dir), oldest, 0)) rewinddir(dir);
    if (dir) closedir(dir);
}

void ln_folder_cache_write(const ln_folder *f, const ln_folder_cache *cache, const ln_data_parts *p,
                           const void *pixels) {
    head h = {.magic = "linnet 1", .n = p->n, .c = p->c, .h = p->h, .w = p->w};
    if (!cache->usable || !is_settled(f) || pixel_bytes(&h) > most / 2) return;
    summing s = {
        .context = f->context, .pixels = (unsigned char *)(uintptr_t)pixels, .n_bytes = pixel_bytes(&h), .fd = -1};
    sum_all(&s);
    memcpy(h.key, cache->key, sizeof h.key);
    memcpy(h.sums, s.sums, sizeof h.sums);
    h.own_sum = sum_head(&h);
    make_place(cache->path, sizeof h + s.n_bytes);
    ln_file_writer *writer;
    if (ln_file_writer_open(f->context, cache->path, &writer, NULL) != LN_OK) return;
    ln_file_writer_hurry(writer);
    if (ln_file_writer_write(writer, &h, sizeof h, NULL) == LN_OK &&
        ln_file_writer_write(writer, pixels, s.n_bytes, NULL) == LN_OK)
        ln_file_writer_commit(writer, NULL);
    else ln_file_writer_abandon(writer);
}
