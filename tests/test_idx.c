/* IDX files: read to the byte, or refused with a sentence, never anything else. */
#include "harness/files.h"

#include "data/idx.h"

#include <zlib.h>

/* Two images of 2×3. */
static const unsigned char good[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2,  0,  0,
                                     0, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255};

static size_t zip(const void *bytes, size_t n, unsigned char *out, size_t room) {
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (unsigned char *)(uintptr_t)bytes;
    z.avail_in = (unsigned)n;
    z.next_out = out;
    z.avail_out = (unsigned)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    const size_t made = z.total_out;
    deflateEnd(&z);
    return made;
}

static ln_status parse(files *f, const void *bytes, size_t n, ln_idx *idx, ln_error *error) {
    return ln_idx_parse(f->context, "a.idx", bytes, n, idx, error);
}

static void check_good(files *f, const ln_idx *idx) {
    assert_int_equal(idx->rank, 3);
    assert_int_equal(idx->dims[0], 2);
    assert_int_equal(idx->dims[1], 2);
    assert_int_equal(idx->dims[2], 3);
    assert_int_equal(idx->n_bytes, 12);
    assert_memory_equal(idx->values, good + 16, 12);
    ln_release(f->context, idx->values);
}

static void refuse(files *f, const void *bytes, size_t n, ln_status status, const char *words) {
    ln_idx   idx;
    ln_error error = {0};
    assert_int_equal(parse(f, bytes, n, &idx, &error), status);
    assert_int_equal(error.status, status);
    assert_non_null(strstr(error.message, "a.idx"));
    if (!strstr(error.message, words)) fail_msg("'%s' lacks '%s'", error.message, words);
}

static void reads_plain_and_gzip(void **state) {
    files        *f = *state;
    unsigned char zipped[100];
    char          path[512];
    ln_idx        idx;
    const size_t  n = zip(good, sizeof good, zipped, sizeof zipped);
    assert_int_equal(parse(f, good, sizeof good, &idx, NULL), LN_OK);
    check_good(f, &idx);
    assert_int_equal(parse(f, zipped, n, &idx, NULL), LN_OK);
    check_good(f, &idx);
    assert_int_equal(ln_idx_read(f->context, files_put(f, "plain", good, sizeof good, path), NULL, &idx, NULL), LN_OK);
    check_good(f, &idx);
    assert_int_equal(ln_idx_read(f->context, files_put(f, "zipped", zipped, n, path), NULL, &idx, NULL), LN_OK);
    check_good(f, &idx);
}

static void reads_labels_and_channels(void **state) {
    files                     *f = *state;
    static const unsigned char labels[] = {0, 0, 8, 1, 0, 0, 0, 3, 7, 0, 255};
    static const unsigned char colour[] = {0, 0, 8, 4, 0, 0, 0, 1, 0, 0, 0, 3, 0,
                                           0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6};
    ln_idx                     idx;
    assert_int_equal(parse(f, labels, sizeof labels, &idx, NULL), LN_OK);
    assert_int_equal(idx.rank, 1);
    assert_memory_equal(idx.values, labels + 8, 3);
    ln_release(f->context, idx.values);
    assert_int_equal(parse(f, colour, sizeof colour, &idx, NULL), LN_OK);
    assert_int_equal(idx.dims[1], 3);
    assert_memory_equal(idx.values, colour + 20, 6);
    ln_release(f->context, idx.values);
}

static void sums_what_is_stored(void **state) {
    static const unsigned char wanted[32] = {0x0d, 0xb4, 0x3a, 0xc1, 0xdb, 0x8c, 0x1b, 0xee, 0x3b, 0x79, 0x46,
                                             0x8a, 0x7e, 0xb0, 0x35, 0x93, 0x6b, 0x77, 0xa1, 0x9e, 0x4f, 0x89,
                                             0x71, 0x0b, 0xad, 0x90, 0x9c, 0xce, 0x1c, 0xcb, 0xf9, 0x79};
    files                     *f = *state;
    char                       path[512];
    unsigned char              sum[32];
    ln_idx                     idx;
    files_put(f, "a", good, sizeof good, path);
    assert_int_equal(ln_idx_read(f->context, path, sum, &idx, NULL), LN_OK);
    check_good(f, &idx);
    assert_memory_equal(sum, wanted, 32);
}

static void every_cut_is_told(void **state) {
    files        *f = *state;
    unsigned char zipped[100], cut[100];
    const size_t  n = zip(good, sizeof good, zipped, sizeof zipped);
    for (size_t i = 1; i < sizeof good; i++) refuse(f, memcpy(cut, good, i), i, LN_E_FORMAT, "truncated");
    for (size_t i = 2; i < n; i++) refuse(f, memcpy(cut, zipped, i), i, LN_E_FORMAT, "truncated");
}

static void bytes_behind_the_end_are_told(void **state) {
    files        *f = *state;
    unsigned char longer[100] = {0}, zipped[200];
    memcpy(longer, good, sizeof good);
    refuse(f, longer, sizeof good + 1, LN_E_FORMAT, "bytes follow");
    size_t n = zip(longer, sizeof good + 1, zipped, sizeof zipped);
    refuse(f, zipped, n, LN_E_FORMAT, "bytes follow");
    n = zip(good, sizeof good, zipped, sizeof zipped);
    zipped[n] = 0;
    refuse(f, zipped, n + 1, LN_E_FORMAT, "gzip");
}

static void gzip_members_may_follow_each_other(void **state) {
    files        *f = *state;
    unsigned char zipped[200];
    ln_idx        idx;
    size_t        n = zip(good, 10, zipped, 100);
    n += zip(good, 0, zipped + n, 50);
    n += zip(good + 10, sizeof good - 10, zipped + n, 100);
    assert_int_equal(parse(f, zipped, n, &idx, NULL), LN_OK);
    check_good(f, &idx);
}

static void wrong_headers_are_told(void **state) {
    files        *f = *state;
    unsigned char bad[sizeof good];
#define BAD(at, value, status, words) \
    (memcpy(bad, good, sizeof good), bad[at] = (value), refuse(f, bad, sizeof bad, status, words))
    BAD(0, 1, LN_E_FORMAT, "not an IDX file");
    BAD(1, 1, LN_E_FORMAT, "not an IDX file");
    BAD(2, 13, LN_E_UNSUPPORTED, "type 0x0d");
    BAD(3, 5, LN_E_UNSUPPORTED, "rank 5");
    BAD(3, 0, LN_E_UNSUPPORTED, "rank 0");
    BAD(3, 200, LN_E_UNSUPPORTED, "rank 200");
    BAD(7, 0, LN_E_FORMAT, "empty");
    BAD(15, 0, LN_E_FORMAT, "empty");
    BAD(7, 3, LN_E_FORMAT, "announces 18 bytes");
    BAD(4, 255, LN_E_FORMAT, "announces");
    BAD(7, 1, LN_E_FORMAT, "bytes follow");
#undef BAD
    static const unsigned char huge[] = {0,    0,    8,    4,    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1};
    unsigned char              zipped[100];
    refuse(f, huge, sizeof huge, LN_E_FORMAT, "more bytes than there are numbers for");
    refuse(f, zipped, zip(huge, sizeof huge, zipped, sizeof zipped), LN_E_FORMAT, "more bytes");
}

/* A small gzip file that announces 100 MB takes no memory for them. */
static void no_memory_is_taken_for_a_promise(void **state) {
    static const unsigned char promise[] = {0, 0, 8, 3, 0, 0, 0x27, 0x10, 0, 0, 0, 100, 0, 0, 0, 100, 1, 2, 3};
    files                     *f = *state;
    unsigned char              zipped[100];
    size_t                     before, peak;
    ln_context_memory(f->context, NULL, &before);
    refuse(f, zipped, zip(promise, sizeof promise, zipped, sizeof zipped), LN_E_FORMAT, "announces 100000000 bytes");
    ln_context_memory(f->context, NULL, &peak);
    assert_true(peak < 1000000);
}

/* What compresses best still passes the bound that stops such promises. */
static void a_uniform_set_may_shrink_a_thousandfold(void **state) {
    files               *f = *state;
    static unsigned char even[16 + 2000000] = {0, 0, 8, 3, 0, 0, 0x07, 0xd0, 0, 0, 0, 10, 0, 0, 0, 100};
    static unsigned char zipped[10000];
    ln_idx               idx;
    const size_t         n = zip(even, sizeof even, zipped, sizeof zipped);
    assert_true(n < sizeof even / 900);
    assert_int_equal(parse(f, zipped, n, &idx, NULL), LN_OK);
    assert_int_equal(idx.n_bytes, 2000000);
    ln_release(f->context, idx.values);
}

/* In gzip, a flipped bit is always told, but for those that change nothing (time, extra flags, system). */
static void every_flipped_bit_is_told_or_harmless(void **state) {
    files        *f = *state;
    unsigned char zipped[100];
    const size_t  n = zip(good, sizeof good, zipped, sizeof zipped);
    for (size_t i = 0; i < 8 * n; i++) {
        ln_idx idx;
        zipped[i / 8] ^= (unsigned char)(1 << i % 8);
        if (parse(f, zipped, n, &idx, NULL) == LN_OK) check_good(f, &idx);
        zipped[i / 8] ^= (unsigned char)(1 << i % 8);
    }
}

static void a_wrong_check_sum_is_told(void **state) {
    files        *f = *state;
    unsigned char zipped[100];
    const size_t  n = zip(good, sizeof good, zipped, sizeof zipped);
    zipped[n - 8] ^= 1;
    refuse(f, zipped, n, LN_E_FORMAT, "incorrect data check");
    zipped[n - 8] ^= 1;
    zipped[n - 1] ^= 1;
    refuse(f, zipped, n, LN_E_FORMAT, "incorrect length check");
}

static void what_is_no_file_is_told(void **state) {
    files   *f = *state;
    char     path[512];
    ln_idx   idx;
    ln_error error = {0};
    assert_int_equal(ln_idx_read(f->context, files_path(f, "none", path), NULL, &idx, &error), LN_E_IO);
    assert_non_null(strstr(error.message, path));
    assert_int_equal(ln_idx_read(f->context, f->folder, NULL, &idx, &error), LN_E_IO);
    assert_int_equal(ln_idx_read(f->context, "/dev/zero", NULL, &idx, &error), LN_E_IO);
    assert_non_null(strstr(error.message, "/dev/zero"));
    refuse(f, "", 0, LN_E_FORMAT, "the file is empty");
}

static bool read_zipped(files *f, void *path, ln_error *error) {
    ln_idx idx;
    if (ln_idx_read(f->context, path, NULL, &idx, error) != LN_OK) return false;
    ln_release(f->context, idx.values);
    return true;
}

static void every_allocation_may_fail(void **state) {
    files        *f = *state;
    unsigned char zipped[100];
    char          path[512];
    files_put(f, "a", zipped, zip(good, sizeof good, zipped, sizeof zipped), path);
    assert_in_range(files_fail_each(f, read_zipped, path), 4, 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FILES_TEST(reads_plain_and_gzip),
        FILES_TEST(reads_labels_and_channels),
        FILES_TEST(sums_what_is_stored),
        FILES_TEST(every_cut_is_told),
        FILES_TEST(bytes_behind_the_end_are_told),
        FILES_TEST(gzip_members_may_follow_each_other),
        FILES_TEST(wrong_headers_are_told),
        FILES_TEST(no_memory_is_taken_for_a_promise),
        FILES_TEST(a_uniform_set_may_shrink_a_thousandfold),
        FILES_TEST(every_flipped_bit_is_told_or_harmless),
        FILES_TEST(a_wrong_check_sum_is_told),
        FILES_TEST(what_is_no_file_is_told),
        FILES_TEST(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
