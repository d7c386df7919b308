/* download.c: one file from one of several mirrors, by libcurl. The partial file is what is kept between attempts: a
 * mirror goes on where another one, or an earlier run, left it; one that does not know how begins anew. */
#include "bar.h"
#include "fetch.h"
#include "interrupt.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Seconds to connect; seconds in which fewer than STALL_BYTES a second come; attempts at a mirror that sends some. */
enum { CONNECT_SECONDS = 15, STALL_SECONDS = 20, STALL_BYTES = 100, ATTEMPTS = 10, REDIRECTS = 5 };

typedef enum outcome {
    GOT,         /* the file is whole and right */
    UNREACHABLE, /* nobody answered */
    REFUSED,     /* the mirror has it not, or wrong, or broke off: `reason` says which */
    ENDED        /* here: interrupted, disk full; the error is filled */
} outcome;

typedef struct download_state {
    const fetching    *fetching;
    const ln_set_file *file;
    CURL              *curl;
    int                fd;
    const char        *path, *part;
    uint64_t           n_most, n_have, n_before; /* bytes: at most; in the partial file, now and before this attempt */
    bool               began, misplaced, too_long; /* of the answer: see take_bytes */
    bool               useless;                    /* what the partial file has cannot become the file */
    uint64_t           range_start;
    uint64_t           foreign; /* bytes of an answer that is another file, or 0 */
    int                write_error;
    bar                line;
    double             started; /* this attempt, in seconds of the monotonic clock */
    pool              *owner;
    const char        *reason;
} download_state;

/* ------------------------------------------------------------- partial file */

/* Opens the partial file, and makes sure that no other process writes it. */
static bool open_partial(download_state *d, ln_error *error) {
    for (;;) {
        struct stat here, there;
        d->fd = open(d->part, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (d->fd < 0 || fstat(d->fd, &here))
            return fill_error(error, LN_E_IO, "cannot write %.300s: %s", d->part, strerror(errno));
        if (flock(d->fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK) { /* not where there are no locks */
            close(d->fd);                                              /* the partial file is the other's */
            d->fd = -1;
            return fill_error(error, LN_E_IO, "%.300s is being fetched by another process: wait for it", d->path);
        }
        if (stat(d->part, &there) == 0 && there.st_ino == here.st_ino && there.st_dev == here.st_dev) {
            d->n_have = (uint64_t)here.st_size;
            return true;
        }
        close(d->fd); /* it got its name, or went, before it was locked */
    }
}

static bool throw_away(download_state *d) {
    d->n_have = 0;
    if (ftruncate(d->fd, 0) == 0) return true;
    d->write_error = errno;
    return false;
}

static bool is_length(const ln_set_file *file, uint64_t n_bytes) {
    for (size_t i = 0; i < LN_SET_FORMS && file->form[i].sha256; i++)
        if (file->form[i].n_bytes == n_bytes) return true;
    return false;
}

/* The partial file is whole: is it right? If so it gets its name. */
static outcome check(download_state *d, ln_error *error) {
    char sum[SUM_TEXT];
    if (!stored_sum(d->fd, sum)) {
        fill_error(error, LN_E_IO, "cannot read %.300s: %s", d->part, strerror(errno));
        return ENDED;
    }
    if (stored_is_form(d->file, sum)) return stored_place(d->fd, d->part, d->path, error) ? GOT : ENDED;
    const size_t last = d->file->form[1].sha256 ? 1 : 0;
    d->useless = true;
    d->reason = pool_format(d->owner, "its SHA-256 is %s, but %s was wanted", sum, d->file->form[last].sha256);
    return REFUSED;
}

/* ----------------------------------------------------------------- transfer */

/* "Content-Range: bytes 100-199/200" */
static size_t take_header(char *bytes, size_t size, size_t n, void *user) {
    static const char     name[] = "content-range: bytes ";
    download_state *const d = user;
    const size_t          length = sizeof name - 1;
    char                  number[24];
    n *= size;
    if (n > 5 && memcmp(bytes, "HTTP/", 5) == 0) d->range_start = UINT64_MAX; /* of a redirection, or the answer */
    if (n <= length || strncasecmp(bytes, name, length) != 0) return n;
    snprintf(number, sizeof number, "%.*s", (int)(n - length < 20 ? n - length : 20), bytes + length);
    d->range_start = strtoull(number, NULL, 10);
    return n;
}

/* Before the first byte: does the answer go on from the partial file, or begin anew? */
static bool begin(download_state *d) {
    long code = 0;
    curl_easy_getinfo(d->curl, CURLINFO_RESPONSE_CODE, &code);
    d->began = true;
    if (code != 206) { /* the server does not know Range */
        curl_off_t length = -1;
        curl_easy_getinfo(d->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
        if (length >= 0 && !is_length(d->file, (uint64_t)length)) {
            d->foreign = (uint64_t)length;
            return false;
        }
        d->n_before = 0;
        return d->n_have == 0 || throw_away(d);
    }
    d->misplaced = d->range_start != d->n_have;
    return !d->misplaced;
}

static size_t take_bytes(char *bytes, size_t size, size_t n, void *user) {
    download_state *const d = user;
    n *= size;
    if (!d->began && !begin(d)) return 0;
    if (n > d->n_most - d->n_have) return d->too_long = true, 0;
    for (size_t done = 0; done < n;) {
        const ssize_t now = pwrite(d->fd, bytes + done, n - done, (off_t)d->n_have);
        if (now < 0 && errno == EINTR) continue;
        if (now < 0) return d->write_error = errno, 0;
        done += (size_t)now;
        d->n_have += (uint64_t)now;
    }
    return n;
}

static void draw(download_state *d) {
    const size_t      n_before = d->n_before < d->n_have ? d->n_before : d->n_have;
    const double      done = (double)(d->n_have - n_before), seconds = seconds_now() - d->started;
    const double      share = (double)d->n_have / (double)d->n_most;
    pool              owner = {0};
    const char *const figures[] = {
        pool_format(&owner, "%3.0f %%", 100 * share),
        bar_left(&owner, seconds, done / (double)(d->n_most - n_before)),
        pool_format(&owner, "%.1f MB/s", seconds > 0 ? done / seconds / 1e6 : 0),
    };
    bar_draw(&d->line, d->file->name, share, figures, sizeof figures / sizeof *figures);
    pool_free(&owner);
}

static int show(void *user, curl_off_t total, curl_off_t now, curl_off_t up, curl_off_t up_now) {
    download_state *const d = user;
    (void)total, (void)now, (void)up, (void)up_now;
    if (d->n_have < d->n_most && bar_due(&d->line)) draw(d);
    return interrupt_asked();
}

static void allow_protocols(CURL *curl, const char *url) {
    const bool plain = strncmp(url, "http://", 7) == 0; /* what begins with https stays so */
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, plain ? "http,https" : "https");
#else
    const long both = CURLPROTO_HTTP | CURLPROTO_HTTPS;
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS, both);
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS, plain ? both : (long)CURLPROTO_HTTPS);
#endif
}

static CURLcode transfer(download_state *d, const char *url) {
    char        range[32];
    CURL *const curl = d->curl = curl_easy_init();
    if (!curl) return CURLE_OUT_OF_MEMORY;
    d->began = d->misplaced = d->too_long = d->useless = false;
    d->range_start = UINT64_MAX;
    d->foreign = 0;
    d->n_before = d->n_have;
    d->line = bar_start(true);
    d->started = seconds_now();
    snprintf(range, sizeof range, "%ju-", (uintmax_t)d->n_have);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "linnet");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)REDIRECTS);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)STALL_SECONDS);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, (long)STALL_BYTES);
    if (d->n_have > 0) curl_easy_setopt(curl, CURLOPT_RANGE, range);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, d);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, d);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, show);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, d);
    allow_protocols(curl, url);
    const CURLcode code = curl_easy_perform(curl);
    bar_clear(&d->line);
    return code;
}

/* ------------------------------------------------------------------ attempts */

/* A transfer that did not end well. */
static outcome explain(download_state *d, CURLcode code, long status, ln_error *error) {
    if (interrupt_asked()) {
        fill_error(error, LN_E_INTERRUPTED,
                   "interrupted: %ju bytes are kept in %.300s; the same command goes on from there",
                   (uintmax_t)d->n_have, d->part);
        return ENDED;
    }
    if (d->write_error) {
        fill_error(error, LN_E_IO, "cannot write %.300s: %s", d->part, strerror(d->write_error));
        return ENDED;
    }
    d->reason = d->too_long    ? pool_format(d->owner, "it sends more than %ju bytes", (uintmax_t)d->n_most)
                : d->foreign   ? pool_format(d->owner, "it sends %ju bytes, but %ju were wanted", (uintmax_t)d->foreign,
                                             (uintmax_t)d->n_most)
                : d->misplaced ? "it sends another part of the file than was asked for"
                : status >= 400 ? pool_format(d->owner, "it answers %ld", status)
                                : curl_easy_strerror(code);
    const bool nobody = code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY ||
                        code == CURLE_COULDNT_CONNECT || (code == CURLE_OPERATION_TIMEDOUT && !d->began);
    d->useless = d->too_long || status == 416;
    return nobody ? UNREACHABLE : REFUSED;
}

static outcome attempt(download_state *d, const char *url, ln_error *error) {
    long           status = 0;
    const CURLcode code = transfer(d, url);
    if (d->curl) curl_easy_getinfo(d->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(d->curl);
    if (code == CURLE_OK && !d->write_error && is_length(d->file, d->n_have)) return check(d, error);
    if (code != CURLE_OK) return explain(d, code, status, error);
    d->reason = !d->began ? "it sends nothing"
                          : pool_format(d->owner, "it sends %ju bytes, but %ju were wanted", (uintmax_t)d->n_have,
                                        (uintmax_t)d->n_most);
    d->useless = d->began;
    return REFUSED;
}

/* A mirror is tried again when it sent something before the connection broke, and when what an earlier attempt left
 * may be to blame. */
static outcome try_mirror(download_state *d, const char *url, ln_error *error) {
    outcome result = REFUSED;
    for (int i = 0; i < ATTEMPTS; i++) {
        result = attempt(d, url, error);
        if (result != REFUSED) return result;
        const bool again = d->useless ? d->n_before > 0 : d->n_have > d->n_before;
        if (d->useless) throw_away(d);
        if (!again) break;
    }
    return result;
}

/* The address of the file at mirror i, the user's own first; NULL after the last. */
static const char *address(const download_state *d, size_t i) {
    const fetching *const f = d->fetching;
    if (f->mirror && i == 0) {
        const size_t n = strlen(f->mirror);
        return pool_format(d->owner, "%s%s%s/%s", f->mirror, n && f->mirror[n - 1] == '/' ? "" : "/", f->set->name,
                           d->file->name);
    }
    i -= f->mirror != NULL;
    return i < LN_SET_MIRRORS && f->set->mirror[i] ? pool_format(d->owner, "%s%s", f->set->mirror[i], d->file->name)
                                                   : NULL;
}

/* "127.0.0.1:8000" of http://127.0.0.1:8000/mnist/... */
static const char *host_of(const char *url, pool *owner) {
    const char *const scheme = strstr(url, "://"), *const host = scheme ? scheme + 3 : url;
    return pool_copy(owner, host, strcspn(host, "/"));
}

/* What is to be done where no mirror helps. */
static bool fail_all(const download_state *d, bool reached, const char *reasons, ln_error *error) {
    const fetching *const f = d->fetching;
    if (!reached)
        return fill_error(error, LN_E_IO,
                          "%s: no network: none of its mirrors can be reached (%.100s): put %s of %s into %.120s, and "
                          "run this again; LINNET_MIRROR names a mirror of your own",
                          f->set->name, d->reason, f->set->member[0].name ? d->file->name : "the four files",
                          f->set->mirror[0], f->folder);
    return fill_error(error, LN_E_IO, "%s: no mirror gives %s: try again later, or put it into %.120s by hand (%s)",
                      f->set->name, d->file->name, f->folder, reasons);
}

static bool try_mirrors(download_state *d, const char **from, const char **notes, ln_error *error) {
    text        reasons = {0};
    bool        reached = false;
    outcome     result = REFUSED;
    const char *url;
    for (size_t i = 0; result != GOT && result != ENDED && (url = address(d, i)); i++) {
        *from = url;
        result = try_mirror(d, url, error);
        if (result == REFUSED || result == UNREACHABLE)
            text_add(&reasons, "%s%s: %s", reasons.n ? "; " : "", host_of(url, d->owner), d->reason);
        reached = reached || result == REFUSED;
    }
    if (reasons.n) *notes = pool_copy(d->owner, reasons.bytes, reasons.n);
    text_free(&reasons);
    return result == GOT || (result != ENDED && fail_all(d, reached, *notes, error));
}

bool download(const fetching *f, const ln_set_file *file, pool *owner, const char **from, const char **notes,
              ln_error *error) {
    download_state d = {.fetching = f, .file = file, .owner = owner, .fd = -1};
    for (size_t i = 0; i < LN_SET_FORMS && file->form[i].sha256; i++)
        if (file->form[i].n_bytes > d.n_most) d.n_most = file->form[i].n_bytes;
    d.path = pool_format(owner, "%s/%s", f->folder, file->name);
    d.part = pool_format(owner, "%s.part", d.path);
    *from = *notes = NULL;
    bool good = open_partial(&d, error);
    if (good && d.n_have > d.n_most) throw_away(&d);
    const outcome whole = good && is_length(file, d.n_have) ? check(&d, error) : REFUSED;
    if (whole == REFUSED && d.n_have == d.n_most) throw_away(&d);
    if (good && whole != GOT) good = whole != ENDED && try_mirrors(&d, from, notes, error);
    if (!good && d.fd >= 0 && d.n_have == 0) unlink(d.part);
    if (d.fd >= 0) close(d.fd);
    return good;
}
