/* main.c: linnet-sweep, the program that trains a recipe many times and compares: linnet sweep becomes it. */
#include "interrupt.h"
#include "program.h"
#include "run_folder.h"
#include "sweep.h"
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_JOBS = 256 };

/* A sweep being made or looked at. */
typedef struct session {
    const arguments *a;
    sweep            s;
    ranking          by;
    size_t           jobs;
    ln_context      *context;
    store           *db;
    int              lock; /* the folder, open and locked, or -1 */
    ln_error         error;
} session;

/* ------------------------------------------------------------------- folder */

static const char *database(session *x) { return pool_format(&x->s.owner, "%s/" SWEEP_DATABASE, x->s.path); }

static bool is_empty(const char *path) {
    DIR *const folder = opendir(path);
    size_t     n = 0;
    while (folder && readdir(folder)) n++;
    if (folder) closedir(folder);
    return n <= 2; /* . and .. */
}

/* One sweep, one process: the lock goes when the process ends, however it does. */
static bool lock(session *x) {
    x->lock = open(x->s.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (x->lock < 0)
        return fill_error(&x->error, LN_E_IO, "cannot open the folder %.300s: %s", x->s.path, strerror(errno));
    if (flock(x->lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return true;
    return fill_error(&x->error, LN_E_IO,
                      "%.300s is being written by another sweep: wait until that ends, or end it first", x->s.path);
}

static bool make_folder(session *x) {
    struct stat st;
    const bool  there = stat(x->s.path, &st) == 0;
    if (there && !run_folder_holds_sweep(x->s.path) && !is_empty(x->s.path))
        return fill_error(&x->error, LN_E_IO,
                          "%.300s is there already and holds no sweep: choose another name=", x->s.path);
    if (!run_folder_holds_sweep(x->s.path) && !sweep_try(&x->s, x->context, &x->error))
        return false; /* before anything is written */
    return run_folder_parents(x->s.path, &x->error) && lock(x);
}

/* -------------------------------------------------------------------- words */

/* The recipe's name without folder and ending. */
static const char *default_name(const char *file, pool *owner) {
    const char *const slash = strrchr(file, '/'), *const name = slash ? slash + 1 : file,
                      *const dot = strrchr(name, '.');
    return pool_format(owner, "sweep_%.*s", (int)(dot && dot > name ? (size_t)(dot - name) : strlen(name)), name);
}

static bool good_name(const char *name) {
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f || *c == '/') return false;
    return name[strspn(name, " ")] && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* STATUS_OK, or what is wrong with the command line. */
static int read_words(session *x) {
    const arguments *const a = x->a;
    sweep *const           s = &x->s;
    const char            *name = argument(a, "name"), *project = argument(a, "project");
    if (!name) name = default_name(a->words[0], &s->owner);
    if (!good_name(name))
        return say_usage(a->verb, "name=%s: the name of a folder, not blank, without '/' and control characters", name);
    if (project && !*project) return say_usage(a->verb, "project=: the folder that the sweep's folder is made in");
    s->path = pool_format(&s->owner, "%s/%s", project ? project : "runs", name);
    s->repeats = 1;
    if (!argument_count(a, "repeats", 1, SWEEP_MAX_RUNS, &s->repeats) ||
        !argument_count(a, "samples", 1, SWEEP_MAX_RUNS, &s->samples) ||
        !argument_count(a, "jobs", 1, MOST_JOBS, &x->jobs))
        return STATUS_USAGE;
    return STATUS_OK;
}

/* KEY=VALUES that are none of the verb's own keys. */
static const char *const *pairs_of(session *x, size_t *n) {
    const arguments *const a = x->a;
    const char           **pairs = pool_take(&x->s.owner, (a->n_own + 1) * sizeof *pairs);
    *n = 0;
    for (size_t i = 0; i < a->n_own; i++) {
        const size_t length = strcspn(a->own[i], "=");
        size_t       k = 0;
        while (a->verb->keys[k] &&
               (strlen(a->verb->keys[k]) != length || strncmp(a->own[i], a->verb->keys[k], length) != 0))
            k++;
        if (!a->verb->keys[k]) pairs[(*n)++] = a->own[i];
    }
    return pairs;
}

static bool read_file(sweep *s, const char *path, ln_error *error) {
    s->file = path;
    s->bytes = results_file(&s->owner, path, TREE_MAX_BYTES, &s->n_bytes, error);
    return s->bytes != NULL;
}

/* ----------------------------------------------------------------- continue */

/* Fills the database, or takes up what is there. */
static bool take_up(session *x) {
    sweep *const s = &x->s;
    size_t       first_setting = 0, first_run = 0;
    x->db = store_open(database(x), &x->error);
    if (!x->db) return false;
    if (!store_is_empty(x->db)) {
        sweep old = {0};
        bool  good =
            store_load(x->db, &old, &x->error) && sweep_continue(s, &old, &first_setting, &first_run, &x->error);
        pool_free(&old.owner);
        if (!good) return false;
    }
    for (size_t i = 0; i < s->n_runs; i++)
        if (s->runs[i].state == RUN_RUNNING || s->runs[i].state == RUN_FAILED) s->runs[i].state = RUN_WAITING;
    const char *const copy = pool_format(&s->owner, "%s/recipe.yaml", s->path);
    return (first_run == s->n_runs || store_add(x->db, s, first_setting, first_run, &x->error)) &&
           ln_file_write(x->context, copy, s->bytes, s->n_bytes, &x->error) == LN_OK;
}

static size_t count(const sweep *s, run_state state) {
    size_t n = 0;
    for (size_t i = 0; i < s->n_runs; i++) n += s->runs[i].state == state;
    return n;
}

/* As many at a time as fill the processors. */
static crew choose_crew(const session *x) {
    const size_t n_threads = (size_t)ln_context_threads(x->context), n_left = count(&x->s, RUN_WAITING);
    const size_t each = x->s.own_threads ? x->s.own_threads : x->s.threads ? x->s.threads : 1;
    size_t       jobs = x->jobs ? x->jobs : n_threads / each;
    if (jobs > n_left) jobs = n_left;
    if (jobs < 1) jobs = 1;
    const size_t threads = x->s.own_threads ? x->s.own_threads : n_threads / jobs;
    return (crew){.jobs = jobs, .threads = threads ? threads : 1, .by = &x->by};
}

static const char *plural(size_t n) { return n == 1 ? "" : "s"; }

static void print_head(const session *x, const crew *c) {
    const sweep *const s = &x->s;
    const size_t       n_left = count(s, RUN_WAITING);
    printf("%s: %zu setting%s, %zu run%s", s->file, s->n_settings, plural(s->n_settings), s->n_runs, plural(s->n_runs));
    if (n_left > 0 && n_left < s->n_runs) printf(", %zu of them done before", s->n_runs - n_left);
    if (n_left > 0)
        printf(", %zu at a time with %zu thread%s%s", c->jobs, c->threads, plural(c->threads),
               c->jobs > 1 ? " each" : "");
    printf("%s into %s\n", n_left > 0 ? "," : ", all done before,", s->path);
    fflush(stdout);
}

/* ---------------------------------------------------------------------- run */

static int list(const session *x) {
    const crew c = choose_crew(x);
    pool       owner = {0};
    print_head(x, &c);
    for (size_t i = 0; i < x->s.n_runs; i++) printf("%03zu  %s\n", i + 1, sweep_name(&x->s, &x->s.runs[i], &owner));
    pool_free(&owner);
    return STATUS_OK;
}

static int give_up(session *x) {
    return x->s.usage ? say_usage(x->a->verb, "%s", x->error.message) : say_error(&x->error);
}

static int train_all(session *x) {
    const crew c = choose_crew(x);
    print_head(x, &c);
    interrupt_listen(); /* at the second signal the children die with their parent */
    const bool trained = count(&x->s, RUN_WAITING) == 0 || children_train(&x->s, x->db, &c, &x->error);
    if (!trained) return give_up(x);
    const size_t n_left = count(&x->s, RUN_WAITING);
    if (n_left > 0)
        return say("interrupted: %zu of %zu runs are done; the same words go on", x->s.n_runs - n_left, x->s.n_runs);
    if (!ranking_print(&x->s, x->db, &x->by, &x->error)) return give_up(x);
    const size_t n_failed = count(&x->s, RUN_FAILED);
    return n_failed == 0 ? STATUS_OK
                         : say("%zu run%s failed: the same words try %s again", n_failed, plural(n_failed),
                               n_failed == 1 ? "it" : "them");
}

/* linnet sweep RECIPE ... */
static int begin(session *x) {
    const arguments *const a = x->a;
    int                    status = read_words(x);
    if (status != STATUS_OK) return status;
    x->context = open_context(0);
    if (!x->context) return STATUS_FAILED;
    size_t                   n_pairs;
    const char *const *const pairs = pairs_of(x, &n_pairs);
    if (!read_file(&x->s, a->words[0], &x->error) || !sweep_plan(&x->s, pairs, n_pairs, x->context, &x->error))
        return give_up(x);
    if (has_flag(a, "--list")) return list(x);
    return make_folder(x) && take_up(x) ? train_all(x) : give_up(x);
}

/* linnet sweep runs/NAME */
static int look(session *x) {
    const arguments *const a = x->a;
    x->s.path = without_slash(&x->s.owner, a->words[0]);
    for (size_t i = 0; i < a->n_own; i++)
        if (strncmp(a->own[i], "by=", 3) != 0 && strncmp(a->own[i], "at=", 3) != 0)
            return say_usage(a->verb, "%s: of a sweep's folder the table is printed, which only by= and at= change",
                             a->own[i]);
    if (!run_folder_holds_sweep(x->s.path)) return say("%s holds no sweep (sweep.db)", x->s.path);
    x->db = store_open(database(x), &x->error);
    if (x->db && store_is_empty(x->db))
        return say("%s holds no runs yet: linnet sweep RECIPE and its values begin them", x->s.path);
    return x->db && store_load(x->db, &x->s, &x->error) && ranking_print(&x->s, x->db, &x->by, &x->error)
               ? STATUS_OK
               : say_error(&x->error);
}

static int run(const arguments *a) {
    session x = {.a = a, .lock = -1};
    int     status = STATUS_USAGE;
    if (ranking_read(a, &x.by)) status = is_folder(a->words[0]) ? look(&x) : begin(&x);
    store_close(x.db);
    if (x.lock >= 0) close(x.lock);
    ln_context_free(x.context);
    pool_free(&x.s.owner);
    return status;
}

int main(int argc, char **argv) {
    static const program_verb verbs_here[] = {{&verb_sweep, run}};
    return program_main(argc, argv, verbs_here, 1);
}
