/* Files: read whole, or written so that whoever opens the path finds the old contents or all of the new, never a part.
 *
 * A writer fills an unnamed file in the path's folder (where the file system has none: a hidden one beside the path),
 * syncs it, renames it to path and syncs the folder. Whatever fails before that leaves path as it was and nothing
 * beside it. A path that is a device or a pipe is written straight, since it must not be replaced. */
#ifndef LN_BASE_FILE_H
#define LN_BASE_FILE_H

#include "base/error.h"

typedef struct ln_file_writer ln_file_writer;

/* Follows a symbolic link at path and replaces what it points to. */
ln_status ln_file_writer_open(ln_context *context, const char *path, ln_file_writer **writer, ln_error *error);
/* After a failure only ln_file_writer_abandon may follow. */
ln_status ln_file_writer_write(ln_file_writer *writer, const void *bytes, size_t n_bytes, ln_error *error);
/* Before the commit: the disk is not waited for. A machine that stops may then leave damaged contents under path, which
 * whoever reads them must notice. */
void ln_file_writer_hurry(ln_file_writer *writer);
/* Makes the new contents visible under path, durably. Frees the writer, also when it fails. */
ln_status ln_file_writer_commit(ln_file_writer *writer, ln_error *error);
/* The same without freeing it, which ln_file_writer_abandon then does. This and ln_file_writer_write ask no allocator,
 * so that a thread of its own may write a file that another has opened. */
ln_status ln_file_writer_finish(ln_file_writer *writer, ln_error *error);
/* Frees the writer and what it wrote; path stays as it was. NULL is fine. */
void ln_file_writer_abandon(ln_file_writer *writer);

/* The whole of a file of at most limit bytes, with a zero byte behind it that n_bytes does not count; give it back by
 * ln_release. A longer file is LN_E_FORMAT. */
ln_status ln_file_read(ln_context *context, const char *path, size_t limit, unsigned char **bytes, size_t *n_bytes,
                       ln_error *error);

#endif
