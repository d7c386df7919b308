/* Events for TensorBoard: the bytes that its own writer makes (tensorboard 2.21, EventFileWriter's RecordWriter) of the
 * same numbers. tests/whole/tensorboard reads a whole run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/tensorboard.h"

static void assert_bytes(const text *got, const char *hexadecimal) {
    char *const hex = calloc(got->n * 2 + 1, 1);
    for (size_t i = 0; hex && i < got->n; i++) snprintf(hex + 2 * i, 3, "%02x", (unsigned)(unsigned char)got->bytes[i]);
    assert_string_equal(hex, hexadecimal);
    free(hex);
}

static void test_begin(void **state) {
    (void)state;
    text got = {0};
    tensorboard_begin(&got, 1.5);
    assert_bytes(&got, "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c");
    text_free(&got);
}

/* Beginning of TensorFlow's session log: event(wall_time=1.5, step=301, session_log={status: START}). */
static void test_resume(void **state) {
    (void)state;
    text got = {0};
    tensorboard_resume(&got, 1.5, 301);
    assert_bytes(&got, "100000000000000095fbfe1809000000000000f83f10ad023a020801d17949d4");
    text_free(&got);
}

static void test_row(void **state) {
    (void)state;
    const ln_progress row = {.epoch = 2,
                             .total_step = 300,
                             .lr = 0.1,
                             .train = {.loss = 0.25, .accuracy = 0.5},
                             .has_validation = true,
                             .validation = {.loss = 1e30, .accuracy = 0.75}};
    text              got = {0};
    tensorboard_row(&got, 2.5, &row);
    assert_bytes(&got,
                 "6900000000000000360b3c6e09000000000000044010ac022a5b0a110a0a6c6f73732f747261696e150000803e0a150a"
                 "0e61636375726163792f747261696e150000003f0a0f0a086c6f73732f76616c15caf249710a130a0c6163637572616"
                 "3792f76616c150000403f0a090a026c7215cdcccc3dbd19fbd5");
    text_free(&got);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_begin), cmocka_unit_test(test_resume),
                                       cmocka_unit_test(test_row)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
