/* Stands in for src/io/safetensors.c where there is no cJSON: cross builds train, and read and write no files. */
#include "io/safetensors.h"

static ln_status refuse(const char *path, ln_error *error) {
    return ln_fail(error, LN_E_UNSUPPORTED, "%s: this build reads and writes no safetensors", path);
}

ln_status ln_safetensors_open(ln_context *context, const char *path, ln_safetensors *file, ln_error *error) {
    (void)context, (void)file;
    return refuse(path, error);
}

ln_status ln_safetensors_take(ln_safetensors *file, float *to, ln_error *error) {
    (void)to;
    return refuse(file->path, error);
}

void ln_safetensors_free(ln_safetensors *file) { (void)file; }

const char *ln_safetensors_get(const ln_safetensors *file, const char *key) {
    (void)file, (void)key;
    return NULL;
}

ln_status ln_safetensors_begin(ln_context *context, const char *path, const ln_tensor *tensors, size_t n_tensors,
                               const ln_metadata *metadata, size_t n_metadata, ln_safetensors_writer *writer,
                               ln_error *error) {
    (void)context, (void)tensors, (void)n_tensors, (void)metadata, (void)n_metadata, (void)writer;
    return refuse(path, error);
}

ln_status ln_safetensors_finish(const ln_safetensors_writer *writer, ln_error *error) {
    return refuse(writer->header, error);
}

void ln_safetensors_end(ln_safetensors_writer *writer) { (void)writer; }

ln_status ln_safetensors_write(ln_context *context, const char *path, const ln_tensor *tensors, size_t n_tensors,
                               const ln_metadata *metadata, size_t n_metadata, ln_error *error) {
    (void)context, (void)tensors, (void)n_tensors, (void)metadata, (void)n_metadata;
    return refuse(path, error);
}
