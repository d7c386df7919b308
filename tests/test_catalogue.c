/* The catalogue holds what its help says: every argument of every layer, loss, optimizer, schedule and whatever other
 * kind there is has a line with type, range and default; what lies within is taken, what lies just outside is refused
 * in a sentence that says the range. And with every argument at either end, layers have a shape that fits, or
 * refuse. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "harness/op_run.h"

/* ------------------------------------------------------- what the help says */

typedef enum type { INT, SIZE, BOOL, NUMBER, CHOICE, NAME, LIST } type;

/* From "kernel (int or HxW, required, 1 to 1024): rows and columns of a window". */
typedef struct argument {
    const char *entry;
    ln_kind     kind;
    char        key[32], words[200], preset[80], range[96], help[400];
    type        type;
    bool        required;
    double      low, high;
} argument;

/* Takes what stands before `end` off *text; false where that is not there. */
static bool take(const char **text, const char *end, char *to, size_t size) {
    const char *const at = strstr(*text, end);
    if (!at || (size_t)(at - *text) >= size) return false;
    memcpy(to, *text, (size_t)(at - *text));
    to[at - *text] = '\0';
    *text = at + strlen(end);
    return true;
}

static type type_of(const char *words) {
    static const char *const names[] = {"int", "int or HxW", "true or false", "number"};
    for (type t = INT; t <= NUMBER; t++)
        if (strcmp(words, names[t]) == 0) return t;
    return strcmp(words, "name") == 0 ? NAME : strcmp(words, "numbers with commas between") == 0 ? LIST : CHOICE;
}

static bool is_numeric(const argument *a) {
    return a->type == INT || a->type == SIZE || a->type == NUMBER || a->type == LIST;
}

/* "1 to 1024", "0 or more", "any number" */
static void read_range(argument *a) {
    char *end = a->range;
    a->low = -INFINITY, a->high = INFINITY;
    if (strcmp(a->range, "any number") == 0) return;
    const double first = strtod(a->range, &end);
    if (strcmp(end, " or less") == 0) a->high = first;
    else a->low = first;
    if (strncmp(end, " to ", 4) == 0) a->high = strtod(end + 4, &end);
    else if (*end) end += strlen(" or more");
    if (end == a->range || *end) fail_msg("%s: %s has the range '%s'", a->entry, a->key, a->range);
}

static argument argument_of(ln_kind kind, size_t i, size_t j) {
    char        text[400], needed[80];
    const char *at = text;
    argument    a = {.entry = ln_catalogue_name(kind, i), .kind = kind};
    assert_in_range(ln_catalogue_argument(kind, i, j, text, sizeof text), 1, sizeof text - 1); /* as cmd_help prints */
    bool fine = take(&at, " (", a.key, sizeof a.key) && take(&at, ", ", a.words, sizeof a.words);
    a.type = type_of(a.words);
    fine = fine && take(&at, is_numeric(&a) ? ", " : "): ", needed, sizeof needed);
    fine = fine && (!is_numeric(&a) || take(&at, "): ", a.range, sizeof a.range));
    (void)snprintf(a.help, sizeof a.help, "%s", at);
    if (a.type == LIST && strncmp(a.range, "each ", 5) == 0) memmove(a.range, a.range + 5, strlen(a.range + 5) + 1);
    if (is_numeric(&a)) read_range(&a);
    a.required = strcmp(needed, "required") == 0;
    if (strncmp(needed, "default ", 8) == 0) (void)snprintf(a.preset, sizeof a.preset, "%s", needed + 8);
    const bool may_lack = a.type == NAME || a.type == LIST;
    if (!fine || (!a.required && !a.preset[0] && !(may_lack && strcmp(needed, "optional") == 0)))
        fail_msg("%s: '%s' lacks its type, range or default", a.entry, text);
    return a;
}

/* Calls work for every argument of every kind. */
static void each_argument(void (*work)(const argument *a, size_t i)) {
    size_t n = 0;
    for (ln_kind kind = LN_KIND_LAYER; ln_catalogue_count(kind) > 0; kind++)
        for (size_t i = 0; i < ln_catalogue_count(kind); i++)
            for (size_t j = 0; j < ln_catalogue_argument_count(kind, i); j++, n++) {
                const argument a = argument_of(kind, i, j);
                work(&a, i);
            }
    assert_in_range(n, 100, 10000);
}

/* --------------------------------------------------------------- the parser */

/* The first value that the argument has. */
static const char *some_value(const argument *a, char *to, size_t size) {
    if (a->type == CHOICE) (void)snprintf(to, size, "%.*s", (int)strcspn(a->words, "|"), a->words);
    else if (a->type == NUMBER && strcmp(a->key, "high") == 0) (void)snprintf(to, size, "%.17g", a->high);
    else if (a->type == BOOL) (void)snprintf(to, size, "false");
    else if (a->type == NAME) (void)snprintf(to, size, "a");
    else (void)snprintf(to, size, "%.17g", isinf(a->low) ? 0 : a->low);
    return to;
}

/* What an argument may not be without: a range's other end, too, where it is not required. */
static const char *company(const argument *a) {
    static const struct {
        const char *entry, *key, *words;
    } others[] = {{"erase", "low", " high=1"},
                  {"erase", "high", " low=0"},
                  {"erase", "ratio_low", " ratio_high=100"},
                  {"erase", "ratio_high", " ratio_low=0.01"}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(others[i].entry, a->entry) == 0 && strcmp(others[i].key, a->key) == 0) return others[i].words;
    return strcmp(a->key, "nesterov") == 0 ? " momentum=0.5" : "";
}

/* The entry's line with all that it requires and this value; error is filled as far as it is refused. */
static ln_status check_value(const argument *a, size_t i, const char *value, ln_error *error) {
    char   line[2048], some[64];
    size_t n = (size_t)snprintf(line, sizeof line, "%s", a->entry);
    for (size_t j = 0; j < ln_catalogue_argument_count(a->kind, i); j++) {
        const argument other = argument_of(a->kind, i, j);
        if (other.required && strcmp(other.key, a->key) != 0)
            n +=
                (size_t)snprintf(line + n, sizeof line - n, " %s=%s", other.key, some_value(&other, some, sizeof some));
    }
    assert_in_range(snprintf(line + n, sizeof line - n, "%s %s=%s", company(a), a->key, value), 1, sizeof line - n - 1);
    *error = (ln_error){0};
    return ln_catalogue_check(a->kind, line, error);
}

static void want(const argument *a, size_t i, const char *value) {
    ln_error error;
    if (check_value(a, i, value, &error) != LN_OK) fail_msg("%s %s=%s: %s", a->entry, a->key, value, error.message);
}

/* Refused, by name, with what is allowed. */
static void refuse(const argument *a, size_t i, const char *value) {
    ln_error          error;
    const char *const who = a->kind == LN_KIND_INIT ? "init" : a->entry;
    char              allowed[96] = "";
    if (a->type == INT || a->type == NUMBER) (void)snprintf(allowed, sizeof allowed, "%s", a->range);
    if (a->type == CHOICE) (void)some_value(a, allowed, sizeof allowed);
    if (check_value(a, i, value, &error) == LN_OK) fail_msg("%s takes %s=%s", a->entry, a->key, value);
    if (error.status != LN_E_ARGUMENT || !strstr(error.message, who) || !strstr(error.message, allowed) ||
        (a->type != NAME && !strstr(error.message, a->key)))
        fail_msg("%s %s=%s: '%s' lacks '%s', '%s' or '%s'", a->entry, a->key, value, error.message, who, a->key,
                 allowed);
}

/* Out of range, and the sentence says so: for a list and a size too. */
static void refuse_outside(const argument *a, size_t i, const char *value) {
    ln_error error;
    refuse(a, i, value);
    (void)check_value(a, i, value, &error);
    if (!strstr(error.message, a->range)) fail_msg("'%s' lacks '%s'", error.message, a->range);
}

/* ---------------------------------------------------------------- the tests */

static void check_text(const argument *a, size_t i) {
    const size_t n = strlen(a->help);
    if (n < 5 || n > 120 || a->help[n - 1] == '.' || strpbrk(a->help, "\n\t") ||
        (a->help[0] >= 'A' && a->help[0] <= 'Z'))
        fail_msg("%s: %s has the help '%s'; write some words without capital and full stop", a->entry, a->key, a->help);
    if (a->preset[0]) want(a, i, a->preset);
    if (is_numeric(a) && !(a->low < a->high)) fail_msg("%s: %s has the range %s", a->entry, a->key, a->range);
    const size_t n_entry = strlen(ln_catalogue_help(a->kind, i));
    assert_in_range(n_entry, 5, 120);
    for (size_t j = 0, same = 0; j < ln_catalogue_argument_count(a->kind, i); j++) {
        const argument other = argument_of(a->kind, i, j);
        same += strcmp(other.key, a->key) == 0;
        if (same > 1) fail_msg("%s has two arguments %s", a->entry, a->key);
    }
}

static void test_every_argument_is_explained(void **state) {
    (void)state;
    each_argument(check_text);
}

static void check_whole(const argument *a, size_t i) {
    char text[128];
    for (int end = 0; end < 2; end++) {
        const long edge = (long)(end ? a->high : a->low), beyond = edge + (end ? 1 : -1);
        (void)snprintf(text, sizeof text, "%ld", edge), want(a, i, text);
        (void)snprintf(text, sizeof text, "%ld", beyond), refuse_outside(a, i, text);
        if (a->type != SIZE) continue;
        (void)snprintf(text, sizeof text, "%ldx%ld", (long)a->low, edge), want(a, i, text);
        (void)snprintf(text, sizeof text, "%ldx%ld", edge, (long)a->high), want(a, i, text);
        (void)snprintf(text, sizeof text, "%ldx%ld", (long)a->low, beyond), refuse_outside(a, i, text);
        (void)snprintf(text, sizeof text, "%ldx%ld", beyond, (long)a->high), refuse_outside(a, i, text);
    }
}

static void check_number(const argument *a, size_t i) {
    char text[128];
    for (int end = 0; end < 2; end++) {
        const double edge = end ? a->high : a->low;
        if (isinf(edge)) continue;
        (void)snprintf(text, sizeof text, "%.17g", edge), want(a, i, text);
        (void)snprintf(text, sizeof text, "%.17g", nextafter(edge, end ? INFINITY : -INFINITY));
        refuse_outside(a, i, text);
    }
}

static void check_list(const argument *a, size_t i) {
    enum { MOST = 32 };
    char text[1024];
    check_number(a, i); /* a single one */
    (void)snprintf(text, sizeof text, "%.17g,%.17g", a->low, a->high), want(a, i, text);
    (void)snprintf(text, sizeof text, "%.17g,%.17g", a->low, nextafter(a->high, INFINITY)), refuse_outside(a, i, text);
    size_t n = 0;
    for (int k = 0; k < MOST; k++) n += (size_t)snprintf(text + n, sizeof text - n, "%s%.17g", k ? "," : "", a->high);
    want(a, i, text);
    (void)snprintf(text + n, sizeof text - n, ",%.17g", a->high), refuse(a, i, text);
}

static void check_choice(const argument *a, size_t i) {
    char words[200], *next = words;
    (void)snprintf(words, sizeof words, "%s", a->words);
    for (char *word; (word = strtok_r(next, "|", &next));) {
        char shorter[64];
        want(a, i, word);
        (void)snprintf(shorter, sizeof shorter, "%.*s", (int)strlen(word) - 1, word), refuse(a, i, shorter);
        (void)snprintf(shorter, sizeof shorter, "%.40s2", word), refuse(a, i, shorter);
    }
}

static void check_name(const argument *a, size_t i) {
    char text[40];
    memset(text, 'n', sizeof text);
    text[31] = '\0', want(a, i, text);
    text[31] = 'n', text[32] = '\0', refuse(a, i, text);
    want(a, i, "a-1_Z");
    refuse(a, i, "a.b");
    refuse(a, i, "ä");
}

static void check_ends(const argument *a, size_t i) {
    if (a->type == INT || a->type == SIZE) check_whole(a, i);
    if (a->type == NUMBER) check_number(a, i);
    if (a->type == LIST) check_list(a, i);
    if (a->type == CHOICE) check_choice(a, i);
    if (a->type == NAME) check_name(a, i);
    if (a->type == BOOL) want(a, i, "true"), want(a, i, "false");
}

static void test_ranges_hold(void **state) {
    (void)state;
    each_argument(check_ends);
}

static bool may_be(const argument *a, const char *word) {
    char *end;
    if (a->type == NAME)
        return word[0] && word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                            "0123456789-_")] == '\0';
    if (a->type == CHOICE) return word[0] && strstr(a->words, word);
    const double number = strtod(word, &end);
    return (a->type == NUMBER || a->type == LIST) && end > word && !*end && number >= a->low && number <= a->high;
}

static void check_junk(const argument *a, size_t i) {
    static const char *const junk[] = {"nan",
                                       "-nan",
                                       "inf",
                                       "-inf",
                                       "infinity",
                                       "1e999",
                                       "-1e999",
                                       "0x10p",
                                       "5x",
                                       "x5",
                                       "5x5x5",
                                       "5X5",
                                       "--1",
                                       "1e",
                                       "1..5",
                                       "1,5;",
                                       "True",
                                       "FALSE",
                                       "yes",
                                       "none",
                                       "",
                                       "=",
                                       "a=b",
                                       "99999999999999999999",
                                       "-99999999999999999999"};
    for (size_t k = 0; k < sizeof junk / sizeof *junk; k++)
        if (!may_be(a, junk[k])) refuse(a, i, junk[k]);
    char huge[700];
    memset(huge, '9', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    refuse(a, i, huge);
    for (const char *lists[] = {"1,", ",1", "1,,2", ",", NULL}, **list = lists; *list && a->type == LIST; list++)
        refuse(a, i, *list);
}

static void test_junk_is_refused(void **state) {
    (void)state;
    each_argument(check_junk);
}

/* ------------------------------------------------------------ shapes at the ends */

enum { N_DRAWN = 300 };
static const size_t most = (size_t)1 << 31; /* values of an output, or of a parameter */

static bool fits(ln_shape s) {
    size_t count;
    return s.c > 0 && s.h > 0 && s.w > 0 && ln_multiply(s.c, s.h, &count) && ln_multiply(count, s.w, &count) &&
           count <= most;
}

/* Layer and shapes make a node whose sizes are what they seem, or there is a sentence. */
static void check_node(const char *line, const ln_shape in[2]) {
    ln_error error = {0};
    ln_node  node;
    if (!op_node(line, in, &node, &error)) {
        if (strncmp(error.message, "layer 0", 7) != 0 || (error.status != LN_E_ARGUMENT && error.status != LN_E_SHAPE))
            fail_msg("%s: '%s'", line, error.message);
        return;
    }
    if (!fits(node.out))
        fail_msg("%s on %zux%zux%zu: output %zux%zux%zu", line, in[0].c, in[0].h, in[0].w, node.out.c, node.out.h,
                 node.out.w);
    for (size_t k = 0; k < node.n_params + node.n_buffers; k++) {
        size_t count = 1;
        bool   whole = node.param[k].count <= most;
        for (size_t d = 0; d < node.param[k].rank; d++)
            whole = whole && node.param[k].dims[d] > 0 && ln_multiply(count, node.param[k].dims[d], &count);
        if (!whole || count != node.param[k].count)
            fail_msg("%s on %zux%zux%zu: %zu values of %s", line, in[0].c, in[0].h, in[0].w, node.param[k].count,
                     node.param[k].name);
    }
}

/* Each of the op's arguments at one end of its range, or (often) at its default. */
static void draw_line(ln_random *r, const ln_op *op, char *line, size_t size) {
    size_t n = (size_t)snprintf(line, size, "%s", op->name);
    for (const ln_attr *a = op->attrs; a->key; a++) {
        const uint64_t draw = ln_random_below(r, 4);
        const double   edge = draw & 1 ? a->high : a->low;
        if (draw > 1 && !a->required) continue;
        n += (size_t)snprintf(line + n, size - n, " %s=", a->key);
        if (a->type == LN_ATTR_NAME) n += (size_t)snprintf(line + n, size - n, "a");
        else if (a->type == LN_ATTR_BOOL) n += (size_t)snprintf(line + n, size - n, draw & 1 ? "true" : "false");
        else if (a->type == LN_ATTR_CHOICE) n += (size_t)snprintf(line + n, size - n, "%s", a->choices[draw & 1]);
        else if (a->type == LN_ATTR_SIZE2 && draw > 1)
            n += (size_t)snprintf(line + n, size - n, "%gx%g", edge, draw & 1 ? a->low : a->high);
        else n += (size_t)snprintf(line + n, size - n, "%.17g", edge);
    }
}

static void test_shapes_at_the_ends(void **state) {
    (void)state;
    static const ln_shape shapes[] = {{1, 1, 1},
                                      {3, 1, 1},
                                      {1, 1, 7},
                                      {1, 9, 1},
                                      {3, 5, 7},
                                      {64, 2, 2},
                                      {1, 64, 512},
                                      {12, 30, 40},
                                      {128, 1, 1},
                                      {(size_t)1 << 31, 1, 1},
                                      {4, 1 << 15, 1 << 14}};
    enum { N_SHAPES = sizeof shapes / sizeof *shapes };
    ln_random r = ln_random_at(1, LN_RANDOM_CHECK, 80, 0);
    for (size_t i = 0; i < LN_OP_COUNT; i++)
        for (size_t k = 0; k < N_DRAWN; k++) {
            char           line[400];
            const ln_shape in[2] = {shapes[ln_random_below(&r, N_SHAPES)],
                                    k % 2 ? in[0] : shapes[ln_random_below(&r, N_SHAPES)]};
            draw_line(&r, ln_ops[i], line, sizeof line);
            check_node(line, in);
        }
}

/* Doubled 20 times, the channels of a wide border: more bytes than 2^64, which must not look like few. */
static void test_sizes_do_not_wrap(void **state) {
    (void)state;
    ln_context *const context = ln_context_new(NULL, NULL);
    ln_model *const   model = ln_model_new(context, 16, 1, 1, NULL);
    ln_error          error = {0};
    ln_memory         memory;
    char              line[40];
    ln_model_add(model, "relu", NULL);
    for (int i = 0; i < 20; i++) {
        (void)snprintf(line, sizeof line, "concat %d", i);
        assert_int_equal(ln_model_add(model, line, &error), i + 1);
    }
    ln_model_add(model, "conv2d 1 kernel=1 padding=1024", NULL);
    ln_model_add(model, "adaptive_avgpool2d 1x2", NULL);
    assert_int_equal(ln_model_add(model, "flatten", &error), 23);
    assert_int_equal(ln_model_memory(model, 65536, NULL, &memory, &error), LN_E_MEMORY);
    assert_string_equal(error.message,
                        "layer 20 (concat): its output, with the padding that is read round it, takes more than 2^52 "
                        "bytes for 65536 images; make the batch, the layers or the padding smaller");
    ln_model_free(model);
    ln_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_argument_is_explained),
        cmocka_unit_test(test_ranges_hold),
        cmocka_unit_test(test_junk_is_refused),
        cmocka_unit_test(test_shapes_at_the_ends),
        cmocka_unit_test(test_sizes_do_not_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
