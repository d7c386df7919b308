/* set.c: all files of a set, one after the other, and its archive unpacked. */
#include "fetch.h"
#include "progress.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* "train-images-idx3-ubyte.gz  9.27 MiB from URL, 3.1 MB/s" */
static void print_got(const char *path, const char *name, const char *from, double seconds, pool *owner) {
    struct stat st = {0};
    stat(path, &st);
    printf("%s  %s", name, text_bytes(owner, (size_t)st.st_size));
    if (from) printf(" in %.1f s from %s", seconds, from);
    puts("");
    fflush(stdout);
}

/* *new: it was not there before. */
static bool get_file(const fetching *f, const ln_set_file *file, bool *new, pool *owner, ln_error *error) {
    const char *const path = pool_format(owner, "%s/%s", f->folder, file->name);
    const stored      was = stored_look(path, file);
    const double      started = seconds_now();
    const char       *from, *notes;
    *new = was != STORED_RIGHT;
    if (was == STORED_RIGHT) return printf("%s  already there\n", file->name), true;
    if (was == STORED_WRONG) say("warning: %s is not %s's file, and is fetched anew", path, f->set->title);
    if (!download(f, file, owner, &from, &notes, error)) return false;
    if (notes) say("warning: %s: %s", file->name, notes);
    print_got(path, file->name, from, seconds_now() - started, owner);
    return true;
}

static bool get_files(const fetching *f, pool *owner, ln_error *error) {
    bool new = false;
    for (size_t i = 0; i < LN_SET_FILES && f->set->file[i].name; i++)
        if (!get_file(f, &f->set->file[i], &new, owner, error)) return false;
    if (!f->set->member[0].name) return true;
    const char *const archive = pool_format(owner, "%s/%s", f->folder, f->set->file[0].name);
    if (!unpack(f, archive, owner, error)) return false;
    if (new) unlink(archive); /* who put it there by hand may want it */
    for (size_t i = 0; i < LN_SET_MEMBERS && f->set->member[i].name; i++)
        printf("%s  unpacked\n", f->set->member[i].name);
    return true;
}

bool fetch_set(const fetching *f, ln_error *error) {
    const ln_set *const set = f->set;
    pool                owner = {0};
    printf("%s, by %s; licence: %s; %s\n", set->title, set->by, set->licence, set->page);
    bool good = stored_make_folder(f->folder, error);
    if (good && set->member[0].name && unpack_is_done(f, &owner)) printf("%s  already there\n", set->name);
    else good = good && get_files(f, &owner, error);
    pool_free(&owner);
    return good;
}
