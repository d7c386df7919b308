/* main.c: linnet-fetch, the program that downloads: linnet data fetch becomes it. */
#include "fetch.h"
#include "interrupt.h"
#include "program.h"

#include <curl/curl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int unknown(const arguments *a, const char *word) {
    text        list = {0};
    const char *names[32];
    size_t      n = 0;
    for (; ln_sets[n].name && n < 32; n++) {
        names[n] = ln_sets[n].name;
        text_add(&list, "%s%s", n == 0 ? "" : ln_sets[n + 1].name ? ", " : " and ", names[n]);
    }
    const char *const near = ln_nearest_word(word, names, n);
    say_usage(a->verb, "data fetch does not know '%s' (it gets %s)%s%s%s", word, list.bytes,
              near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    text_free(&list);
    return STATUS_USAGE;
}

/* base as it stands in LINNET_DATA, or where the library looks by itself. */
static bool is_searched(const char *base, const char *home) {
    const char *const data = getenv("LINNET_DATA");
    return (data && strcmp(data, base) == 0) || (home && strcmp(home, base) == 0);
}

static int fetch_one(const ln_set *set, const char *base, const char *home, pool *owner) {
    const char *const mirror = getenv("LINNET_MIRROR");
    const fetching    f = {.set = set,
                           .folder = pool_format(owner, "%s/%s", base, set->name),
                           .mirror = mirror && *mirror ? mirror : NULL};
    ln_error          error = {0};
    if (!fetch_set(&f, &error)) return say_error(&error);
    if (is_searched(base, home)) printf("%s is in %s; in a recipe: data.name: %s\n", set->title, f.folder, set->name);
    else
        printf("%s is in %s; with LINNET_DATA=%s, in a recipe: data.name: %s\n", set->title, f.folder, base, set->name);
    return STATUS_OK;
}

static int fetch(const arguments *a) {
    const char *const to = argument(a, "to");
    char              home[PATH_MAX];
    const bool        has_home = ln_set_home(home, sizeof home);
    pool              owner = {0};
    int               status = STATUS_OK;
    for (size_t i = 1; i < a->n_words; i++)
        if (!ln_set_find(a->words[i])) return unknown(a, a->words[i]);
    if (to && !*to) return say_usage(a->verb, "to=: must be a folder");
    if (!to && !has_home)
        return say("there is no home to put data into, as neither XDG_DATA_HOME nor HOME is set: name a folder by to=");
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return say("libcurl cannot be used on this machine");
    interrupt_listen(); /* at the second signal too the partial file is kept */
    for (size_t i = 1; i < a->n_words && status == STATUS_OK; i++)
        status = fetch_one(ln_set_find(a->words[i]), to ? to : home, has_home ? home : NULL, &owner);
    curl_global_cleanup();
    pool_free(&owner);
    return status;
}

int main(int argc, char **argv) {
    static const program_verb list[] = {{&verb_data, fetch}};
    return program_main(argc, argv, list, sizeof list / sizeof *list);
}
