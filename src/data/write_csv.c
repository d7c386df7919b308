/* A data set as CSV: a header, then a line an image, label first (Kaggle's form). Floats are written with nine digits,
 * which are enough to read the same bits back. */
#include "base/file.h"
#include "base/number.h"
#include "data/write.h"

#include <stdio.h>
#include <string.h>

enum { CSV_BUFFER = 1 << 16, CSV_CELL = 32 };

typedef struct out {
    ln_file_writer *writer;
    size_t          n;
    char            buffer[CSV_BUFFER];
    struct {
        unsigned char n;
        char          digits[3];
    } number[256];
} out;

static ln_status flush(out *o, ln_error *error) {
    const ln_status status = ln_file_writer_write(o->writer, o->buffer, o->n, error);
    o->n = 0;
    return status;
}

/* Room for a cell. */
static ln_status make_room(out *o, ln_error *error) { return CSV_BUFFER - o->n < CSV_CELL ? flush(o, error) : LN_OK; }

static void put_byte(out *o, unsigned byte) {
    memcpy(o->buffer + o->n, o->number[byte].digits, 3);
    o->n += o->number[byte].n;
}

static ln_status write_header(out *o, const ln_data *data, ln_error *error) {
    const size_t count = data->store->c * data->store->h * data->store->w;
    ln_status    status = LN_OK;
    if (data->store->labels) o->n += (size_t)sprintf(o->buffer, "label,");
    for (size_t j = 0; j < count && status == LN_OK; j++) {
        status = make_room(o, error);
        if (status == LN_OK) o->n += (size_t)sprintf(o->buffer + o->n, "pixel%zu%c", j, j + 1 < count ? ',' : '\n');
    }
    return status;
}

static ln_status write_image(out *o, const ln_data *data, size_t i, ln_error *error) {
    const ln_store *const s = data->store;
    const size_t          count = s->c * s->h * s->w;
    const void *const     image = ln_data_values(data, i);
    ln_status             status = make_room(o, error);
    if (status != LN_OK) return status;
    if (s->labels) {
        put_byte(o, (unsigned)ln_data_written_label(data, i));
        o->buffer[o->n++] = ',';
    }
    for (size_t j = 0; j < count; j++) {
        if (CSV_BUFFER - o->n < CSV_CELL && (status = flush(o, error)) != LN_OK) return status;
        if (s->is_float)
            o->n += (size_t)snprintf(o->buffer + o->n, CSV_CELL, "%.9g", (double)((const float *)image)[j]);
        else put_byte(o, ((const uint8_t *)image)[j]);
        o->buffer[o->n++] = j + 1 < count ? ',' : '\n';
    }
    return LN_OK;
}

/* A CSV file that is read knows no NaN. */
static ln_status check_finite(const char *path, const ln_data *data, ln_error *error) {
    const ln_store *const s = data->store;
    const size_t          count = s->c * s->h * s->w;
    for (size_t i = 0; s->is_float && i < data->n; i++) {
        const float *const x = ln_data_values(data, i);
        for (size_t j = 0; j < count; j++)
            if (!(x[j] - x[j] <= 0))
                return ln_fail(error, LN_E_NOT_FINITE,
                               "%s: value %zu of image %zu is NaN or infinite, which a set may not hold: replace it",
                               path, j, i);
    }
    return LN_OK;
}

static ln_status write_all(ln_context *context, out *o, const ln_data *data, ln_error *error) {
    for (unsigned k = 0; k < 256; k++) {
        char digits[4];
        o->number[k].n = (unsigned char)snprintf(digits, sizeof digits, "%u", k);
        memcpy(o->number[k].digits, digits, 3);
    }
    ln_status status = write_header(o, data, error);
    ln_work   work = ln_work_begin(context, "writing", data->n);
    for (size_t i = 0; i < data->n && status == LN_OK; i++)
        status = ln_work_goes_on(&work, i) ? write_image(o, data, i, error) : ln_work_stop(&work, i, error);
    ln_work_end(&work);
    return status == LN_OK ? flush(o, error) : status;
}

ln_status ln_csv_write(ln_context *context, const char *path, const ln_data *data, ln_error *error) {
    ln_status status = check_finite(path, data, error);
    if (status != LN_OK) return status;
    out *const o = ln_allocate_zeroed(context, sizeof *o);
    if (!o) return ln_fail_memory(error, path, sizeof *o);
    status = ln_file_writer_open(context, path, &o->writer, error);
    if (status == LN_OK) {
        const locale_t before = uselocale(ln_plain_locale());
        status = write_all(context, o, data, error);
        uselocale(before);
        if (status == LN_OK) status = ln_file_writer_commit(o->writer, error);
        else ln_file_writer_abandon(o->writer);
    }
    ln_release(context, o);
    return status;
}
