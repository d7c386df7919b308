/* Reading with one small buffer: file or memory → (SHA-256) → (inflate) → the reader's own memory. */
#include "data/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <nettle/sha2.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { LN_STREAM_BUFFER = 1 << 16, LN_GZIP_WINDOW = 16 + MAX_WBITS, LN_DEFLATE_RATIO = 1032 };

struct ln_stream {
    ln_context          *context;
    char                *name;
    int                  fd;   /* -1: memory */
    uint64_t             left; /* stored bytes that are not in next/n yet */
    const unsigned char *next; /* stored bytes at hand */
    size_t               n;
    bool                 gzip, member_done, hashed;
    z_stream             zip;
    struct sha256_ctx    sum;
    unsigned char        buffer[LN_STREAM_BUFFER];
};

static void *zip_allocate(void *context, unsigned n, unsigned size) {
    size_t n_bytes;
    return ln_multiply(n, size, &n_bytes) ? ln_allocate(context, n_bytes) : NULL;
}

static void zip_release(void *context, void *memory) { ln_release(context, memory); }

/* Brings stored bytes to hand; leaves n at 0 when there are none. */
static ln_status refill(ln_stream *s, ln_error *error) {
    while (s->n == 0 && s->left) {
        if (s->fd >= 0) {
            const ssize_t n = read(s->fd, s->buffer, sizeof s->buffer);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return ln_fail_io(error, "read", s->name);
            if (n == 0) s->left = 0; /* someone cut it while we read */
            s->next = s->buffer;
            s->n = (size_t)n < s->left ? (size_t)n : (size_t)s->left;
        } else {
            s->n = s->left < LN_STREAM_BUFFER ? (size_t)s->left : LN_STREAM_BUFFER;
        }
        s->left -= s->n;
        if (s->hashed) sha256_update(&s->sum, s->n, s->next);
    }
    return LN_OK;
}

static ln_status start(ln_stream *s, const char *name, ln_error *error) {
    s->name = ln_copy_text(s->context, name);
    if (!s->name) return ln_fail_memory(error, name, strlen(name) + 1);
    s->zip = (z_stream){.zalloc = zip_allocate, .zfree = zip_release, .opaque = s->context};
    return LN_OK;
}

/* Looks at the first two bytes without taking them: a file is gzip by its contents, not by its name. */
static ln_status detect(ln_stream *s, ln_error *error) {
    unsigned char magic[2] = {0};
    if (s->fd < 0 && s->left >= 2) memcpy(magic, s->next, 2);
    if (s->fd >= 0 && pread(s->fd, magic, 2, 0) < 0) return ln_fail_io(error, "read", s->name);
    s->gzip = magic[0] == 0x1f && magic[1] == 0x8b;
    if (s->gzip && inflateInit2(&s->zip, LN_GZIP_WINDOW) != Z_OK) {
        s->gzip = false;
        return ln_fail_memory(error, s->name, 1 << 16);
    }
    return LN_OK;
}

static ln_status open_file(ln_stream *s, const char *path, ln_error *error) {
    struct stat st;
    if (stat(path, &st)) return ln_fail_io(error, "open", path);
    if (!S_ISREG(st.st_mode)) return ln_fail(error, LN_E_IO, "%s: not a file: give the path of one", path);
    s->fd = open(path, O_RDONLY | O_CLOEXEC); /* not before: that of a pipe waits for a writer */
    if (s->fd < 0) return ln_fail_io(error, "open", path);
    if (fstat(s->fd, &st)) return ln_fail_io(error, "read", path);
    s->left = (uint64_t)st.st_size;
    return detect(s, error);
}

static ln_status open_either(ln_context *context, const char *name, const void *bytes, size_t n_bytes,
                             ln_stream **stream, ln_error *error) {
    ln_stream *s = ln_allocate_zeroed(context, sizeof *s);
    if (!s) return ln_fail_memory(error, name, sizeof *s);
    s->context = context;
    s->fd = -1;
    ln_status status = start(s, name, error);
    if (status == LN_OK && bytes) {
        s->next = bytes;
        s->left = n_bytes;
        status = detect(s, error);
    } else if (status == LN_OK) {
        status = open_file(s, name, error);
    }
    if (status != LN_OK) {
        ln_stream_close(s);
        return status;
    }
    *stream = s;
    return LN_OK;
}

ln_status ln_stream_open(ln_context *context, const char *path, ln_stream **stream, ln_error *error) {
    return open_either(context, path, NULL, 0, stream, error);
}

ln_status ln_stream_open_memory(ln_context *context, const char *name, const void *bytes, size_t n_bytes,
                                ln_stream **stream, ln_error *error) {
    return open_either(context, name, bytes ? bytes : "", bytes ? n_bytes : 0, stream, error);
}

void ln_stream_close(ln_stream *s) {
    if (!s) return;
    if (s->gzip) inflateEnd(&s->zip);
    if (s->fd >= 0) close(s->fd);
    ln_release(s->context, s->name);
    ln_release(s->context, s);
}

void ln_stream_hash(ln_stream *s) {
    sha256_init(&s->sum);
    s->hashed = true;
}

void ln_stream_sum(ln_stream *s, unsigned char sum[LN_SHA256]) { sha256_digest(&s->sum, LN_SHA256, sum); }

bool ln_stream_is_gzip(const ln_stream *s) { return s->gzip; }

uint64_t ln_stream_bound(const ln_stream *s) {
    uint64_t bound = s->n + s->left;
    if (!s->gzip) return bound;
    bound += sizeof(uint64_t); /* a few bits and half a match may be waiting inside zlib */
    return __builtin_mul_overflow(bound, (uint64_t)LN_DEFLATE_RATIO, &bound) ? UINT64_MAX : bound;
}

static ln_status fail_gzip(const ln_stream *s, int code, ln_error *error) {
    if (code == Z_MEM_ERROR) return ln_fail_memory(error, s->name, 1 << 16);
    return ln_fail(error, LN_E_FORMAT, "%s: damaged gzip data (%s): get or make the file anew", s->name,
                   code == Z_NEED_DICT ? "a preset dictionary is asked for"
                   : s->zip.msg        ? s->zip.msg
                                       : "no progress");
}

/* One step of inflate into n bytes; *got of them were made. At the end of a member the next one, if any, begins:
 * gzip files may be concatenated. */
static ln_status inflate_some(ln_stream *s, unsigned char *bytes, size_t n, size_t *got, ln_error *error) {
    if (s->member_done && s->n) {
        if (inflateReset(&s->zip) != Z_OK) return fail_gzip(s, Z_STREAM_ERROR, error);
        s->member_done = false;
    }
    const unsigned room = n < UINT_MAX ? (unsigned)n : UINT_MAX;
    const size_t   at_hand = s->n;                        /* at most LN_STREAM_BUFFER */
    s->zip.next_in = (unsigned char *)(uintptr_t)s->next; /* zlib only reads it */
    s->zip.avail_in = (unsigned)at_hand;
    s->zip.next_out = bytes;
    s->zip.avail_out = room;
    const int code = inflate(&s->zip, Z_NO_FLUSH);
    s->next += at_hand - s->zip.avail_in;
    s->n = s->zip.avail_in;
    *got = room - s->zip.avail_out;
    s->member_done = code == Z_STREAM_END;
    return code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR ? LN_OK : fail_gzip(s, code, error);
}

ln_status ln_stream_read_some(ln_stream *s, void *bytes, size_t n, size_t *got, ln_error *error) {
    *got = 0;
    do {
        const ln_status status = refill(s, error);
        if (status != LN_OK) return status;
        if (!s->gzip) {
            *got = ln_least(n, s->n);
            if (*got == 0) return LN_OK; /* an empty file has no buffer yet */
            memcpy(bytes, s->next, *got);
            s->next += *got;
            s->n -= *got;
            return LN_OK;
        }
        if (s->n == 0 && s->member_done) return LN_OK;
        const size_t    before = s->n;
        const ln_status inflated = inflate_some(s, bytes, n, got, error);
        if (inflated != LN_OK) return inflated;
        if (!*got && !s->member_done && !before) return LN_OK; /* nothing in, nothing out: cut short */
    } while (!*got);
    return LN_OK;
}

ln_status ln_stream_read(ln_stream *s, void *bytes, size_t n, const char *what, ln_error *error) {
    size_t done = 0;
    while (done < n) {
        size_t          got;
        const ln_status status = ln_stream_read_some(s, (unsigned char *)bytes + done, n - done, &got, error);
        if (status != LN_OK) return status;
        if (!got)
            return ln_fail(error, LN_E_FORMAT,
                           "%s: truncated: %s should take %zu bytes, but only %zu came: get or make "
                           "the file anew",
                           s->name, what, n, done);
        done += got;
    }
    return LN_OK;
}

ln_status ln_stream_end(ln_stream *s, ln_error *error) {
    unsigned char   extra;
    size_t          got;
    const ln_status status = ln_stream_read_some(s, &extra, 1, &got, error);
    if (status != LN_OK) return status;
    if (got)
        return ln_fail(error, LN_E_FORMAT,
                       "%s: bytes follow after the end of the data that its header announces; "
                       "correct the header, or get or make the file anew",
                       s->name);
    if (s->gzip && !s->member_done)
        return ln_fail(error, LN_E_FORMAT,
                       "%s: truncated: the gzip check sum at its end is missing: get or make the "
                       "file anew",
                       s->name);
    return LN_OK;
}
