/* run_folder.c: the folder of a training. */
#include "run_folder.h"
#include "tensorboard.h"

#include "cli.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static bool fail_io(ln_error *error, const char *what, const char *path) {
    return fill_error(error, LN_E_IO, "cannot %s %.300s: %s", what, path, strerror(errno));
}

bool run_folder_parents(const char *path, ln_error *error) {
    pool  owner = {0};
    char *part = pool_copy(&owner, path, strlen(path));
    bool  good = true;
    for (char *s = part + 1; good; s++) {
        const char end = *s;
        if (end != '/' && end != '\0') continue;
        *s = '\0';
        good = mkdir(part, 0777) == 0 || errno == EEXIST;
        if (!good) fail_io(error, "make the folder", part);
        *s = end;
        if (end == '\0') break;
    }
    pool_free(&owner);
    return good;
}

/* The largest number among the names in project, plus one. */
static unsigned long next_number(const char *project) {
    unsigned long next = 1;
    DIR          *folder = opendir(project);
    for (const struct dirent *entry; folder && (entry = readdir(folder));) {
        const size_t length = strspn(entry->d_name, "0123456789");
        if (length == 0 || length > 9 || entry->d_name[length]) continue;
        const unsigned long number = strtoul(entry->d_name, NULL, 10);
        if (number >= next) next = number + 1;
    }
    if (folder) closedir(folder);
    return next;
}

/* Another training may take the same number between looking and making. */
static bool make_numbered(run_folder *run, const char *project, ln_error *error) {
    for (unsigned long number = next_number(project);; number++) {
        run->path = pool_format(&run->owner, "%s/%lu", project, number);
        if (mkdir(run->path, 0777) == 0) return true;
        if (errno != EEXIST) {
            fail_io(error, "make the folder", run->path);
            run->path = NULL;
            return false;
        }
    }
}

static bool make_named(run_folder *run, const char *project, const char *name, ln_error *error) {
    const char *path = pool_format(&run->owner, "%s/%s", project, name);
    if (mkdir(path, 0777) == 0) {
        run->path = path;
        return true;
    }
    if (errno != EEXIST) return fail_io(error, "make the folder", path);
    return fill_error(error, LN_E_IO, "%.300s is there already: choose another name=, or remove it first", path);
}

static const char heading[] = "epoch,step,seconds,lr,train_loss,train_accuracy,val_loss,val_accuracy,test_loss,"
                              "test_accuracy\n";

/* Where the file system has no locks, there is none. A process that was killed may need a moment to be gone. */
static bool lock(const run_folder *run, ln_error *error) {
    const struct timespec moment = {.tv_nsec = 20000000};
    for (int i = 0; i < 100; i++) {
        if (flock(run->csv, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return true;
        nanosleep(&moment, NULL);
    }
    return fill_error(error, LN_E_IO,
                      "%.300s is being written by another process: wait until that ends, or end it first", run->path);
}

static bool open_results(run_folder *run, ln_error *error) {
    run->csv = open(run->results, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (run->csv < 0) return fail_io(error, "open", run->results);
    return lock(run, error);
}

static bool write_heading(run_folder *run, ln_error *error) {
    return ln_file_write(run->context, run->results, heading, sizeof heading - 1, error) == LN_OK &&
           open_results(run, error);
}

static void name_files(run_folder *run) {
    run->weights = pool_format(&run->owner, "%s/weights", run->path);
    run->recipe = pool_format(&run->owner, "%s/recipe.yaml", run->path);
    run->results = pool_format(&run->owner, "%s/results.csv", run->path);
    run->last = pool_format(&run->owner, "%s/last.safetensors", run->weights);
    run->best = pool_format(&run->owner, "%s/best.safetensors", run->weights);
    run->checkpoint = pool_format(&run->owner, "%s/checkpoint.safetensors", run->weights);
}

bool run_folder_make(run_folder *run, ln_context *context, const char *project, const char *name, const text *recipe,
                     ln_error *error) {
    *run = (run_folder){.context = context, .csv = -1, .board = -1};
    if (!run_folder_parents(project, error)) return false;
    if (!(name ? make_named(run, project, name, error) : make_numbered(run, project, error))) return false;
    name_files(run);
    bool good = mkdir(run->weights, 0777) == 0 || fail_io(error, "make the folder", run->weights);
    good = good && ln_file_write(context, run->recipe, recipe->bytes, recipe->n, error) == LN_OK &&
           write_heading(run, error);
    if (!good) run_folder_discard(run);
    return good;
}

bool run_folder_holds_sweep(const char *path) {
    pool       owner = {0};
    const bool found = access(pool_format(&owner, "%s/" SWEEP_DATABASE, path), F_OK) == 0;
    pool_free(&owner);
    return found;
}

/* What was being written under a hidden name (see src/base/file.h) when a process was killed. */
void run_folder_sweep(const char *path) {
    static const char begin[] = ".linnet-";
    pool              owner = {0};
    DIR              *folder = opendir(path);
    for (const struct dirent *entry; folder && (entry = readdir(folder));)
        if (strncmp(entry->d_name, begin, sizeof begin - 1) == 0 && ends_in(entry->d_name, ".tmp"))
            unlink(pool_format(&owner, "%s/%s", path, entry->d_name));
    if (folder) closedir(folder);
    pool_free(&owner);
}

bool run_folder_open(run_folder *run, ln_context *context, const char *path, ln_error *error) {
    *run = (run_folder){.context = context, .csv = -1, .board = -1};
    run->path = pool_copy(&run->owner, path, strlen(path));
    name_files(run);
    if (mkdir(run->weights, 0777) != 0 && errno != EEXIST) return fail_io(error, "make the folder", run->weights);
    const bool begun = access(run->results, F_OK) == 0;
    if (!(begun ? open_results(run, error) : write_heading(run, error))) return false;
    run_folder_sweep(run->path);
    run_folder_sweep(run->weights);
    return true;
}

size_t run_folder_size(const run_folder *run) {
    const off_t n = lseek(run->csv, 0, SEEK_END);
    return n > 0 ? (size_t)n : 0;
}

bool run_folder_cut(run_folder *run, size_t n_bytes, bool *lost, ln_error *error) {
    if (n_bytes == 0) n_bytes = sizeof heading - 1;
    *lost = run_folder_size(run) < n_bytes;
    return *lost || ftruncate(run->csv, (off_t)n_bytes) == 0 || fail_io(error, "cut", run->results);
}

static void add_metrics(text *row, bool present, const ln_metrics *m) {
    if (present) text_add(row, ",%.9g,%.9g", m->loss, m->accuracy);
    else text_add(row, ",,");
}

/* A row that cannot be whole is taken off again: of a part that went through, the rest says what stands in its way. */
static bool append(int file, const char *name, const text *row, ln_error *error) {
    const off_t before = lseek(file, 0, SEEK_END);
    size_t      done = 0;
    while (done < row->n) {
        const ssize_t n = write(file, row->bytes + done, row->n - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        done += (size_t)n;
    }
    if (done == row->n) return true;
    fail_io(error, "write", name);
    if (done > 0 && ftruncate(file, before) != 0) fail_io(error, "restore", name);
    return false;
}

static double time_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

bool run_folder_tensorboard(run_folder *run, bool resumed, size_t n_steps, ln_error *error) {
    text head = {0};
    for (unsigned number = 1; run->board < 0; number++) {
        run->events = pool_format(&run->owner, "%s/events.out.tfevents.%04u.linnet", run->path, number);
        run->board = open(run->events, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (run->board < 0 && errno != EEXIST) return fail_io(error, "make", run->events);
    }
    tensorboard_begin(&head, time_now());
    if (resumed) tensorboard_resume(&head, time_now(), n_steps + 1);
    const bool good = append(run->board, run->events, &head, error);
    text_free(&head);
    return good;
}

static bool add_events(const run_folder *run, const ln_progress *now, ln_error *error) {
    text events = {0};
    if (run->board < 0) return true;
    tensorboard_row(&events, time_now(), now);
    const bool good = append(run->board, run->events, &events, error);
    text_free(&events);
    return good;
}

bool run_folder_row(run_folder *run, const ln_progress *now, ln_error *error) {
    text row = {0};
    if (now->epoch) text_add(&row, "%zu", now->epoch);
    text_add(&row, ",%zu,%.6f,%.9g", now->total_step, now->seconds, now->lr);
    add_metrics(&row, true, &now->train);
    add_metrics(&row, now->has_validation, &now->validation);
    add_metrics(&row, now->has_test, &now->test);
    text_add(&row, "\n");
    const bool good = append(run->csv, run->results, &row, error) && add_events(run, now, error);
    text_free(&row);
    return good;
}

void run_folder_discard(run_folder *run) {
    if (run->path) {
        if (run->last) unlink(run->last);
        if (run->best) unlink(run->best);
        if (run->board >= 0) unlink(run->events);
        if (run->checkpoint) unlink(run->checkpoint);
        if (run->results) unlink(run->results);
        if (run->recipe) unlink(run->recipe);
        if (run->weights) rmdir(run->weights);
        rmdir(run->path);
    }
    run_folder_close(run);
}

void run_folder_close(run_folder *run) {
    if (run->csv >= 0) close(run->csv);
    if (run->board >= 0) close(run->board);
    pool_free(&run->owner);
    *run = (run_folder){.csv = -1, .board = -1};
}
