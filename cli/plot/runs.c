/* runs.c: names of folders as runs: sweeps opened, what is no run left out. */
#include "runs.h"
#include "cli.h"
#include "results.h"
#include "run_folder.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

enum { FEW = 3 };

/* ------------------------------------------------------------------- sweeps */

static int is_number(const struct dirent *entry) {
    const size_t length = strspn(entry->d_name, "0123456789");
    return length > 0 && entry->d_name[length] == '\0';
}

static void add(runs *to, pool *owner, const char *path, size_t *capacity) {
    if (to->n == *capacity) {
        const char **const more = pool_take(owner, (2 * *capacity + 64) * sizeof *more);
        for (size_t i = 0; i < to->n; i++) more[i] = to->path[i];
        *capacity = 2 * *capacity + 64;
        to->path = more;
    }
    to->path[to->n++] = path;
}

static void add_sweep(runs *to, pool *owner, const char *path, size_t *capacity) {
    struct dirent **entries = NULL;
    const int       n = scandir(path, &entries, is_number, versionsort);
    const bool      slash = *path && path[strlen(path) - 1] == '/';
    for (int i = 0; i < n; i++) {
        add(to, owner, pool_format(owner, "%s%s%s", path, slash ? "" : "/", entries[i]->d_name), capacity);
        free(entries[i]);
    }
    free(entries);
}

const char *sweep_instead(const char *path, pool *owner) {
    runs   in = {0};
    size_t capacity = 0;
    if (!run_folder_holds_sweep(path)) return NULL;
    add_sweep(&in, owner, path, &capacity);
    return pool_format(owner, "'%s' is a sweep: give one of its runs%s%s, or linnet plot %s for the curves of all",
                       path, in.n ? ", such as " : "", in.n ? in.path[0] : "", path);
}

/* -------------------------------------------------------------------- words */

/* A results.csv that cannot be understood is worth an error, and so is not left out. */
static bool has_rows(const char *path) {
    pool              owner = {0};
    ln_error          error = {0};
    results           table = {0};
    const char *const file = pool_format(&owner, "%s/results.csv", path);
    const bool        read = is_folder(path) && results_read(&table, &owner, file, &error);
    const bool        has = read ? table.n_rows > 0 : error.status == LN_E_FORMAT;
    pool_free(&owner);
    return has;
}

static const char *first_few(const runs *out, pool *owner) {
    text list = {0};
    for (size_t i = 0; i < out->n && i < FEW; i++) text_add(&list, "%s'%s'", i ? ", " : "", out->path[i]);
    if (out->n > FEW) text_add(&list, ", ...");
    const char *const copy = pool_copy(owner, list.bytes, list.n);
    text_free(&list);
    return copy;
}

/* Those of all that have nothing to draw go over to out. */
static void sort_out(runs *all, runs *out, pool *owner) {
    size_t n = 0;
    out->path = pool_take(owner, (all->n + 1) * sizeof *out->path);
    for (size_t i = 0; i < all->n; i++)
        if (has_rows(all->path[i])) all->path[n++] = all->path[i];
        else out->path[out->n++] = all->path[i];
    all->n = n;
}

bool runs_find(runs *found, pool *owner, const char *const *words, size_t n, ln_error *error) {
    size_t capacity = 0;
    runs   out = {0};
    *found = (runs){0};
    for (size_t i = 0; i < n; i++)
        if (run_folder_holds_sweep(words[i])) add_sweep(found, owner, words[i], &capacity);
        else add(found, owner, words[i], &capacity);
    const size_t n_all = found->n;
    if (n == 1 && n_all == 1 && found->path[0] == words[0]) return true;
    sort_out(found, &out, owner);
    if (found->n == 0 && n == 1)
        return fill_error(error, LN_E_FORMAT,
                          "'%.200s' is a sweep of which no run has rows yet: there is nothing to draw", words[0]);
    if (found->n == 0)
        return fill_error(error, LN_E_ARGUMENT, "none of %zu names is the folder of a run that has rows: %.300s", n_all,
                          first_few(&out, owner));
    if (out.n)
        say("%zu of %zu %s: %s", out.n, n_all,
            out.n == 1 ? "is left out, as it is no run or has no rows yet"
                       : "are left out, as they are no runs or have no rows yet",
            first_few(&out, owner));
    return true;
}
