/* fetch.h: getting a data set that is known by name (src/data/sets.c): its files are downloaded, checked by their
 * SHA-256 and only then get their names; archives are unpacked. What went wrong is one sentence in the ln_error. */
#ifndef LN_CLI_FETCH_H
#define LN_CLI_FETCH_H

#include "cli.h"
#include "data/sets.h"


typedef struct fetching {
    const ln_set *set;
    const char   *folder; /* the set's own, which the files go into */
    const char   *mirror; /* LINNET_MIRROR: tried before the set's, has the files in a folder NAME; NULL: none */
} fetching;

/* All of the set, with a line on standard output for each file. */
bool fetch_set(const fetching *f, ln_error *error);

/* ------------------------------------------------------------- download.c */

/* Downloads one file to FOLDER/FILE by way of FOLDER/FILE.part, which stays when it is interrupted or the connection
 * breaks, and is gone on with the next time; one with the wrong SHA-256 is thrown away. *from becomes where the last
 * bytes came from (NULL: all were there), *notes what other mirrors failed by, or NULL. */
bool download(const fetching *f, const ln_set_file *file, pool *owner, const char **from, const char **notes,
              ln_error *error);

/* --------------------------------------------------------------- stored.c */

typedef enum stored { STORED_NOT, STORED_WRONG, STORED_RIGHT } stored;

/* Is what fd has from its beginning one of the file's forms? sum becomes its SHA-256; NULL is fine. */
enum { SUM_TEXT = 65 };
bool   stored_sum(int fd, char sum[SUM_TEXT]);
bool   stored_is_form(const ln_set_file *file, const char *sum);
stored stored_look(const char *path, const ln_set_file *file);
/* Makes a folder and those above it. */
bool stored_make_folder(const char *path, ln_error *error);
/* Syncs fd, whose file is called part, calls it path, and syncs the folder. */
bool stored_place(int fd, const char *part, const char *path, ln_error *error);

/* --------------------------------------------------------------- unpack.c */

/* All members are there, as long as they should be. */
bool unpack_is_done(const fetching *f, pool *owner);
/* The set's members, and nothing else, out of the archive (tar, gzipped) into the folder. What is unpacked in all may
 * be the members' bytes and 1 MiB more. */
bool unpack(const fetching *f, const char *archive, pool *owner, ln_error *error);

#endif
