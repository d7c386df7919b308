/* safetensors: what is written is read back to the bit; what is damaged is told. */
#include "harness/files.h"

#include "io/safetensors.h"

static const float       weights[6] = {1.5f, -0.0f, 3.25e-39f, 4e30f, -5, 0.1f};
static const float       bias[2] = {1, 2};
static const ln_tensor   tensors[] = {{"0.weight", 2, {2, 3}, 6, weights}, {"0.bias", 1, {2}, 2, bias}};
static const ln_metadata texts[] = {{"model", "{\"a\": [1, \"x\\y\"]}\n\ttab"}, {"classes", "zéro,one"}};

/* A file with this header and n_data bytes 0, 1, 2, … behind it. */
static size_t compose(const char *header, size_t n_data, unsigned char *out) {
    const size_t n = strlen(header);
    memset(out, 0, 8);
    out[0] = (unsigned char)n;
    out[1] = (unsigned char)(n >> 8);
    memcpy(out + 8, header, n);
    for (size_t i = 0; i < n_data; i++) out[8 + n + i] = (unsigned char)i;
    return 8 + n + n_data;
}

static void refuse_bytes(files *f, const void *bytes, size_t n, ln_status status, const char *words) {
    ln_safetensors file = {0};
    ln_error       error = {0};
    assert_int_equal(ln_safetensors_parse(f->context, "a.st", bytes, n, &file, &error), status);
    if (!strstr(error.message, words)) fail_msg("'%s' lacks '%s'", error.message, words);
    assert_non_null(strstr(error.message, "a.st"));
}

static void refuse(files *f, const char *header, size_t n_data, ln_status status, const char *words) {
    unsigned char bytes[4096];
    refuse_bytes(f, bytes, compose(header, n_data, bytes), status, words);
}

static void check_good(const ln_safetensors *file) {
    assert_int_equal(file->n_tensors, 2);
    assert_int_equal(file->n_metadata, 2);
    for (size_t i = 0; i < 2; i++) {
        const ln_tensor *t = ln_safetensors_find(file, tensors[i].name);
        assert_non_null(t);
        assert_int_equal(t->rank, tensors[i].rank);
        assert_int_equal(t->count, tensors[i].count);
        assert_memory_equal(t->shape, tensors[i].shape, t->rank * sizeof t->shape[0]);
        assert_memory_equal(t->values, tensors[i].values, t->count * sizeof(float));
        assert_string_equal(ln_safetensors_get(file, texts[i].key), texts[i].value);
    }
    assert_null(ln_safetensors_find(file, "0"));
    assert_null(ln_safetensors_get(file, "weight"));
}

/* Of a file that was opened: the values are taken one tensor after the other. */
static void check_taken(ln_safetensors *file) {
    float values[6];
    for (size_t i = 0; i < 2; i++) {
        const ln_tensor *const t = &file->tensors[i], *const want = &tensors[i];
        assert_string_equal(t->name, want->name);
        assert_int_equal(t->count, want->count);
        assert_int_equal(ln_safetensors_take(file, values, NULL), LN_OK);
        assert_memory_equal(values, want->values, want->count * sizeof(float));
    }
}

static void writes_and_reads_to_the_bit(void **state) {
    files         *f = *state;
    char           path[512];
    unsigned char  bytes[1024];
    ln_safetensors file;
    files_path(f, "a", path);
    assert_int_equal(ln_safetensors_write(f->context, path, tensors, 2, texts, 2, NULL), LN_OK);
    assert_int_equal(ln_safetensors_open(f->context, path, &file, NULL), LN_OK);
    check_taken(&file);
    ln_safetensors_free(&file);
    ln_safetensors_free(&file);
    const size_t n = files_get(path, bytes, sizeof bytes);
    assert_int_equal((bytes[0] | bytes[1] << 8) % 8, 0);
    assert_int_equal(bytes[8], '{');
    assert_int_equal(ln_safetensors_parse(f->context, "memory", bytes, n, &file, NULL), LN_OK);
    memset(bytes, 0, sizeof bytes);
    check_good(&file);
    assert_int_equal((uintptr_t)file.tensors[0].values % 64, 0);
    check_taken(&file);
    ln_safetensors_free(&file);
    assert_int_equal(files_count(f->folder), 1);
}

static void reads_what_others_write(void **state) {
    files         *f = *state;
    unsigned char  bytes[1024];
    ln_safetensors file;
    /* Tensors in another order than their values, a scalar, an empty one, values at an odd place, no texts. */
    size_t n = compose("{\"b\":{\"data_offsets\":[4,12],\"dtype\":\"F32\",\"shape\":[1,2,1]},"
                       "\"e\":{\"dtype\":\"F32\",\"shape\":[0,7],\"data_offsets\":[4,4]},"
                       "\"\\u00e4\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}   ",
                       12, bytes);
    assert_int_equal(ln_safetensors_parse(f->context, "a", bytes, n, &file, NULL), LN_OK);
    assert_int_equal(file.n_metadata, 0);
    assert_string_equal(file.tensors[0].name, "ä");
    assert_int_equal(file.tensors[0].rank, 0);
    assert_int_equal(ln_safetensors_find(&file, "e")->count, 0);
    assert_memory_equal(ln_safetensors_find(&file, "b")->values, "\4\5\6\7\10\11\12\13", 8);
    ln_safetensors_free(&file);
    n = compose("{}", 0, bytes);
    assert_int_equal(ln_safetensors_parse(f->context, "a", bytes, n, &file, NULL), LN_OK);
    assert_int_equal(file.n_tensors, 0);
    ln_safetensors_free(&file);
}

static void wrong_headers_are_told(void **state) {
    files *f = *state;
    refuse(f, "[]", 0, LN_E_FORMAT, "begin with {");
    refuse(f, "{\"a\":}", 0, LN_E_FORMAT, "not JSON");
    refuse(f, "{} x", 0, LN_E_FORMAT, "follows");
    refuse(f, " {}", 0, LN_E_FORMAT, "begin with {");
    refuse(f, "{\"__metadata__\":1}", 0, LN_E_FORMAT, "__metadata__");
    refuse(f, "{\"__metadata__\":{\"a\":1}}", 0, LN_E_FORMAT, "__metadata__");
    refuse(f, "{\"__metadata__\":{\"\":\"x\"}}", 0, LN_E_FORMAT, "__metadata__");
    refuse(f, "{\"__metadata__\":{},\"__metadata__\":{}}", 0, LN_E_FORMAT, "one map");
    refuse(f, "{\"__metadata__\":{\"a\":\"\",\"b\":\"\",\"a\":\"\"}}", 0, LN_E_FORMAT, "key a");
    refuse(f, "{\"a\":1}", 0, LN_E_FORMAT, "tensor a");
}

#define TENSOR(name, type, shape, offsets) \
    "\"" name "\":{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void wrong_tensors_are_told(void **state) {
    files *f = *state;
    refuse(f, "{" TENSOR("a", "F64", "[1]", "[0,8]") "}", 8, LN_E_UNSUPPORTED, "F64");
    refuse(f, "{" TENSOR("a", "F32", "[1,1,1,1,1]", "[0,4]") "}", 4, LN_E_UNSUPPORTED, "dimensions");
    refuse(f, "{" TENSOR("", "F32", "[1]", "[0,4]") "}", 4, LN_E_FORMAT, "name");
    refuse(f, "{" TENSOR("a\\n", "F32", "[1]", "[0,4]") "}", 4, LN_E_FORMAT, "printable");
    refuse(f, "{" TENSOR("a", "F32", "[-1]", "[0,4]") "}", 4, LN_E_FORMAT, "no whole number");
    refuse(f, "{" TENSOR("a", "F32", "[1.5]", "[0,6]") "}", 6, LN_E_FORMAT, "no whole number");
    refuse(f, "{" TENSOR("a", "F32", "[\"1\"]", "[0,4]") "}", 4, LN_E_FORMAT, "no whole number");
    refuse(f, "{" TENSOR("a", "F32", "[1e300]", "[0,4]") "}", 4, LN_E_FORMAT, "no whole number");
    refuse(f, "{" TENSOR("a", "F32", "1", "[0,4]") "}", 4, LN_E_FORMAT, "no shape");
    refuse(f, "{" TENSOR("a", "F32", "[4294967296,4294967296]", "[0,4]") "}", 4, LN_E_FORMAT, "too many values");
    refuse(f, "{" TENSOR("a", "F32", "[4294967296,1073741824]", "[0,0]") "}", 0, LN_E_FORMAT, "values but 0 bytes");
    refuse(f, "{" TENSOR("a", "F32", "[1]", "[0,8]") "}", 8, LN_E_FORMAT, "1 values but 8 bytes");
    refuse(f, "{" TENSOR("a", "F32", "[1]", "[0,4,8]") "}", 4, LN_E_FORMAT, "two whole numbers");
    refuse(f, "{" TENSOR("a", "F32", "[1]", "4") "}", 4, LN_E_FORMAT, "two whole numbers");
    refuse(f, "{" TENSOR("a", "F32", "[1]", "[4,0]") "}", 4, LN_E_FORMAT, "bytes 4 to 0");
    refuse(f, "{" TENSOR("a", "F32", "[1]", "[0,4]") "}", 3, LN_E_FORMAT, "truncated");
    refuse(f, "{" TENSOR("a", "F32", "[1]", "[0,4]") "}", 5, LN_E_FORMAT, "but 5 follow");
    refuse(f, "{" TENSOR("a", "F32", "[1]", "[4,8]") "}", 8, LN_E_FORMAT, "hole");
    refuse(f, "{" TENSOR("a", "F32", "[1]", "[0,4]") "," TENSOR("b", "F32", "[1]", "[8,12]") "}", 12, LN_E_FORMAT,
           "hole");
    refuse(f, "{" TENSOR("a", "F32", "[2]", "[0,8]") "," TENSOR("b", "F32", "[1]", "[4,8]") "}", 8, LN_E_FORMAT,
           "overlap");
    refuse(f, "{" TENSOR("a", "F32", "[1]", "[0,4]") "," TENSOR("a", "F32", "[1]", "[4,8]") "}", 8, LN_E_FORMAT,
           "two tensors");
    refuse(f, "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":1}}", 4, LN_E_FORMAT,
           "nothing else");
    refuse(f, "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1]}}", 4, LN_E_FORMAT, "two whole numbers");
}

static void wrong_lengths_are_told(void **state) {
    files        *f = *state;
    unsigned char bytes[32] = {0};
    refuse_bytes(f, bytes, 0, LN_E_FORMAT, "the file is empty");
    refuse_bytes(f, bytes, 7, LN_E_FORMAT, "too few");
    refuse_bytes(f, bytes, 8, LN_E_FORMAT, "header of 0 bytes");
    bytes[0] = 25;
    refuse_bytes(f, bytes, 32, LN_E_FORMAT, "truncated");
    memset(bytes, 0xff, sizeof bytes);
    refuse_bytes(f, bytes, 32, LN_E_FORMAT, "18446744073709551615");
    refuse_bytes(f, "\0\0\x40\0\0\0\0\0{}", 10, LN_E_FORMAT, "truncated");
    refuse_bytes(f, "\1\0\x40\0\0\0\0\0{}", 10, LN_E_FORMAT, "4194305");
}

static void deep_brackets_are_told(void **state) {
    files               *f = *state;
    static unsigned char bytes[60008];
    const size_t         n = sizeof bytes - 8;
    memset(bytes, '[', sizeof bytes);
    memcpy(bytes, "\x60\xea\0\0\0\0\0\0{\"a\":", 13);
    assert_int_equal(n, 60000);
    refuse_bytes(f, bytes, sizeof bytes, LN_E_FORMAT, "not JSON");
}

static size_t good_file(files *f, unsigned char *bytes, size_t size) {
    char path[512];
    assert_int_equal(ln_safetensors_write(f->context, files_path(f, "a", path), tensors, 2, texts, 2, NULL), LN_OK);
    return files_get(path, bytes, size);
}

static void every_cut_is_told(void **state) {
    files        *f = *state;
    unsigned char bytes[1024];
    const size_t  n = good_file(f, bytes, sizeof bytes);
    for (size_t i = 0; i < n; i++) {
        unsigned char *cut = malloc(i + 1); /* so that the sanitizer sees a read past the end */
        memcpy(cut + 1, bytes, i);
        refuse_bytes(f, cut + 1, i, LN_E_FORMAT, "a.st");
        free(cut);
    }
    bytes[n] = 0;
    refuse_bytes(f, bytes, n + 1, LN_E_FORMAT, "follow the header");
}

/* A flipped bit of the header is told or changes no more than a name, a text or the shape of the same count. */
static void flipped_bits_never_harm(void **state) {
    files        *f = *state;
    unsigned char bytes[1024];
    const size_t  n = good_file(f, bytes, sizeof bytes);
    for (size_t i = 0; i < 8 * (n - 32); i++) {
        ln_safetensors file;
        bytes[i / 8] ^= (unsigned char)(1 << i % 8);
        if (ln_safetensors_parse(f->context, "a", bytes, n, &file, NULL) == LN_OK) {
            size_t count = 0;
            for (size_t j = 0; j < file.n_tensors; j++) count += file.tensors[j].count;
            assert_int_equal(count, 8);
            assert_memory_equal(file.values, bytes + n - 32, 32);
            ln_safetensors_free(&file);
        }
        bytes[i / 8] ^= (unsigned char)(1 << i % 8);
    }
}

static void what_cannot_be_written_is_told(void **state) {
    files          *f = *state;
    char            path[512];
    ln_error        error = {0};
    const ln_tensor bad[][2] = {{{"a", 1, {2}, 2, bias}, {"a", 1, {2}, 2, bias}},
                                {{"a", 1, {2}, 2, bias}, {"", 1, {2}, 2, bias}},
                                {{"__metadata__", 1, {2}, 2, bias}, {"b", 1, {2}, 2, bias}},
                                {{"a", 1, {2}, 2, bias}, {"b", 2, {2, 3}, 2, bias}}};
    files_path(f, "a", path);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(ln_safetensors_write(f->context, path, bad[i], 2, NULL, 0, &error), LN_E_ARGUMENT);
        assert_non_null(strstr(error.message, path));
    }
    assert_int_equal(files_count(f->folder), 0);
    assert_int_equal(ln_safetensors_write(f->context, "/dev/full", tensors, 2, texts, 2, &error), LN_E_IO);
    assert_non_null(strstr(error.message, "No space left"));
    assert_int_equal(ln_safetensors_write(f->context, f->folder, tensors, 2, texts, 2, &error), LN_E_IO);
}

static void too_long_a_text_is_told(void **state) {
    files   *f = *state;
    char     path[512];
    ln_error error = {0};
    char    *text = malloc(LN_SAFETENSORS_HEADER);
    assert_non_null(text);
    memset(text, 'x', LN_SAFETENSORS_HEADER - 1);
    text[LN_SAFETENSORS_HEADER - 1] = '\0';
    const ln_metadata one = {"model", text};
    assert_int_equal(ln_safetensors_write(f->context, files_path(f, "a", path), tensors, 2, &one, 1, &error),
                     LN_E_UNSUPPORTED);
    assert_int_equal(files_count(f->folder), 0);
    free(text);
}

static bool write_and_read(files *f, void *path, ln_error *error) {
    ln_safetensors file;
    if (ln_safetensors_write(f->context, path, tensors, 2, texts, 2, error) != LN_OK) return false;
    if (ln_safetensors_open(f->context, path, &file, error) != LN_OK) return false;
    ln_safetensors_free(&file);
    return true;
}

static bool parse(files *f, void *bytes, ln_error *error) {
    ln_safetensors file;
    const size_t   n = compose("{\"__metadata__\":{\"a\":\"b\"}," TENSOR("a", "F32", "[1]", "[0,4]") "}", 4, bytes);
    if (ln_safetensors_parse(f->context, "a", bytes, n, &file, error) != LN_OK) return false;
    ln_safetensors_free(&file);
    return true;
}

static void every_allocation_may_fail(void **state) {
    files        *f = *state;
    char          path[512];
    unsigned char bytes[512];
    files_path(f, "a", path);
    assert_in_range(files_fail_each(f, write_and_read, path), 8, 30);
    assert_in_range(files_fail_each(f, parse, bytes), 5, 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FILES_TEST(writes_and_reads_to_the_bit),
        FILES_TEST(reads_what_others_write),
        FILES_TEST(wrong_headers_are_told),
        FILES_TEST(wrong_tensors_are_told),
        FILES_TEST(wrong_lengths_are_told),
        FILES_TEST(deep_brackets_are_told),
        FILES_TEST(every_cut_is_told),
        FILES_TEST(flipped_bits_never_harm),
        FILES_TEST(what_cannot_be_written_is_told),
        FILES_TEST(too_long_a_text_is_told),
        FILES_TEST(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
