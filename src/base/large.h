/* Memory for the values of whole data sets, which may be more than the machine has. */
#ifndef LN_BASE_LARGE_H
#define LN_BASE_LARGE_H

#include "base/context.h"

/* A block that ln_release gives back, as ln_allocate's: from the allocator while it is no larger than the context's
 * data_memory; else mapped from a file of its own without a name, in the cache folder, which the system reads and
 * writes as pages are used, and which is gone when the block is released, or the process ends. ln_context_memory does
 * not count such a block. After a failure *memory is NULL; who stands in messages. */
ln_status ln_allocate_large(ln_context *context, const char *who, size_t n_bytes, void **memory, ln_error *error);

/* For ln_release: n_bytes that lie in a file, or do not. */
void ln_unmap_large(void *memory, size_t n_bytes);

#endif
