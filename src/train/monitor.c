/* Early stopping by a measured column, the copy of the best weights, and the signs that nothing is learnt. */
#include "train/monitor.h"

#include <string.h>

/* ---------------------------------------------------------- early stopping */

enum { TRAIN_LOSS, TRAIN_ACCURACY, VAL_LOSS, VAL_ACCURACY, TEST_LOSS, TEST_ACCURACY, N_COLUMNS };
static const char *const columns[N_COLUMNS] = {"train_loss",   "train_accuracy", "val_loss",
                                               "val_accuracy", "test_loss",      "test_accuracy"};

static bool is_accuracy(size_t column) { return column % 2 == 1; }

static ln_status find(const char *name, bool has_validation, bool has_test, size_t *column, ln_error *error) {
    *column = has_validation ? VAL_LOSS : TRAIN_LOSS;
    if (!name || strcmp(name, "auto") == 0) return LN_OK;
    for (*column = 0; *column < N_COLUMNS && strcmp(columns[*column], name) != 0;) ++*column;
    if (*column == N_COLUMNS) {
        const char *const near = ln_nearest(name, columns, N_COLUMNS);
        return ln_fail(error, LN_E_ARGUMENT,
                       "monitor is '%.60s', but must be auto, train_loss, train_accuracy, val_loss, val_accuracy, "
                       "test_loss or test_accuracy%s%s%s",
                       name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    const bool validates = *column == VAL_LOSS || *column == VAL_ACCURACY;
    const bool tests = *column == TEST_LOSS || *column == TEST_ACCURACY;
    if ((!validates || has_validation) && (!tests || has_test)) return LN_OK;
    return ln_fail(error, LN_E_ARGUMENT, "monitor is '%s', but there are no %s images: give some, or choose %s", name,
                   validates ? "validation" : "test",
                   has_validation ? "train_loss, train_accuracy, val_loss or val_accuracy"
                   : has_test     ? "train_loss, train_accuracy, test_loss or test_accuracy"
                                  : "train_loss or train_accuracy");
}

ln_status ln_monitor_check(const char *monitor, bool has_validation, bool has_test, ln_error *error) {
    size_t column;
    return find(monitor, has_validation, has_test, &column, error);
}

ln_status ln_monitor_new(const ln_train_options *o, ln_monitor *monitor, ln_error *error) {
    size_t          column;
    const ln_status status = find(o->monitor, o->validation != NULL, o->test != NULL, &column, error);
    if (status != LN_OK) return status;
    const double worst = is_accuracy(column) ? -__builtin_inf() : __builtin_inf();
    *monitor = (ln_monitor){
        .column = column, .patience = o->patience, .min_delta = o->min_delta, .best = worst, .mark = worst};
    return LN_OK;
}

bool ln_monitor_tests(const ln_monitor *m) { return m->column == TEST_LOSS || m->column == TEST_ACCURACY; }

/* A value that is no number is never better. */
void ln_monitor_observe(ln_monitor *m, ln_progress *row) {
    const ln_metrics *const found[] = {&row->train, &row->validation, &row->test};
    const ln_metrics *const metrics = found[m->column / 2];
    const bool              up = is_accuracy(m->column);
    const double            now = up ? metrics->accuracy : metrics->loss;
    row->monitor = columns[m->column];
    row->monitor_best = up ? now > m->best : now < m->best;
    if (row->monitor_best) m->best = now;
    const bool better = up ? now > m->mark + m->min_delta : now < m->mark - m->min_delta;
    m->n_bad = better ? 0 : m->n_bad + 1;
    if (better) m->mark = now;
    row->stopped = m->patience > 0 && m->n_bad >= m->patience;
}

/* -------------------------------------------------------------------- copy */

size_t ln_copy_count(const ln_model *model) {
    size_t count = 0;
    for (size_t i = 0; i < model->n_nodes; i++)
        for (size_t k = 0; k < ln_node_tensors(model->node[i]); k++) count += model->node[i]->param[k].count;
    return count;
}

/* To the copy, or back from it. */
static void copy_all(const ln_model *model, float *copy, bool back) {
    for (size_t i = 0; i < model->n_nodes; i++)
        for (size_t k = 0; k < ln_node_tensors(model->node[i]); k++) {
            const size_t count = model->node[i]->param[k].count;
            float *const values = model->values[i][k];
            memcpy(back ? values : copy, back ? copy : values, count * sizeof *copy);
            copy += count;
        }
}

void ln_copy_take(const ln_model *model, float *copy) { copy_all(model, copy, false); }
void ln_copy_put_back(ln_model *model, float *copy) { copy_all(model, copy, true); }

/* ---------------------------------------------------------- nothing learnt */

double ln_weight_squares(const ln_model *model) {
    double sum = 0;
    for (size_t i = 0; i < model->n_nodes; i++)
        for (size_t k = 0; k < model->node[i]->n_params; k++) {
            const ln_param *const p = &model->node[i]->param[k];
            for (size_t j = 0; j < p->count && ln_is_weight(p); j++)
                sum += (double)model->values[i][k][j] * (double)model->values[i][k][j];
        }
    return sum;
}

size_t ln_most_frequent(const ln_data *data) {
    const size_t n = ln_data_describe(data).n;
    size_t       count[256] = {0}, most = 0; /* a label is a byte */
    for (size_t i = 0; i < n; i++) count[ln_data_label(data, i) & 255]++;
    for (size_t k = 0; k < 256; k++)
        if (count[k] > most) most = count[k];
    return most;
}

double ln_output_spread(const ln_plan *plan, size_t n, float *outputs) {
    const size_t count = ln_model_outputs(plan->model);
    double       widest = 0;
    if (n > LN_LANES) n = LN_LANES;
    ln_run_outputs(plan, n, outputs);
    for (size_t k = 0; k < count; k++) {
        float low = outputs[k], high = low;
        for (size_t i = 1; i < n; i++) {
            const float x = outputs[i * count + k];
            low = x < low ? x : low;
            high = x > high ? x : high;
        }
        if ((double)high - (double)low > widest) widest = (double)high - (double)low;
    }
    return widest;
}
