/* program.c: verbs that are programs of their own. */
#include "program.h"
#include "bar.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, LOW_PRIORITY = 10 };

/* The folder of the running program, with its last "/"; "" where it is not known. */
static const char *own_folder(pool *owner) {
    char          path[PATH_BYTES];
    const ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0) return "";
    path[n] = '\0';
    char *slash = strrchr(path, '/');
    return slash ? pool_copy(owner, path, (size_t)(slash + 1 - path)) : "";
}

const char *program_find(const char *name, pool *owner) {
    const char *const folder = own_folder(owner);
    const char *const places[] = {pool_format(owner, "%slinnet-%s", folder, name),
                                  pool_format(owner, "%s../libexec/linnet/linnet-%s", folder, name),
                                  pool_format(owner, LN_LIBEXEC_DIR "/linnet-%s", name)};
    for (size_t i = *folder ? 0 : 2; i < sizeof places / sizeof *places; i++)
        if (access(places[i], X_OK) == 0) return places[i];
    return NULL;
}

/* What is passed on, in the order that program_main reads. */
static char *const *words_of(const arguments *a, const char *path, pool *owner) {
    char **const argv = pool_take(owner, (a->n_flags + a->n_own + a->n_pairs + a->n_words + 4) * sizeof *argv);
    const struct {
        const char *const *list;
        size_t             n;
    } parts[] = {{a->flags, a->n_flags}, {a->own, a->n_own}, {a->pairs, a->n_pairs}};
    const char *const dashes = "--";
    size_t            n = 0;
    argv[n++] = (char *)(uintptr_t)path;
    argv[n++] = (char *)(uintptr_t)a->verb->name;
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++)
        for (size_t i = 0; i < parts[p].n; i++) argv[n++] = (char *)(uintptr_t)parts[p].list[i];
    argv[n++] = (char *)(uintptr_t)dashes;
    for (size_t i = 0; i < a->n_words; i++) argv[n++] = (char *)(uintptr_t)a->words[i];
    return argv;
}

const char *program_command(pool *owner) {
    const char *const folder = own_folder(owner);
    const char *const places[] = {pool_format(owner, "%slinnet", folder),
                                  pool_format(owner, "%s../../bin/linnet", folder), LN_BIN_DIR "/linnet"};
    for (size_t i = *folder ? 0 : 2; i < sizeof places / sizeof *places; i++)
        if (access(places[i], X_OK) == 0) return places[i];
    return NULL;
}

int program_become(const char *name, const arguments *a) {
    pool              owner = {0};
    const char *const path = program_find(name, &owner);
    if (path) execv(path, words_of(a, path, &owner));
    const int error = errno;
    if (path) say("cannot run %s: %s", path, strerror(error));
    else
        say("the program linnet-%s is missing, which %s needs: it belongs beside linnet, or into libexec/linnet of its "
            "folder; install it, or build it with script/build",
            name, a->verb->name);
    pool_free(&owner);
    return STATUS_FAILED;
}

/* ------------------------------------------------------------------ children */

/* Between fork and exec only what signal handlers may do. */
static void become_child(const char *path, char *const *argv) {
    const int null = open("/dev/null", O_WRONLY);
    if (null >= 0) dup2(null, STDOUT_FILENO), dup2(null, STDERR_FILENO);
    setpgid(0, 0); /* Ctrl-C is for the parent, which waits */
    setpriority(PRIO_PROCESS, 0, LOW_PRIORITY);
    execv(path, argv);
    _exit(127);
}

long program_start(const char *name, const char *const *words, pool *owner) {
    const char *const path = program_find(name, owner);
    size_t            n = 0;
    while (words[n]) n++;
    char **const argv = pool_take(owner, (n + 2) * sizeof *argv);
    argv[0] = (char *)(uintptr_t)path;
    for (size_t i = 0; i < n; i++) argv[i + 1] = (char *)(uintptr_t)words[i];
    fflush(stdout);
    const pid_t child = path ? fork() : -1;
    if (child == 0) become_child(path, argv);
    return child;
}

int program_wait(long process, double seconds, const volatile int *stop) {
    const struct timespec pause = {.tv_nsec = 5 * 1000 * 1000};
    const double          end = seconds_now() + seconds;
    for (;;) {
        int         status;
        const pid_t done = waitpid((pid_t)process, &status, WNOHANG);
        if (done == (pid_t)process) return WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_FAILED;
        if (done < 0 && errno != EINTR) return STATUS_FAILED;
        if (seconds_now() >= end || (stop && *stop)) return -1;
        nanosleep(&pause, NULL);
    }
}

/* -------------------------------------------------------------- the other side */

static bool is_flag(const char *word) { return word[0] == '-' && strcmp(word, "--") != 0; }

static int run(const program_verb *v, char **words, size_t n) {
    pool               owner = {0};
    const char **const copy = pool_take(&owner, (n + 1) * sizeof *copy);
    size_t             flags = 0, pairs = 0;
    for (size_t i = 0; i < n; i++) copy[i] = words[i];
    while (flags < n && is_flag(copy[flags])) flags++;
    while (flags + pairs < n && strcmp(copy[flags + pairs], "--") != 0) pairs++;
    const size_t    first = flags + pairs < n ? flags + pairs + 1 : n;
    const arguments a = {.verb = v->verb,
                         .flags = copy,
                         .n_flags = flags,
                         .own = copy + flags,
                         .n_own = pairs,
                         .words = copy + first,
                         .n_words = n - first};
    const int       status =
        a.n_words < v->verb->n_min ? say_usage(v->verb, "something is missing: linnet %s", v->verb->usage) : v->run(&a);
    pool_free(&owner);
    return status;
}

int program_main(int argc, char **argv, const program_verb *list, size_t n) {
    for (size_t i = 0; i < n && argc > 1; i++) {
        if (strcmp(argv[1], list[i].verb->name) != 0) continue;
        signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error like others */
        const int status = run(&list[i], argv + 2, (size_t)(argc - 2));
        return fflush(stdout) == 0 || errno == EPIPE || status != STATUS_OK
                   ? status
                   : say("cannot write to standard output: %s", strerror(errno));
    }
    return say("this program is run by linnet: see linnet %s --help", list[0].verb->name), STATUS_USAGE;
}
