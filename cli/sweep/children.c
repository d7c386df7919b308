/* children.c: the runs of a sweep, each a linnet train of its own, several at a time. A child dies with the sweep, so
 * that nobody is left to write a run that goes on elsewhere; what it had written is resumed. */
#include "bar.h"
#include "interrupt.h"
#include "program.h"
#include "run_folder.h"
#include "sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TAIL_BYTES = 8192, PAUSE_MS = 5 };

typedef struct child {
    pid_t  process; /* 0: none */
    size_t run;
    bool   begun; /* an earlier attempt left its folder, and a log there */
    double started;
    double epoch, epoch_at; /* the last one measured, and the seconds that it took this child to get there */
} child;

typedef struct work {
    sweep      *s;
    store      *db;
    const crew *crew;
    child      *children; /* crew->jobs of them */
    size_t      next;     /* run to look at */
    size_t      n_all, n_done;
    bar         line;
    double      started;
    double      looked;                       /* when the epochs were last looked at */
    double      n_finished, finished_seconds; /* runs that finished under this sweep, and what they took together */
    bool        told;                         /* the children were told to stop */
    ln_error   *error;
} work;

/* -------------------------------------------------------------------- start */

/* What a train leaves that is killed before it has written its recipe: begun anew, it would be in the way. */
static bool clear_beginning(const char *folder, ln_error *error) {
    pool              owner = {0};
    const char *const weights = pool_format(&owner, "%s/weights", folder);
    run_folder_sweep(folder);
    run_folder_sweep(weights);
    rmdir(weights);
    const bool good = rmdir(folder) == 0 ||
                      fill_error(error, LN_E_IO, "%.300s is in the way of this run: %s", folder, strerror(errno));
    pool_free(&owner);
    return good;
}

/* Whether there is something to go on with; a folder that is another run's is an error. */
static bool has_begun(const sweep_run *r, const char *folder, bool *begun, ln_error *error) {
    pool              owner = {0};
    struct stat       st;
    const char *const file = pool_format(&owner, "%s/recipe.yaml", folder);
    bool              good = true;
    *begun = access(file, F_OK) == 0;
    if (*begun) {
        recipe there = {0};
        good = recipe_read(&there, file, NULL, 0, error);
        if (good && strcmp(recipe_essence(&there, true, &owner), r->recipe) != 0)
            good = fill_error(error, LN_E_ARGUMENT, "%.300s is a run of another recipe: move it away", folder);
        recipe_free(&there);
    } else if (lstat(folder, &st) == 0) {
        good = clear_beginning(folder, error);
    }
    pool_free(&owner);
    return good;
}

/* linnet train ..., NULL-terminated. */
static char *const *words_of(const work *w, size_t run, const char *folder, bool begun, pool *owner) {
    const sweep *const s = w->s;
    const char *const  threads = pool_format(owner, "threads=%zu", w->crew->threads);
    const char **const own = sweep_words(s, s->runs[run].setting, &s->runs[run].seed, owner);
    size_t             n_own = 0, n = 0;
    while (own[n_own]) n_own++;
    const char **const words = pool_take(owner, (n_own + 12) * sizeof *words);
    words[n++] = "linnet";
    words[n++] = "train";
    if (begun) words[n++] = "--resume";
    else words[n++] = "pictures=false";
    for (size_t i = 0; i < n_own && !begun; i++) words[n++] = own[i];
    words[n++] = threads;
    if (!begun) words[n++] = pool_format(owner, "project=%s", s->path);
    if (!begun) words[n++] = pool_format(owner, "name=%03zu", run + 1);
    words[n++] = "--";
    words[n++] = begun ? folder : pool_format(owner, "%s/recipe.yaml", s->path);
    return (char *const *)(uintptr_t)words;
}

/* Between fork and exec only what signal handlers may do. Ctrl-C is for the sweep, which tells its children. */
static void become_train(const char *path, char *const *words, int log, pid_t parent) {
    const int null = open("/dev/null", O_RDONLY);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || null < 0) _exit(127);
    if (dup2(null, STDIN_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0) _exit(127);
    execv(path, words);
    _exit(127);
}

/* Where what a run says is kept: beside its folder until that is there, and then in it. */
static const char *log_of(const work *w, size_t run, bool begun, pool *owner) {
    const char *const beside = sweep_file(w->s, run, ".log", owner);
    const char *const within = sweep_file(w->s, run, "/log.txt", owner);
    if (begun && access(within, F_OK) != 0) rename(beside, within); /* the sweep was killed meanwhile */
    return begun ? within : beside;
}

static bool start(work *w, child *c, size_t run, bool begun) {
    pool              owner = {0};
    const char *const path = program_command(&owner), *const log_file = log_of(w, run, begun, &owner);
    char *const *const words = words_of(w, run, sweep_file(w->s, run, "", &owner), begun, &owner);
    const pid_t        parent = getpid();
    bool               good = true;
    const int          log = open(log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (!path)
        good = fill_error(w->error, LN_E_IO,
                          "the command linnet is missing, which trains: it belongs beside linnet-sweep, "
                          "or into bin of its folder");
    else if (log < 0) good = fill_error(w->error, LN_E_IO, "cannot write %.300s: %s", log_file, strerror(errno));
    fflush(stdout);
    const pid_t process = good ? fork() : -1;
    if (process == 0) become_train(path, words, log, parent);
    if (good && process < 0) good = fill_error(w->error, LN_E_IO, "cannot start linnet train: %s", strerror(errno));
    if (log >= 0) close(log);
    if (good) *c = (child){.process = process, .run = run, .begun = begun, .started = seconds_now()};
    pool_free(&owner);
    return good;
}

/* ---------------------------------------------------------------------- end */

/* The last bytes of a file as text. */
static char *tail_of(const char *path, pool *owner) {
    char *const bytes = pool_take(owner, TAIL_BYTES + 1);
    const int   file = open(path, O_RDONLY | O_CLOEXEC);
    const off_t size = file < 0 ? 0 : lseek(file, 0, SEEK_END);
    if (size > 0 && pread(file, bytes, TAIL_BYTES, size > TAIL_BYTES ? size - TAIL_BYTES : 0) < 0) *bytes = '\0';
    if (file >= 0) close(file);
    return bytes;
}

/* What the child said last on its standard error, warnings aside. */
static const char *last_words(const char *log, pool *owner) {
    static const char name[] = "linnet: ", warning[] = "linnet: warning: ";
    const char       *found = "";
    char             *save = NULL;
    for (char *line = strtok_r(tail_of(log, owner), "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        if (strncmp(line, name, sizeof name - 1) == 0 && strncmp(line, warning, sizeof warning - 1) != 0)
            found = line + sizeof name - 1;
    return found;
}

/* Fills state and message by how the child ended. */
static void judge(const work *w, sweep_run *r, int status, const char *log) {
    pool *const       owner = &w->s->owner;
    const char *const words = last_words(log, owner);
    r->message = "";
    if (WIFEXITED(status) && WEXITSTATUS(status) == STATUS_OK) {
        r->state = RUN_FINISHED;
        return;
    }
    r->message = WIFSIGNALED(status) ? pool_format(owner, "ended by signal %d", WTERMSIG(status))
                 : *words            ? words
                                     : pool_format(owner, "ended with status %d", WEXITSTATUS(status));
    r->state = strstr(words, RUN_NOT_FINITE) ? RUN_DIVERGED : RUN_FAILED;
    if (r->state == RUN_FAILED && w->told) r->state = RUN_WAITING, r->message = "";
}

/* The rows of the run's folder; none where it has none. */
static void read_rows(sweep_run *r, const char *folder, results *rows, pool *owner) {
    ln_error          error = {0};
    const char *const file = pool_format(owner, "%s/results.csv", folder);
    *rows = (results){0};
    if (results_read(rows, owner, file, &error)) {
        const double *const seconds = results_seconds(rows, owner);
        if (seconds && rows->n_rows > 0) r->seconds = seconds[rows->n_rows - 1];
    } else if (r->state == RUN_FINISHED) {
        r->state = RUN_FAILED;
        r->message = pool_format(owner, "%s", error.message);
    }
}

static void print_end(work *w, size_t run, const results *rows) {
    pool                   owner = {0};
    const sweep_run *const r = &w->s->runs[run];
    const char *const      name = sweep_name(w->s, r, &owner);
    bar_clear(&w->line);
    if (r->state == RUN_FINISHED)
        printf("%03zu  %s  %s  %.2f s\n", run + 1, name, ranking_of_rows(w->crew->by, rows, &owner), r->seconds);
    else if (r->state != RUN_WAITING) /* why is said below the table */
        printf("%03zu  %s  %s\n", run + 1, name, r->state == RUN_DIVERGED ? "diverged" : "failed");
    fflush(stdout);
    pool_free(&owner);
}

static bool finish(work *w, child *c, int status) {
    pool              owner = {0};
    sweep_run *const  r = &w->s->runs[c->run];
    const char *const folder = sweep_file(w->s, c->run, "", &owner);
    const char *const log = log_of(w, c->run, c->begun, &owner);
    results           rows;
    c->process = 0;
    judge(w, r, status, log);
    read_rows(r, folder, &rows, &owner);
    if (r->state == RUN_WAITING) rows = (results){0};                                     /* it goes on another time */
    if (r->state == RUN_FAILED) r->message = pool_format(&w->s->owner, "%s", r->message); /* rows are the owner's */
    /* Whoever is killed from here on finds the run ended and its log in place, or goes on with it. */
    if (!c->begun && access(folder, F_OK) == 0) rename(log, pool_format(&owner, "%s/log.txt", folder));
    const bool good = store_end(w->db, c->run, r, &rows, w->error);
    w->n_done += r->state != RUN_WAITING;
    w->n_finished += r->state == RUN_FINISHED;
    w->finished_seconds += r->state == RUN_FINISHED ? seconds_now() - c->started : 0;
    if (good) print_end(w, c->run, &rows);
    pool_free(&owner);
    return good;
}

/* A run that cannot even begin. */
static bool refuse(work *w, size_t run, const ln_error *why) {
    sweep_run *const r = &w->s->runs[run];
    const results    none = {0};
    r->state = RUN_FAILED;
    r->message = pool_format(&w->s->owner, "%s", why->message);
    w->n_done++;
    print_end(w, run, &none);
    return store_state(w->db, run, r, w->error);
}

/* --------------------------------------------------------------------- loop */

static bool begin_next(work *w, child *c) {
    pool             owner = {0};
    const size_t     run = w->next++;
    sweep_run *const r = &w->s->runs[run];
    ln_error         why = {0};
    bool             begun, good;
    if (r->state != RUN_WAITING) return true;
    if (has_begun(r, sweep_file(w->s, run, "", &owner), &begun, &why)) {
        r->state = RUN_RUNNING;
        good = store_state(w->db, run, r, w->error) && start(w, c, run, begun);
    } else {
        good = refuse(w, run, &why);
    }
    pool_free(&owner);
    return good;
}

static void tell(work *w) {
    for (size_t i = 0; i < w->crew->jobs; i++)
        if (w->children[i].process > 0) kill(w->children[i].process, SIGTERM);
    w->told = true;
}

/* Collects those that have ended. */
static bool collect(work *w, size_t *n_left) {
    bool good = true;
    *n_left = 0;
    for (size_t i = 0; i < w->crew->jobs; i++) {
        child *const c = &w->children[i];
        int          status = -1; /* of a child that somebody else has waited for */
        if (c->process == 0) continue;
        if (waitpid(c->process, &status, WNOHANG) == 0) (*n_left)++;
        else good = finish(w, c, status) && good;
    }
    return good;
}

/* The epoch of the last row that has one. */
static double epoch_of(const work *w, size_t run) {
    pool   owner = {0};
    double epoch = 0;
    char  *save = NULL, *tail = tail_of(sweep_file(w->s, run, "/results.csv", &owner), &owner);
    strtok_r(tail, "\n", &save); /* the heading, or a part of a row */
    for (const char *line = strtok_r(NULL, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        if (*line >= '0' && *line <= '9') epoch = strtod(line, NULL);
    pool_free(&owner);
    return epoch;
}

static void look(const work *w, child *c, double time) {
    const double epoch = epoch_of(w, c->run);
    if (epoch > c->epoch) c->epoch = epoch, c->epoch_at = time - c->started;
}

/* How much of a run is done: by its epochs, between which it is taken to go on as fast, or by what finished runs took,
 * whichever says more; 0 as long as neither is known. */
static double share_of(const work *w, const child *c, double time) {
    const double most = 0.95, seconds = time - c->started, n = w->s->runs[c->run].epochs;
    const double pace = c->epoch_at > 0 ? c->epoch * seconds / c->epoch_at : 0;
    const double by_epochs = (pace < c->epoch + 1 ? pace : c->epoch + 1) / n;
    const double by_time = w->finished_seconds > 0 ? seconds * w->n_finished / w->finished_seconds : 0;
    const double share = by_epochs > by_time ? by_epochs : by_time;
    return share < most ? share : most;
}

static void show(work *w) {
    const double time = seconds_now();
    const bool   looks = time - w->looked > 0.5;
    double       sum = (double)w->n_done;
    pool         owner = {0};
    if (!bar_due(&w->line)) return;
    for (size_t i = 0; i < w->crew->jobs; i++) {
        child *const c = &w->children[i];
        if (c->process == 0) continue;
        if (looks) look(w, c, time);
        sum += share_of(w, c, time);
    }
    if (looks) w->looked = time;
    const double      share = sum / (double)w->n_all;
    const char *const figures[] = {pool_format(&owner, "%3.0f %%", 100 * share),
                                   bar_left(&owner, time - w->started, share)};
    bar_draw(&w->line, pool_format(&owner, "%zu/%zu runs", w->n_done, w->n_all), share, figures, 2);
    pool_free(&owner);
}

/* One look at all; *n_left: how many still run. */
static bool turn(work *w, size_t *n_left) {
    bool good = collect(w, n_left);
    for (size_t i = 0; i < w->crew->jobs && good && !interrupt_asked(); i++)
        while (w->children[i].process == 0 && w->next < w->s->n_runs && good) {
            good = begin_next(w, &w->children[i]);
            *n_left += w->children[i].process > 0;
        }
    show(w);
    return good;
}

/* After an error or a signal the children end in their own time. */
static bool run_all(work *w) {
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000 * 1000};
    bool                  good = true;
    size_t                n_left = 0;
    for (;;) {
        if (good) good = turn(w, &n_left);
        else collect(w, &n_left);
        if (n_left == 0 && (!good || interrupt_asked() || w->next == w->s->n_runs)) return good;
        if ((!good || interrupt_asked()) && !w->told) tell(w);
        nanosleep(&pause, NULL);
    }
}

bool children_train(sweep *s, store *db, const crew *c, ln_error *error) {
    ln_error first = {0};
    work     w = {.s = s, .db = db, .crew = c, .line = bar_start(true), .started = seconds_now(), .error = &first};
    w.children = take(c->jobs, sizeof *w.children);
    for (size_t i = 0; i < s->n_runs; i++) w.n_all += s->runs[i].state == RUN_WAITING;
    const bool good = run_all(&w);
    bar_clear(&w.line);
    free(w.children);
    if (!good) *error = first;
    return good;
}
