/* cli.c: arguments and messages. */
#include "cli.h"
#include "work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void write_sentence(const char *prefix, const char *format, va_list list) {
    text t = {0};
    text_add(&t, "linnet: %s", prefix);
    text_add_list(&t, format, list);
    for (size_t i = 0; i < t.n; i++) /* a file's words must not steer the terminal */
        if ((unsigned char)t.bytes[i] < 0x20 || t.bytes[i] == 0x7f) t.bytes[i] = ' ';
    fflush(stdout);
    fprintf(stderr, "%s\n", t.bytes);
    text_free(&t);
}

int say(const char *format, ...) {
    va_list list;
    va_start(list, format);
    write_sentence("", format, list);
    va_end(list);
    return STATUS_FAILED;
}

int say_usage(const verb *v, const char *format, ...) {
    text    t = {0};
    va_list list;
    va_start(list, format);
    text_add_list(&t, format, list);
    va_end(list);
    say("%s (see linnet %s%s--help)", t.bytes, v ? v->name : "", v ? " " : "");
    text_free(&t);
    return STATUS_USAGE;
}

int say_error(const ln_error *error) { return say("%s", error->message); }

bool fill_error(ln_error *error, ln_status status, const char *format, ...) {
    va_list list;
    va_start(list, format);
    vsnprintf(error->message, sizeof error->message, format, list);
    va_end(list);
    error->status = status;
    return false;
}

const char *argument(const arguments *a, const char *key) {
    const size_t length = strlen(key);
    for (size_t i = a->n_own; i-- > 0;)
        if (strncmp(a->own[i], key, length) == 0 && a->own[i][length] == '=') return a->own[i] + length + 1;
    return NULL;
}

bool has_flag(const arguments *a, const char *flag) {
    for (size_t i = 0; i < a->n_flags; i++)
        if (strcmp(a->flags[i], flag) == 0) return true;
    return false;
}

bool argument_count(const arguments *a, const char *key, size_t low, size_t high, size_t *value) {
    const char *s = argument(a, key);
    if (!s) return true;
    const size_t length = strspn(s, "0123456789");
    const size_t number = length > 0 && length < 16 && s[length] == '\0' ? strtoull(s, NULL, 10) : high + 1;
    if (number < low || number > high) {
        say_usage(a->verb, "%s=%s: must be a whole number from %zu to %zu", key, s, low, high);
        return false;
    }
    *value = number;
    return true;
}

static void log_line(void *user, const char *line) {
    (void)user;
    say("warning: %s", line);
}

ln_context *open_context(int n_threads) { return open_context_telling(n_threads, log_line, NULL); }

ln_context *open_context_telling(int n_threads, void (*warn)(void *user, const char *line), void *user) {
    ln_error           error = {0};
    ln_context_options options = LN_CONTEXT_OPTIONS;
    options.n_threads = n_threads;
    options.log = warn;
    options.log_user = user;
    ln_context *context = ln_context_new(&options, &error);
    if (context) ln_context_watch(context, work_show, NULL);
    else say_error(&error);
    return context;
}

size_t file_head(const char *path, unsigned char *bytes, size_t n) {
    struct stat  st;
    FILE        *file = stat(path, &st) == 0 && S_ISREG(st.st_mode) ? fopen(path, "rb") : NULL;
    const size_t n_read = file ? fread(bytes, 1, n, file) : 0;
    if (file) fclose(file);
    return n_read;
}

bool is_folder(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

const char *without_slash(pool *owner, const char *path) {
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') n--;
    return pool_copy(owner, path, n);
}

bool ends_in(const char *path, const char *end) {
    const size_t n = strlen(path), m = strlen(end);
    return n > m && strcmp(path + n - m, end) == 0;
}

#define LAST_WEIGHTS "weights/last.safetensors"

static bool has_weights(const char *path) {
    pool       owner = {0};
    const bool is = access(pool_format(&owner, "%s/" LAST_WEIGHTS, path), F_OK) == 0;
    pool_free(&owner);
    return is;
}

/* safetensors begin with the header's length, 8 bytes of which the last are zero, and then its "{". */
bool is_weights(const char *path) {
    unsigned char head[9];
    const size_t  n = file_head(path, head, sizeof head);
    return ends_in(path, ".safetensors") || (n == sizeof head && head[7] == 0 && head[6] == 0 && head[8] == '{') ||
           has_weights(path);
}

ln_model *load_weights(ln_context *context, const char *path, ln_error *error) {
    pool            owner = {0};
    ln_model *const model =
        ln_model_load(context, has_weights(path) ? pool_format(&owner, "%s/" LAST_WEIGHTS, path) : path, error);
    pool_free(&owner);
    return model;
}

const char *run_of_weights(pool *owner, const char *path) {
    static const char folder[] = "weights";
    const char *const slash = strrchr(path, '/');
    const size_t      m = sizeof folder - 1;
    size_t            n = slash ? (size_t)(slash - path) : 0;
    if (has_weights(path)) return without_slash(owner, path);
    while (n > 1 && path[n - 1] == '/') n--;
    if (n < m || memcmp(path + n - m, folder, m) != 0 || (n > m && path[n - m - 1] != '/')) return NULL;
    const char *const run = n > m + 1 ? pool_copy(owner, path, n - m - 1) : n > m ? "/" : ".";
    return access(pool_format(owner, "%s/recipe.yaml", run), F_OK) == 0 ? run : NULL;
}

const char *class_name(const ln_model *model, size_t i, pool *owner) {
    const char *const name = ln_model_class(model, i);
    return name ? name : pool_format(owner, "%zu", i);
}

size_t place_of_largest(const float *values, size_t n) {
    size_t at = 0;
    for (size_t i = 1; i < n; i++)
        if (values[i] > values[at]) at = i;
    return at;
}
