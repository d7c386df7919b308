/* Arguments: lines split, parsed, checked, printed and described; every message word for word. */
#include <float.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"

typedef struct args {
    int      out;
    ln_size2 kernel, stride;
    bool     bias;
    double   rate, free_rate, low_rate;
    int      mode;
    char     with[32];
    int      count;
} args;

typedef struct common_args {
    int    init;
    double std;
} common_args;

static const char *const modes[] = {"mean", "sum", "none", NULL};
static const char *const inits[] = {"pytorch", "normal", NULL};

static const ln_attr table[] = {
    {.key = "out_channels",
     .type = LN_ATTR_INT,
     .offset = offsetof(args, out),
     .required = true,
     .positional = true,
     .low = 1,
     .high = 65536,
     .help = "channels of the output"},
    {.key = "kernel",
     .type = LN_ATTR_SIZE2,
     .offset = offsetof(args, kernel),
     .required = true,
     .positional = true,
     .low = 1,
     .high = 1024,
     .help = "height and width of the window"},
    {.key = "stride",
     .type = LN_ATTR_SIZE2,
     .offset = offsetof(args, stride),
     .positional = true,
     .preset = 1,
     .low = 1,
     .high = 1024,
     .help = "step of the window"},
    {.key = "bias", .type = LN_ATTR_BOOL, .offset = offsetof(args, bias), .preset = 1, .help = "add a bias"},
    {.key = "rate",
     .type = LN_ATTR_FLOAT,
     .offset = offsetof(args, rate),
     .preset = 0.1,
     .low = 0,
     .high = 1,
     .help = "a rate"},
    {.key = "free_rate",
     .type = LN_ATTR_FLOAT,
     .offset = offsetof(args, free_rate),
     .low = -INFINITY,
     .high = INFINITY,
     .help = "any rate"},
    {.key = "low_rate",
     .type = LN_ATTR_FLOAT,
     .offset = offsetof(args, low_rate),
     .low = -1,
     .high = INFINITY,
     .help = "a rate that may be large"},
    {.key = "mode",
     .type = LN_ATTR_CHOICE,
     .offset = offsetof(args, mode),
     .preset = 1,
     .choices = modes,
     .help = "how to reduce"},
    {.key = "with", .type = LN_ATTR_NAME, .offset = offsetof(args, with), .help = "another layer"},
    {.key = "count",
     .type = LN_ATTR_INT,
     .offset = offsetof(args, count),
     .preset = -3,
     .low = -INFINITY,
     .high = INFINITY,
     .help = "any count"},
    {0}};

static const ln_attr common[] = {{.key = "init",
                                  .type = LN_ATTR_CHOICE,
                                  .offset = offsetof(common_args, init),
                                  .positional = true,
                                  .choices = inits,
                                  .help = "how parameters are drawn"},
                                 {.key = "std",
                                  .type = LN_ATTR_FLOAT,
                                  .offset = offsetof(common_args, std),
                                  .preset = 0.01,
                                  .high = 1e6,
                                  .help = "deviation"},
                                 {0}};

static const ln_attr nothing[] = {{0}};
static const ln_attr join[] = {
    {.key = "with", .type = LN_ATTR_NAME, .offset = 0, .required = true, .positional = true, .help = "another layer"},
    {0}};

#define KEYS "allowed: out_channels, kernel, stride, bias, rate, free_rate, low_rate, mode, with, count, init, std"

/* ------------------------------------------------------------------- lines */

static void lines(void **state) {
    (void)state;
    static const struct {
        const char *text, *word, *from, *as, *rest;
    } cases[] = {
        {"relu", "relu", "", "", ""},
        {"conv2d 6 kernel=5 from x as y", "conv2d", "x", "y", "6 kernel=5"},
        {"  conv2d\t 6\n  kernel=5  ", "conv2d", "", "", "6 kernel=5"},
        {"conv2d as y 6 from 3 kernel=5", "conv2d", "3", "y", "6 kernel=5"},
        {"a-b_C9", "a-b_C9", "", "", ""},
        {"aaaaaaaaaabbbbbbbbbbccccccccccd", "aaaaaaaaaabbbbbbbbbbccccccccccd", "", "", ""},
        {"add fromage asp", "add", "", "", "fromage asp"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ln_line  line;
        ln_error error;
        if (ln_line_split(cases[i].text, "layer", &line, &error)) fail_msg("%s", error.message);
        assert_string_equal(line.word, cases[i].word);
        assert_string_equal(line.from, cases[i].from);
        assert_string_equal(line.as, cases[i].as);
        assert_string_equal(line.rest, cases[i].rest);
    }
}

static void bad_lines(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "layer: the line is empty; begin it with a name"},
        {" \t\n", "layer: the line is empty; begin it with a name"},
        {"conv2d, 6", "layer: 'conv2d,' is not a name; use 1 to 31 letters, digits, '_' or '-'"},
        {"aaaaaaaaaabbbbbbbbbbccccccccccdd",
         "layer: 'aaaaaaaaaabbbbbbbbbbccccccccccdd' is not a name; use 1 to 31 letters, "
         "digits, '_' or '-'"},
        {"relu from", "layer relu: 'from' stands without a name; write from NAME"},
        {"relu as", "layer relu: 'as' stands without a name; write as NAME"},
        {"relu as x as y", "layer relu: 'as' is given twice; leave one out"},
        {"relu from x from y", "layer relu: 'from' is given twice; leave one out"},
        {"relu as from x", "layer relu: 'as from': 'from' and 'as' cannot be names; write as NAME"},
        {"relu from as", "layer relu: 'from as': 'from' and 'as' cannot be names; write from NAME"},
        {"relu as a.b", "layer relu: 'a.b' is not a name; use 1 to 31 letters, digits, '_' or '-'"},
        {"relu as \xc3\xa9", "layer relu: '\xc3\xa9' is not a name; use 1 to 31 letters, digits, '_' or '-'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ln_line  line, before;
        ln_error error = {0};
        memset(&line, 7, sizeof line);
        before = line;
        assert_int_equal(ln_line_split(cases[i].text, "layer", &line, &error), LN_E_ARGUMENT);
        assert_string_equal(error.message, cases[i].message);
        assert_memory_equal(&line, &before, sizeof line);
    }
}

static void long_lines(void **state) {
    (void)state;
    char     text[1200] = "relu ";
    ln_line  line;
    ln_error error;
    memset(text + 5, 'x', 1023);
    text[100] = ' ';
    assert_int_equal(ln_line_split(text, "layer", &line, &error), LN_OK);
    assert_int_equal(strlen(line.rest), 1023);
    strcat(text, " x");
    assert_int_equal(ln_line_split(text, "layer", &line, &error), LN_E_ARGUMENT);
    assert_string_equal(error.message, "layer relu: the arguments are longer than 1023 characters; shorten them");
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(ln_line_split(text, "layer", &line, &error), LN_E_ARGUMENT);
}

/* ----------------------------------------------------------------- parsing */

static void defaults(void **state) {
    (void)state;
    args a;
    memset(&a, 0xff, sizeof a);
    ln_attr_defaults(table, &a, sizeof a);
    static const args wanted = {.stride = {1, 1}, .bias = true, .rate = 0.1, .mode = 1, .count = -3};
    assert_memory_equal(&a, &wanted, sizeof a);
}

static void parsing(void **state) {
    (void)state;
    args              a;
    common_args       c;
    ln_error          error = {0};
    const char *const full = "6 5x3 2 bias=false rate=0.25 free_rate=-1e300 low_rate=1e9 mode=none with=c-1 "
                             "count=-2147483648 init=normal std=2";
    if (ln_attr_parse(full, "layer conv2d", table, &a, sizeof a, common, &c, sizeof c, &error))
        fail_msg("%s", error.message);
    assert_int_equal(a.out, 6);
    assert_int_equal(a.kernel.h, 5);
    assert_int_equal(a.kernel.w, 3);
    assert_int_equal(a.stride.h, 2);
    assert_int_equal(a.stride.w, 2);
    assert_false(a.bias);
    assert_true(a.rate == 0.25 && a.free_rate == -1e300 && a.low_rate == 1e9);
    assert_int_equal(a.mode, 2);
    assert_string_equal(a.with, "c-1");
    assert_int_equal(a.count, INT_MIN);
    assert_int_equal(c.init, 1);
    assert_true(c.std == 2);
}

static void positions_and_defaults(void **state) {
    (void)state;
    static const struct {
        const char *rest;
        int         out, kernel, stride;
    } cases[] = {
        {"6 5", 6, 5, 1},
        {"kernel=5 6", 6, 5, 1}, /* the next of those not given by key */
        {"6 stride=4 kernel=5", 6, 5, 4},
        {"\t kernel=1024\n out_channels=65536 ", 65536, 1024, 1},
        {"stride=1 6 5", 6, 5, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        args        a;
        common_args c;
        ln_error    error;
        if (ln_attr_parse(cases[i].rest, "layer", table, &a, sizeof a, common, &c, sizeof c, &error))
            fail_msg("%s", error.message);
        assert_int_equal(a.out, cases[i].out);
        assert_int_equal(a.kernel.h, cases[i].kernel);
        assert_int_equal(a.kernel.w, cases[i].kernel);
        assert_int_equal(a.stride.w, cases[i].stride);
        assert_true(a.bias && a.rate == 0.1 && a.mode == 1 && a.count == -3 && c.init == 0 && c.std == 0.01);
    }
}

static void bad_arguments(void **state) {
    (void)state;
    static const struct {
        const char *rest, *message;
    } cases[] = {
        {"6 kernal=5", "unknown argument 'kernal'; " KEYS "; did you mean 'kernel'?"},
        {"6 5 stdd=1", "unknown argument 'stdd'; " KEYS "; did you mean 'std'?"},
        {"6 5 elephant=1", "unknown argument 'elephant'; " KEYS},
        {"6 5 =1", "unknown argument ''; " KEYS},
        {"6 5 1 normal", "unexpected word 'normal'; " KEYS}, /* common arguments need their key */
        {"6 5 1 biass", "unexpected word 'biass'; " KEYS "; did you mean 'bias'?"},
        {"6 5 1 bias", "argument without a value: bias (true or false, default true): add a bias"},
        {"6 5 kernel=5", "'kernel' is given twice; leave one out"},
        {"6 5 std=1 std=1", "'std' is given twice; leave one out"},
        {"6", "argument missing: kernel (int or HxW, required, 1 to 1024): height and width of the window"},
        {"", "argument missing: out_channels (int, required, 1 to 65536): channels of the output"},
        {"six 5", "out_channels='six' is not a whole number; write 1 to 65536"},
        {"6.0 5", "out_channels='6.0' is not a whole number; write 1 to 65536"},
        {"0 5", "out_channels=0 is outside 1 to 65536"},
        {"65537 5", "out_channels=65537 is outside 1 to 65536"},
        {"4294967297 5", "out_channels=4294967297 is outside 1 to 65536"},
        {"99999999999999999999 5", "out_channels=99999999999999999999 is outside 1 to 65536"},
        {"6 5 count=2147483648", "count=2147483648 is outside -2147483648 to 2147483647"},
        {"6 5 count=x", "count='x' is not a whole number; write -2147483648 to 2147483647"},
        {"6 kernel=abc", "kernel='abc' is not a size; write 5 or 5x3"},
        {"6 kernel=", "kernel='' is not a size; write 5 or 5x3"},
        {"6 5x", "kernel='5x' is not a size; write 5 or 5x3"},
        {"6 x5", "kernel='x5' is not a size; write 5 or 5x3"},
        {"6 5x3x1", "kernel='5x3x1' is not a size; write 5 or 5x3"},
        {"6 5X3", "kernel='5X3' is not a size; write 5 or 5x3"},
        {"6 kernel=0", "kernel=0 is outside 1 to 1024"},
        {"6 kernel=5x0", "kernel=5x0 is outside 1 to 1024"},
        {"6 kernel=1025x5", "kernel=1025x5 is outside 1 to 1024"},
        {"6 kernel=5x99999999999", "kernel=5x99999999999 is outside 1 to 1024"},
        {"6 5 bias=yes", "bias='yes' is not a yes or no; write true or false"},
        {"6 5 rate=fast", "rate='fast' is not a number; write 0 to 1"},
        {"6 5 rate=nan", "rate='nan' is not a number; write 0 to 1"},
        {"6 5 rate=0.1a", "rate='0.1a' is not a number; write 0 to 1"},
        {"6 5 rate=1e999", "rate='1e999' is not a number that a double can hold; write 0 to 1"},
        {"6 5 rate=1.5", "rate=1.5 is outside 0 to 1"},
        {"6 5 rate=-0.5", "rate=-0.5 is outside 0 to 1"},
        {"6 5 low_rate=-2", "low_rate=-2 is out of range; write -1 or more"},
        {"6 5 low_rate=x", "low_rate='x' is not a number; write -1 or more"},
        {"6 5 free_rate=inf", "free_rate='inf' is not a number; write any number"},
        {"6 5 mode=som", "mode='som' is not one of mean, sum, none; did you mean 'sum'?"},
        {"6 5 mode=median", "mode='median' is not one of mean, sum, none; did you mean 'mean'?"},
        {"6 5 mode=1", "mode='1' is not one of mean, sum, none"},
        {"6 5 with=a.b", "'a.b' is not a name; use 1 to 31 letters, digits, '_' or '-'"},
        {"6 5 with=", "'' is not a name; use 1 to 31 letters, digits, '_' or '-'"},
        {"6 5 init=x", "init='x' is not one of pytorch, normal"},
        {"6 5 std=-1", "std=-1 is outside 0 to 1000000"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        args        a, preset;
        common_args c, common_preset;
        char        message[600];
        ln_error    error = {0};
        ln_attr_defaults(table, &preset, sizeof preset);
        ln_attr_defaults(common, &common_preset, sizeof common_preset);
        snprintf(message, sizeof message, "layer conv2d: %s", cases[i].message);
        const ln_status status =
            ln_attr_parse(cases[i].rest, "layer conv2d", table, &a, sizeof a, common, &c, sizeof c, &error);
        if (status != LN_E_ARGUMENT || strcmp(error.message, message))
            fail_msg("'%s' gives\n%s\nnot\n%s", cases[i].rest, error.message, message);
        assert_memory_equal(&a, &preset, sizeof a);
        assert_memory_equal(&c, &common_preset, sizeof c);
    }
}

static void without_arguments(void **state) {
    (void)state;
    ln_error error = {0};
    assert_int_equal(ln_attr_parse(" ", "layer relu", nothing, NULL, 0, NULL, NULL, 0, &error), LN_OK);
    assert_int_equal(ln_attr_parse("x=1", "layer relu", nothing, NULL, 0, NULL, NULL, 0, &error), LN_E_ARGUMENT);
    assert_string_equal(error.message, "layer relu: unknown argument 'x'; it takes no arguments");
    assert_int_equal(ln_attr_parse("5", "layer relu", nothing, NULL, 0, NULL, NULL, 0, &error), LN_E_ARGUMENT);
    assert_string_equal(error.message, "layer relu: unexpected word '5'; it takes no arguments");
    assert_int_equal(ln_attr_parse("x=1", "layer relu", nothing, NULL, 0, NULL, NULL, 0, NULL), LN_E_ARGUMENT);
}

static void names(void **state) {
    (void)state;
    char     name[32], longest[40];
    ln_error error = {0};
    assert_int_equal(ln_attr_parse("c2", "layer add", join, name, sizeof name, NULL, NULL, 0, &error), LN_OK);
    assert_string_equal(name, "c2");
    memset(longest, 'a', sizeof longest);
    longest[31] = '\0';
    assert_int_equal(ln_attr_parse(longest, "layer add", join, name, sizeof name, NULL, NULL, 0, &error), LN_OK);
    assert_string_equal(name, longest);
    longest[31] = 'a';
    longest[32] = '\0';
    assert_int_equal(ln_attr_parse(longest, "layer add", join, name, sizeof name, NULL, NULL, 0, &error),
                     LN_E_ARGUMENT);
    assert_int_equal(ln_attr_parse("", "layer add", join, name, sizeof name, NULL, NULL, 0, &error), LN_E_ARGUMENT);
    assert_string_equal(error.message, "layer add: argument missing: with (name, required): another layer");
}

static void a_word_too_long(void **state) {
    (void)state;
    char     text[1100];
    args     a;
    ln_error error = {0};
    memset(text, '1', sizeof text);
    text[1024] = '\0';
    assert_int_equal(ln_attr_parse(text, "layer", table, &a, sizeof a, NULL, NULL, 0, &error), LN_E_ARGUMENT);
    assert_string_equal(error.message,
                        "layer: '1111111111111111111111111111111111111111...' is longer than 1023 characters; "
                        "shorten it");
    text[1023] = '\0';
    assert_int_equal(ln_attr_parse(text, "layer", table, &a, sizeof a, NULL, NULL, 0, &error), LN_E_ARGUMENT);
    assert_non_null(strstr(error.message, "is outside 1 to 65536"));
}

static void a_table_too_long(void **state) {
    (void)state;
    static char keys[65][8];
    ln_attr     rows[66] = {{0}};
    int         a[65];
    ln_error    error = {0};
    for (size_t i = 0; i < 65; i++) {
        snprintf(keys[i], sizeof keys[i], "k%zu", i);
        rows[i] = (ln_attr){.key = keys[i], .type = LN_ATTR_INT, .offset = i * sizeof(int), .high = 9, .help = ""};
    }
    assert_int_equal(ln_attr_parse("k64=1", "layer", rows, a, sizeof a, NULL, NULL, 0, &error), LN_E_UNSUPPORTED);
    assert_string_equal(error.message, "layer: 65 arguments are more than 64; split them");
    rows[64].key = NULL;
    assert_int_equal(ln_attr_parse("k63=7", "layer", rows, a, sizeof a, NULL, NULL, 0, &error), LN_OK);
    assert_int_equal(a[63], 7);
}

/* ------------------------------------------------------------------- lists */

typedef struct listed {
    int     first;
    ln_list weight, needed;
} listed;

static const ln_attr lists[] = {{.key = "weight",
                                 .type = LN_ATTR_LIST,
                                 .offset = offsetof(listed, weight),
                                 .low = 0,
                                 .high = INFINITY,
                                 .help = "weights"},
                                {.key = "needed",
                                 .type = LN_ATTR_LIST,
                                 .offset = offsetof(listed, needed),
                                 .required = true,
                                 .positional = true,
                                 .low = -INFINITY,
                                 .high = INFINITY,
                                 .help = "numbers"},
                                {0}};

static const ln_attr small_lists[] = {
    {.key = "weight", .type = LN_ATTR_LIST, .offset = offsetof(listed, weight), .high = 1, .help = "weights"}, {0}};

static void list_values(void **state) {
    (void)state;
    static const struct {
        const char *rest;
        int         n;
        double      value[4];
        const char *printed;
    } cases[] = {
        {"1", 1, {1}, " 1"},
        {"-0.5,1e300,0.30000000000000004", 3, {-0.5, 1e300, 0.30000000000000004}, " -0.5,1e+300,0.30000000000000004"},
        {"needed=3,5,5,-0", 4, {3, 5, 5, -0.0}, " 3,5,5,-0"},
        {"0.1 weight=2,0", 1, {0.1}, " weight=2,0 0.1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        listed   a, back;
        ln_error error = {0};
        char     text[128];
        memset(&a, 0xff, sizeof a);
        if (ln_attr_parse(cases[i].rest, "x", lists, &a, sizeof a, NULL, NULL, 0, &error))
            fail_msg("%s", error.message);
        assert_int_equal(a.needed.n, cases[i].n);
        assert_memory_equal(a.needed.value, cases[i].value, (size_t)cases[i].n * sizeof(double));
        for (int k = cases[i].n; k < LN_MAX_LIST; k++) assert_true(a.needed.value[k] == 0);
        assert_int_equal(a.weight.n, i == 3 ? 2 : 0);
        assert_int_equal(ln_attr_print(lists, &a, text, sizeof text), strlen(cases[i].printed));
        assert_string_equal(text, cases[i].printed);
        assert_int_equal(ln_attr_parse(text, "x", lists, &back, sizeof back, NULL, NULL, 0, NULL), LN_OK);
        assert_memory_equal(&a, &back, sizeof a);
    }
}

static void bad_lists(void **state) {
    (void)state;
#define NUMBERS "numbers with commas between, such as 0.5,1,2"
    static const struct {
        const char *rest, *message;
    } cases[] = {
        {"", "argument missing: needed (numbers with commas between, required, each any number): numbers"},
        {"1 weight",
         "argument without a value: weight (numbers with commas between, optional, each 0 or more): weights"},
        {"1 weight=", "weight='' is not a list of numbers; write " NUMBERS},
        {"1 weight=1,", "weight='1,' is not a list of numbers; write " NUMBERS},
        {"1 weight=,1", "weight=',1' is not a list of numbers; write " NUMBERS},
        {"1 weight=1,,2", "weight='1,,2' is not a list of numbers; write " NUMBERS},
        {"1 weight=1;2", "weight='1;2' is not a list of numbers; write " NUMBERS},
        {"1 weight=1,nan", "weight='1,nan' is not a list of numbers; write " NUMBERS},
        {"1 weight=1,1e999", "weight='1,1e999' is not a list of numbers; write " NUMBERS},
        {"1 weight=1,-2,3", "weight=-2 is out of range; write 0 or more"},
        {"1 weight=1 weight=2", "'weight' is given twice; leave one out"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        listed   a, preset;
        char     message[400];
        ln_error error = {0};
        ln_attr_defaults(lists, &preset, sizeof preset);
        snprintf(message, sizeof message, "x: %s", cases[i].message);
        assert_int_equal(ln_attr_parse(cases[i].rest, "x", lists, &a, sizeof a, NULL, NULL, 0, &error), LN_E_ARGUMENT);
        assert_string_equal(error.message, message);
        assert_memory_equal(&a, &preset, sizeof a);
    }
#undef NUMBERS
}

/* The longest list, of the longest numbers, is a line that reads back; one more is refused. */
static void full_lists(void **state) {
    (void)state;
    listed   a = {0}, back;
    ln_error error = {0};
    ln_line  line;
    char     text[LN_MAX_REST + 40] = "x";
    a.needed.n = LN_MAX_LIST;
    for (int i = 0; i < LN_MAX_LIST; i++) a.needed.value[i] = -1.2345678901234567e-300 * (1 + i / 1e3);
    assert_true(ln_attr_print(lists, &a, text + 1, sizeof text - 1) < LN_MAX_REST);
    assert_int_equal(ln_line_split(text, "x", &line, &error), LN_OK);
    if (ln_attr_parse(line.rest, "x", lists, &back, sizeof back, NULL, NULL, 0, &error)) fail_msg("%s", error.message);
    assert_memory_equal(&a, &back, sizeof a);
    assert_int_equal(ln_attr_check("x", lists, &a, &error), LN_OK);
    text[0] = '\0';
    for (int i = 0; i <= LN_MAX_LIST; i++) strcat(text, i ? ",1" : "1");
    assert_int_equal(ln_attr_parse(text, "x", lists, &back, sizeof back, NULL, NULL, 0, &error), LN_E_ARGUMENT);
    assert_string_equal(error.message, "x: needed has more than 32 numbers; leave some out");
}

static void checked_lists(void **state) {
    (void)state;
    const listed good = {.needed = {2, {1, 2}}, .weight = {1, {3}}};
    listed       a = good;
    ln_error     error = {0};
    assert_int_equal(ln_attr_check("x", lists, &a, &error), LN_OK);
#define BAD(field, is, text)                                                    \
    do {                                                                        \
        a = good;                                                               \
        a.field = (is);                                                         \
        assert_int_equal(ln_attr_check("x", lists, &a, &error), LN_E_ARGUMENT); \
        assert_string_equal(error.message, "x: " text);                         \
    } while (0)
    BAD(weight.value[0], -1, "weight=-1 is out of range; write 0 or more");
    BAD(needed.value[1], NAN, "needed='nan' is not a finite number; write any number");
    BAD(needed.value[1], INFINITY, "needed='inf' is not a finite number; write any number");
    BAD(needed.n, 33, "needed has more than 32 numbers; leave some out");
    BAD(needed.n, -1, "needed has -1 numbers; give it 0 to 32");
    BAD(needed.n, 0, "argument missing: needed (numbers with commas between, required, each any number): numbers");
#undef BAD
    a = good;
    a.weight.n = 0; /* what lies behind counts for nothing */
    char text[64];
    ln_attr_print(lists, &a, text, sizeof text);
    assert_string_equal(text, " 1,2");
    assert_int_equal(ln_attr_parse("weight=0.5,2", "x", small_lists, &a, sizeof a, NULL, NULL, 0, &error),
                     LN_E_ARGUMENT);
    assert_string_equal(error.message, "x: weight=2 is outside 0 to 1");
}

/* ---------------------------------------------------------------- checking */

static void checking(void **state) {
    (void)state;
    args     a;
    ln_error error = {0};
    ln_attr_defaults(table, &a, sizeof a);
    a.out = 6;
    a.kernel = (ln_size2){5, 5};
    const args good = a;
    assert_int_equal(ln_attr_check("layer conv2d", table, &a, &error), LN_OK);
#define BAD(field, value, text)                                                            \
    do {                                                                                   \
        a = good;                                                                          \
        a.field = (value);                                                                 \
        assert_int_equal(ln_attr_check("layer conv2d", table, &a, &error), LN_E_ARGUMENT); \
        assert_string_equal(error.message, "layer conv2d: " text);                         \
    } while (0)
    BAD(out, 0, "out_channels=0 is outside 1 to 65536");
    BAD(kernel.w, -1, "kernel=5x-1 is outside 1 to 1024");
    BAD(kernel.h, 2000, "kernel=2000x5 is outside 1 to 1024");
    BAD(rate, 2, "rate=2 is outside 0 to 1");
    BAD(rate, NAN, "rate='nan' is not a finite number; write 0 to 1");
    BAD(free_rate, INFINITY, "free_rate='inf' is not a finite number; write any number");
    BAD(low_rate, -1.5, "low_rate=-1.5 is out of range; write -1 or more");
    BAD(mode, 3, "mode='3' is not one of mean, sum, none");
    BAD(mode, -1, "mode='-1' is not one of mean, sum, none");
    BAD(with[0], '.', "with='.' is not a name; write 1 to 31 letters, digits, '_' or '-'");
#undef BAD
    a = good;
    memset(a.with, 'a', sizeof a.with); /* no end */
    assert_int_equal(ln_attr_check("layer conv2d", table, &a, &error), LN_E_ARGUMENT);
    char name[32] = "";
    assert_int_equal(ln_attr_check("layer add", join, name, &error), LN_E_ARGUMENT);
    assert_string_equal(error.message, "layer add: argument missing: with (name, required): another layer");
}

/* ---------------------------------------------------------------- printing */

static void printing(void **state) {
    (void)state;
    static const struct {
        const char *rest, *printed;
    } cases[] = {
        {"6 5", " 6 5"},
        {"kernel=5x5 out_channels=6 stride=1 bias=true rate=1e-1 mode=sum", " 6 5"},
        {"6 5x3 2x1 bias=false", " 6 5x3 2x1 bias=false"},
        {"6 5 free_rate=-0.30000000000000004 mode=mean with=x count=7",
         " 6 5 free_rate=-0.30000000000000004 mode=mean with=x "
         "count=7"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        args   a, back;
        char   text[256];
        size_t length;
        assert_int_equal(ln_attr_parse(cases[i].rest, "layer", table, &a, sizeof a, NULL, NULL, 0, NULL), LN_OK);
        length = ln_attr_print(table, &a, text, sizeof text);
        assert_string_equal(text, cases[i].printed);
        assert_int_equal(length, strlen(cases[i].printed));
        assert_int_equal(ln_attr_parse(text, "layer", table, &back, sizeof back, NULL, NULL, 0, NULL), LN_OK);
        assert_memory_equal(&a, &back, sizeof a);
        assert_int_equal(ln_attr_print(table, &a, NULL, 0), length);
        char small[4] = "zzz";
        assert_int_equal(ln_attr_print(table, &a, small, 3), length);
        assert_string_equal(small, " 6");
    }
}

/* A positional argument behind one that was left out needs its key. */
static void printing_bare(void **state) {
    (void)state;
    static const ln_attr two[] = {
        {.key = "first", .type = LN_ATTR_INT, .offset = 0, .positional = true, .preset = 1, .high = 9, .help = ""},
        {.key = "other", .type = LN_ATTR_INT, .offset = 8, .high = 9, .help = ""},
        {.key = "second", .type = LN_ATTR_INT, .offset = 4, .positional = true, .preset = 2, .high = 9, .help = ""},
        {0}};
    static const struct {
        int         values[3];
        const char *printed;
    } cases[] = {
        {{1, 2, 0}, ""}, {{3, 2, 0}, " 3"}, {{3, 4, 0}, " 3 4"}, {{1, 4, 0}, " second=4"}, {{3, 4, 5}, " 3 other=5 4"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[64];
        int  back[3];
        ln_attr_print(two, cases[i].values, text, sizeof text);
        assert_string_equal(text, cases[i].printed);
        assert_int_equal(ln_attr_parse(text, "x", two, back, sizeof back, NULL, NULL, 0, NULL), LN_OK);
        assert_memory_equal(back, cases[i].values, sizeof back);
    }
}

static void printed_numbers_read_back(void **state) {
    (void)state;
    uint64_t bits = 12345;
    args     a, back;
    char     text[128];
    ln_attr_defaults(table, &a, sizeof a);
    a.out = 1;
    a.kernel = (ln_size2){1, 1};
    for (int i = 0; i < 2000; i++) {
        bits = bits * 6364136223846793005u + 1442695040888963407u;
        memcpy(&a.free_rate, &bits, sizeof bits);
        if (!isfinite(a.free_rate)) continue;
        ln_attr_print(table, &a, text, sizeof text);
        assert_int_equal(ln_attr_parse(text, "x", table, &back, sizeof back, NULL, NULL, 0, NULL), LN_OK);
        assert_memory_equal(&a, &back, sizeof a);
    }
    a.free_rate = -0.0;
    ln_attr_print(table, &a, text, sizeof text);
    assert_string_equal(text, " 1 1 free_rate=-0");
}

static void describing(void **state) {
    (void)state;
    static const char *const wanted[] = {
        "out_channels (int, required, 1 to 65536): channels of the output",
        "kernel (int or HxW, required, 1 to 1024): height and width of the window",
        "stride (int or HxW, default 1, 1 to 1024): step of the window",
        "bias (true or false, default true): add a bias",
        "rate (number, default 0.1, 0 to 1): a rate",
        "free_rate (number, default 0, any number): any rate",
        "low_rate (number, default 0, -1 or more): a rate that may be large",
        "mode (mean|sum|none, default sum): how to reduce",
        "with (name, optional): another layer",
        "count (int, default -3, -2147483648 to 2147483647): any count",
    };
    for (size_t i = 0; table[i].key; i++) {
        char text[160];
        assert_int_equal(ln_attr_describe(&table[i], text, sizeof text), strlen(wanted[i]));
        assert_string_equal(text, wanted[i]);
        assert_int_equal(ln_attr_describe(&table[i], NULL, 0), strlen(wanted[i]));
    }
    const ln_attr below = {.key = "x", .type = LN_ATTR_FLOAT, .low = -INFINITY, .high = 2, .help = "h"};
    char          text[64];
    ln_attr_describe(&below, text, sizeof text);
    assert_string_equal(text, "x (number, default 0, 2 or less): h");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(bad_lines),
        cmocka_unit_test(long_lines),
        cmocka_unit_test(defaults),
        cmocka_unit_test(parsing),
        cmocka_unit_test(positions_and_defaults),
        cmocka_unit_test(bad_arguments),
        cmocka_unit_test(without_arguments),
        cmocka_unit_test(names),
        cmocka_unit_test(a_word_too_long),
        cmocka_unit_test(a_table_too_long),
        cmocka_unit_test(list_values),
        cmocka_unit_test(bad_lists),
        cmocka_unit_test(full_lists),
        cmocka_unit_test(checked_lists),
        cmocka_unit_test(checking),
        cmocka_unit_test(printing),
        cmocka_unit_test(printing_bare),
        cmocka_unit_test(printed_numbers_read_back),
        cmocka_unit_test(describing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
