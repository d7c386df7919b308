/* main.c: the command `linnet`: finds the verb, takes the command line apart, runs it. Nothing is set up before it is
 * known to be needed. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const verb *const verbs[] = {
#define VERB(name) &verb_##name,
#include "verbs.def"
#undef VERB
    NULL};

void print_help(void) {
    puts("linnet trains and runs convolutional networks.\n\nUsage: linnet VERB [WORDS ...] [KEY=VALUE ...]\n\nVerbs:");
    for (size_t i = 0; verbs[i]; i++) printf("  %-9s %s\n", verbs[i]->name, verbs[i]->summary);
    puts("\nlinnet VERB --help says more of each; linnet --version says which this is.\n"
         "\n"
         "Start with:\n"
         "  linnet train recipes/lenet5.yaml\n"
         "  linnet predict runs/1/weights/last.safetensors mnist first=10 --show\n"
         "\n"
         "Environment:\n"
         "  LINNET_THREADS=N  threads to use (all processors)\n"
         "  LINNET_ISA=NAME   plain, avx2, avx512 or neon (the best there is)\n"
         "  LINNET_DATA=DIR   where mnist/ and other known sets lie\n"
         "  LINNET_MIRROR=URL where data fetch looks first\n"
         "  LINNET_CACHE=DIR  where decoded pictures are kept, and what memory cannot hold lies\n"
         "                    (~/.cache/linnet; deleting it does no harm)\n"
         "  LINNET_DATA_MEMORY=MIB\n"
         "                    the most that a set may take in memory (half of what is free)\n"
         "  NO_COLOR=1        no colours\n"
         "\n"
         "Exit status: 0 done, 1 failed, 2 wrong usage.");
}

void print_verb_help(const verb *v) { printf("Usage: linnet %s\n\n%s", v->usage, v->help); }

static bool listed(const char *word, size_t length, const char *const *list) {
    for (size_t i = 0; list && list[i]; i++)
        if (strlen(list[i]) == length && strncmp(list[i], word, length) == 0) return true;
    return false;
}

/* Length of KEY in KEY=VALUE, 0 for other words: a path that holds "=" begins with another character or is given
 * after "--". */
static size_t key_length(const char *word) {
    const size_t length = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
    return word[length] == '=' && word[0] != '.' && word[0] != '-' ? length : 0;
}

static const char *near_in(pool *owner, const char *word, const char *const *list) {
    size_t n = 0;
    while (list && list[n]) n++;
    const char *nearest = n ? ln_nearest_word(word, list, n) : NULL;
    return nearest ? pool_format(owner, "; did you mean '%s'?", nearest) : "";
}

static int refuse_flag(pool *owner, const verb *v, const char *flag) {
    const char *equals = strchr(flag, '=');
    if (equals && strncmp(flag, "--", 2) == 0)
        return say_usage(v, "unknown option '%s': values are written without dashes: %s", flag, flag + 2);
    return say_usage(v, "unknown option '%s'%s", flag, near_in(owner, flag, v->flags));
}

/* Sorts the words after the verb into a. A status other than STATUS_OK: a message was written. */
static int sort(pool *owner, char **words, size_t n, arguments *a) {
    bool only_words = false;
    a->words = pool_take(owner, 4 * (n + 1) * sizeof *a->words);
    a->pairs = a->words + n + 1;
    a->own = a->pairs + n + 1;
    a->flags = a->own + n + 1;
    for (size_t i = 0; i < n; i++) {
        const char  *word = words[i];
        const size_t key = key_length(word);
        if (only_words) a->words[a->n_words++] = word;
        else if (strcmp(word, "--") == 0) only_words = true;
        else if (word[0] == '-' && word[1]) {
            if (!listed(word, strlen(word), a->verb->flags)) return refuse_flag(owner, a->verb, word);
            a->flags[a->n_flags++] = word;
        } else if (key && listed(word, key, a->verb->keys)) a->own[a->n_own++] = word;
        else if (key) a->pairs[a->n_pairs++] = word;
        else a->words[a->n_words++] = word;
    }
    return STATUS_OK;
}

static int check(pool *owner, const arguments *a) {
    const verb *v = a->verb;
    if (a->n_words < v->n_min) return say_usage(v, "something is missing: linnet %s", v->usage);
    if (a->n_words > v->n_max) return say_usage(v, "one word too many, '%s': linnet %s", a->words[v->n_max], v->usage);
    if (a->n_pairs == 0 || v->overrides) return STATUS_OK;
    const char *key = pool_copy(owner, a->pairs[0], key_length(a->pairs[0]));
    return say_usage(v, "%s: %s has no key '%s'%s", a->pairs[0], v->name, key, near_in(owner, key, v->keys));
}

static int run(const verb *v, char **words, size_t n) {
    pool      owner = {0};
    arguments a = {.verb = v};
    int       status = sort(&owner, words, n, &a);
    if (status == STATUS_OK) status = check(&owner, &a);
    if (status == STATUS_OK) status = v->run(&a);
    pool_free(&owner);
    return status;
}

static int dispatch(int argc, char **argv) {
    if (argc < 2)
        return say_usage(NULL, "a verb is missing:"
#define VERB(name) " " #name
#include "verbs.def"
#undef VERB
        );
    const char *names[sizeof verbs / sizeof *verbs] = {0};
    const verb *v = NULL;
    for (size_t i = 0; verbs[i]; i++) {
        names[i] = verbs[i]->name;
        if (strcmp(argv[1], verbs[i]->name) == 0) v = verbs[i];
    }
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0 && (v || i == 1); i++) {
        const bool help = strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0;
        if (help && v) print_verb_help(v);
        else if (help) print_help();
        else if (strcmp(argv[i], "--version") == 0) puts(ln_version());
        else continue;
        return STATUS_OK;
    }
    if (v) return run(v, argv + 2, (size_t)(argc - 2));
    pool      owner = {0};
    const int status = say_usage(NULL, "unknown verb '%s'%s", argv[1], near_in(&owner, argv[1], names));
    pool_free(&owner);
    return status;
}

/* A file opened later must not take the number of a stream that came closed. What stands for standard output can only
 * be read, so that writing to it fails as it would without. */
static void fill_streams(void) {
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 2 ? O_WRONLY : O_RDONLY) != fd) exit(STATUS_FAILED);
}

int main(int argc, char **argv) {
    fill_streams();
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error like others */
    const int status = dispatch(argc, argv);
    if (fflush(stdout) == 0 && !ferror(stdout)) return status;
    if (errno == EPIPE) return status; /* the reader left: no news to anyone */
    return status == STATUS_OK ? say("cannot write to standard output: %s", strerror(errno)) : status;
}
