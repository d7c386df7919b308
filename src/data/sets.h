/* Data sets that are known by name: their files with sizes and SHA-256, where these are to be had, whose they are and
 * what their classes are called. The library opens them (data/known.h), linnet-fetch gets them; a set is one entry of
 * the table in sets.c. */
#ifndef LN_DATA_SETS_H
#define LN_DATA_SETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LN_SET_FILES = 4, LN_SET_FORMS = 2, LN_SET_MIRRORS = 4, LN_SET_MEMBERS = 7, LN_SET_CLASSES = 10 };

/* A file may be stored in two ways (packed by its authors, packed anew) that hold the same. */
typedef struct ln_set_form { const char *sha256; uint64_t n_bytes; } ln_set_form;
typedef struct ln_set_file { const char *name; ln_set_form form[LN_SET_FORMS]; } ln_set_file;
/* A file in an archive. n_bytes 0: not known, but not longer than LN_SET_SMALL. */
enum { LN_SET_SMALL = 1 << 16 };
typedef struct ln_set_member { const char *folder, *name; uint64_t n_bytes; } ln_set_member;

typedef struct ln_set {
    const char   *name, *title, *by, *licence, *page;
    const char   *mirror[LN_SET_MIRRORS]; /* what the files' addresses begin with, to the last '/'; NULL ends them */
    ln_set_file   file[LN_SET_FILES];     /* IDX: training images and labels, test images and labels; or one archive */
    ln_set_member member[LN_SET_MEMBERS]; /* what is unpacked from it; none: not an archive */
    const char   *class_name[LN_SET_CLASSES]; /* the first NULL: the set itself has them, or needs none */
} ln_set;

/* Ends with an entry without a name. */
extern const ln_set ln_sets[];

/* NULL: not known. */
const ln_set *ln_set_find(const char *name);
/* Where the user's own data sets lie, a folder NAME each: $XDG_DATA_HOME/linnet, or ~/.local/share/linnet. False where
 * there is no home, or the path has no room. */
bool ln_set_home(char *path, size_t size);

#endif
